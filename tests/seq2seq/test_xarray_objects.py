"""xarray objects are read as files are: bands by their names, dates, places and masks by coordinates."""

import numpy as np
import pytest
import xarray as xr
from sequence_files import BANDS, DATES, HEIGHT, WIDTH, s1_db, s2_dn, write_sequence

import decloud
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import InputError, MisalignedGridsError, MissingDataError

RULES = ReconstructionConfig(cloud_detector="rules")
TIMES = np.array(DATES, dtype="datetime64[ns]")
PLACE = {"y": 5_600_000 - 10 * (np.arange(HEIGHT) + 0.5), "x": 600_000 + 10 * (np.arange(WIDTH) + 0.5)}
CRS = {"spatial_ref": xr.DataArray(0, attrs={"crs_wkt": "EPSG:32631"})}


def optical(names=BANDS, values=None, **coords):
    values = s2_dn() if values is None else values
    variables = {name: (("time", "y", "x"), values[:, index]) for index, name in enumerate(names)}
    return xr.Dataset(variables, {"time": TIMES, **PLACE, **CRS, **coords})


def radar(days):
    values = s1_db(len(days))
    variables = {name: (("time", "y", "x"), values[:, index]) for index, name in enumerate(("VV", "VH"))}
    return xr.Dataset(variables, {"time": np.array(days, dtype="datetime64[ns]"), **PLACE, **CRS})


def test_a_dataset_is_read_as_the_files_that_hold_the_same(tmp_path):
    from_files = decloud.read(write_sequence(tmp_path / "fields"), config=RULES)
    from_memory = decloud.read(optical(), config=RULES)
    assert np.array_equal(from_memory.s2.pixels, from_files.s2.pixels)
    assert np.array_equal(from_memory.cloud_mask, from_files.cloud_mask)
    assert from_memory.s2.bands == from_files.s2.bands
    assert from_memory.s2.geobox == from_files.s2.geobox
    assert list(from_memory.s2.dates) == list(from_files.s2.dates)


def test_an_array_with_an_axis_of_bands_and_reflectance_that_was_decoded():
    values = s2_dn().astype(np.float32) / 10_000
    values[1, :, :5] = np.nan
    array = xr.DataArray(
        values, dims=("time", "band", "y", "x"), coords={"time": TIMES, "band": list(BANDS), **PLACE, **CRS}
    )
    found = decloud.read(array, config=RULES)
    assert found.s2.bands == BANDS
    assert found.cloud_mask[1, :5].all()
    np.testing.assert_allclose(found.s2.pixels[0], values[0], atol=1e-6)


def test_common_names_lazy_values_and_classes(tmp_path):
    classes = np.full((5, HEIGHT, WIDTH), 4, np.uint8)
    classes[2, :, :10] = 9
    whole = optical(("blue", "green", "red", "nir")).assign(SCL=(("time", "y", "x"), classes))
    whole.to_netcdf(tmp_path / "lazy.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "lazy.nc", engine="h5netcdf") as lazy:
        found = decloud.read(lazy)
    assert found.s2.bands == BANDS
    assert found.cloud_mask[2, :, :10].all()
    assert found.cloud_mask.mean() == pytest.approx(10 / WIDTH / 5)


def test_radar_of_other_days_may_be_another_dataset():
    found = decloud.read(optical(), radar(["2020-08-02", "2020-08-14", "2020-09-09"]), config=RULES)
    assert found.s1 is not None
    assert str(found.s1_dates[0]) == "2020-08-02"


def test_what_is_no_dataset_or_lacks_something_is_said_in_one_line():
    with pytest.raises(InputError, match=r"dataset: is a ndarray; give an xarray"):
        decloud.read(s2_dn())
    with pytest.raises(MisalignedGridsError, match="CRS"):
        decloud.read(optical().drop_vars("spatial_ref"), config=RULES)
    with pytest.raises(MissingDataError, match="nothing was given"):
        decloud.read()
    with pytest.raises(InputError):
        decloud.read(
            xr.Dataset({"temperature": (("time", "y", "x"), np.ones((5, HEIGHT, WIDTH)))}, dict(optical().coords))
        )


class Counting(np.lib.mixins.NDArrayOperatorsMixin):
    """Values that xarray keeps lazy, and how often they were loaded."""

    def __init__(self, values):
        self._values, self.loaded = values, 0
        self.shape, self.dtype, self.ndim = values.shape, values.dtype, values.ndim

    def __array__(self, dtype=None, copy=None):
        self.loaded += 1
        return np.asarray(self._values, dtype)

    def __array_function__(self, function, types, args, kwargs):
        return NotImplemented

    def __array_ufunc__(self, *args, **kwargs):
        return NotImplemented

    def __getitem__(self, key):
        self.loaded += 1
        return self._values[key]


def test_lazy_values_are_loaded_once_and_those_of_no_band_never():
    lazy = {name: Counting(s2_dn()[:, index]) for index, name in enumerate(BANDS)}
    beside = Counting(s2_dn()[:, 0])
    variables = {name: (("time", "y", "x"), values) for name, values in {**lazy, "temperature": beside}.items()}
    found = decloud.read(xr.Dataset(variables, {"time": TIMES, **PLACE, **CRS}), config=RULES)
    np.testing.assert_array_equal(found.s2.pixels, decloud.read(optical(), config=RULES).s2.pixels)
    assert {name: values.loaded for name, values in lazy.items()} == dict.fromkeys(BANDS, 1)
    assert beside.loaded == 0
