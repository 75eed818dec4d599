"""xarray objects are read as files are: bands by their names, dates, places and masks by coordinates."""

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from sequence_files import BANDS, DATES, HEIGHT, WIDTH, s1_db, s2_dn, write_sequence

import decloud
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import InputError, MisalignedGridsError, MissingDataError
from seq2seq.radiometry import to_linear

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


def test_what_odc_stac_loads():
    """As its version 0.5.3 gives it: floating point without a scale, no attributes, days in microseconds."""
    geobox = GeoBox((HEIGHT, WIDTH), Affine(10, 0, 600_000, 0, -10, 5_600_000), "EPSG:32631")
    grid = {"crs_wkt": geobox.crs.to_wkt(), "GeoTransform": "600000 10 0 5600000 0 -10"}
    reference = {"spatial_ref": xr.DataArray(np.int32(32631), attrs=grid)}
    coordinates = {**PLACE, **reference, "time": TIMES.astype("datetime64[us]") + np.timedelta64(39_031, "s")}
    classes = np.full((5, HEIGHT, WIDTH), 4, np.float32)
    classes[2, :, :10] = 9
    variables = {name: (("time", "y", "x"), s2_dn()[:, k].astype(np.float32)) for k, name in enumerate(BANDS)}
    s2 = xr.Dataset({**variables, "SCL": (("time", "y", "x"), classes)}, coordinates)
    s1 = xr.Dataset(
        {name: (("time", "y", "x"), to_linear(s1_db()[:, k])) for k, name in enumerate(("vv", "vh"))}, coordinates
    )
    messages = []
    found = decloud.read(s2, s1, on_progress=lambda progress: messages.append(progress.message))
    np.testing.assert_allclose(found.s2.pixels, s2_dn() * 1e-4, atol=1e-7)
    np.testing.assert_allclose(found.s1.pixels, s1_db(), atol=1e-4)
    assert found.s2.geobox == geobox
    assert found.cloud_mask.mean() == pytest.approx(10 / WIDTH / 5)
    assert any("read as reflectance x 10000" in message for message in messages if message)


def test_what_stackstac_stacks():
    """As its version 0.5.1 gives it: one array of float64, the CRS as a number beside, coordinates of objects."""
    values = np.concatenate([s2_dn(), np.full((5, 1, HEIGHT, WIDTH), 4)], axis=1).astype(np.float64)
    values[2, 4, :, :10] = 8
    values[1, :, :5] = np.nan
    coordinates = {
        "time": TIMES,
        "id": ("time", [f"S2A_{date}" for date in DATES]),
        "band": [*BANDS, "SCL"],
        "y": 5_600_000.0 - 10 * np.arange(HEIGHT),
        "x": 600_000.0 + 10 * np.arange(WIDTH),
        "proj:code": "EPSG:32631",
        "proj:shape": ((), np.array({24}, dtype=object)),
        "epsg": 32631,
    }
    about = {"spec": object(), "crs": "epsg:32631", "transform": Affine(10, 0, 600_000, 0, -10, 5_600_000)}
    array = xr.DataArray(values, coordinates, ("time", "band", "y", "x"), "stackstac-85e8", {**about, "resolution": 10})
    found = decloud.read(array)
    assert found.s2.bands == BANDS
    np.testing.assert_allclose(found.s2.pixels[0], s2_dn()[0] * 1e-4, atol=1e-7)
    assert found.cloud_mask[1, :5].all()
    assert found.cloud_mask[2].mean() == pytest.approx(10 / WIDTH)
    assert tuple(found.s2.geobox.affine)[:6] == (10, 0, 600_000, 0, -10, 5_600_000)


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
