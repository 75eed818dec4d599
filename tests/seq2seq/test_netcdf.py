"""Cubes in NetCDF as others publish them give the values that were written, on their grid and their days."""

import sys
from itertools import product

import h5py
import numpy as np
import pytest
from cube_files import DAYS, X, Y, coded, cube, pack_all, stacked, to_netcdf
from damage import refusals_of_damage
from sequence_files import BANDS, DATES, HEIGHT, TRANSFORM, WIDTH, s1_db, s2_dn

from seq2seq.errors import (
    InputError,
    MisalignedGridsError,
    MissingDataError,
    MissingExtraError,
    UnreadableFileError,
)
from seq2seq.radiometry import to_linear
from seq2seq.readers import open_contents, open_sequence, read_sequence
from seq2seq.readers.contents import Window
from seq2seq.readers.cubes import arrays
from seq2seq.readers.cubes.names import meaning
from seq2seq.readers.pairing import same_grid

WHOLE = Window(0, HEIGHT, 0, WIDTH)


def values_of(path, sensor="s2", window=WHOLE):
    """(T, C, H, W) raw values."""
    with open_contents(path) as contents:
        return np.stack([raster.read(window) for raster in getattr(contents, sensor)])


def openeo(dn, prefix="", **more):
    bands = {f"{prefix}{band}": coded(dn[:, index]) for index, band in enumerate(BANDS)}
    made = cube({**bands, **more})
    for name in bands:
        made[name].attrs["_Unsigned"] = "true"
    made.t.encoding = {"units": "days since 1990-01-01", "dtype": "int32"}
    return made


@pytest.mark.parametrize("prefix", ["", "S2-L2A-", "s2_", "S2_L2A_"])
def test_a_cube_of_openeo_gives_its_bands_dates_and_grid(tmp_path, prefix):
    dn = s2_dn()
    dn[1, :, 3:5, 3:9] = 65535
    path = to_netcdf(openeo(dn, prefix), tmp_path / "cube.nc")
    with open_sequence(path) as source:
        assert [str(date) for date in source.info.dates] == list(DATES)
        assert source.info.bands == BANDS
        assert source.info.geobox.crs.epsg == 32631
        assert np.allclose(tuple(source.info.geobox.affine), tuple(TRANSFORM))
        pixels = source.read()
        assert source.no_data_fractions[1] == pytest.approx(12 / (HEIGHT * WIDTH))
    clear = dn != 65535
    assert np.allclose(pixels.s2.pixels[clear], dn[clear] * 1e-4, atol=1e-7)
    assert not pixels.s2.observed[1, 3:5, 3:9].any()


NAMES = {
    **dict.fromkeys(
        ("B02", "b2", "s2_B02", "S2-L2A-B02", "SENTINEL2_L2A_B02", "B02_10m", "boa_b02", "blue"), ("S2", "B02")
    ),
    **dict.fromkeys(("B8A", "b8a", "S2_B8A_20m", "nir08"), ("S2", "B8A")),
    **dict.fromkeys(("VV", "vv", "S1-SIGMA0-VV", "s1_vv", "sigma0_VV_db", "Gamma0_VV", "VV_asc"), ("S1", "VV")),
    **dict.fromkeys(("SCL", "scl", "S2-L2A-SCL", "s2_SCL", "SCL_20m"), ("SCL", "SCL")),
    "s2_dlmask": ("MASK", "S2_DLMASK"),
    "cloud_mask": ("MASK", "CLOUD_MASK"),
    **dict.fromkeys(
        ("B13", "B00", "qa_B02", "mask_B02", "VV_VH", "vv_vh_ratio", "angle", "AOT", "ndvi", "2", "B" * 99)
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_of_bands_are_told_from_others(name):
    assert meaning(name) == NAMES[name]


def test_radar_that_openeo_codes_is_decibels(tmp_path):
    db = s1_db()
    code = np.rint(10 ** ((db + 83) / 20)).astype(np.uint16)
    code[0, :, :2] = 0
    s1 = cube({"S1-SIGMA0-VV": coded(code[:, 0]), "S1-SIGMA0-VH": coded(code[:, 1])})
    for name in ("S1-SIGMA0-VV", "S1-SIGMA0-VH"):
        s1[name].attrs["_Unsigned"] = "true"
    to_netcdf(s1, tmp_path / "in" / "sentinel1.nc")
    to_netcdf(openeo(s2_dn()), tmp_path / "in" / "sentinel2.nc")
    with open_sequence(tmp_path / "in") as source:
        assert source.info.s1_bands == ("VV", "VH")
        assert any("20 log10(value) - 83" in words for words in source.info.warnings)
        observations = source.read()
    assert np.abs(observations.s1.pixels - db)[observations.s1.observed[:, None].repeat(2, 1)].max() < 0.02
    assert not observations.s1.observed[0, :2].any()


def test_linear_radar_of_a_plain_back_end_is_power(tmp_path):
    power = to_linear(s1_db()).astype(np.float32)
    radar = cube({"VV": power[:, 0], "VH": power[:, 1]})
    path = to_netcdf(openeo(s2_dn()).assign(VV=radar.VV, VH=radar.VH), tmp_path / "cube.nc")
    with open_sequence(path) as source:
        assert source.info.s1_units == "linear (from the values)"
        assert np.allclose(source.read().s1.pixels, s1_db(), atol=1e-3)


def earth_engine(dn, times):
    made = cube(
        {band: dn[:, index] for index, band in enumerate(BANDS)}, times=times, time="timestamp", crs="spatial_ref"
    )
    for band in BANDS:
        made[band].attrs |= {"scale_factor": 0.0001, "_FillValue": np.uint16(0)}
    return made


def test_two_acquisitions_of_a_day_become_one_and_it_is_said(tmp_path):
    hours = np.array([f"{date}T08:00:55" for date in DATES[:3]] + [f"{DATES[1]}T08:01:20"], dtype="datetime64[ns]")
    dn = s2_dn(4)
    dn[1, :, :, :10] = 0
    dn[3, :, :, 20:] = 0
    path = to_netcdf(earth_engine(dn, hours), tmp_path / "export.nc")
    with open_contents(path) as contents:
        assert [str(raster.header.date) for raster in contents.s2] == list(DATES[:3])
        assert {raster.header.scales for raster in contents.s2} == {(0.0001,) * 4}
        second = contents.s2[1].read(WHOLE)
        assert any("put together" in words and DATES[1] in words for words in contents.warnings)
    assert np.array_equal(second[:, :, :10], dn[3, :, :, :10])
    assert np.array_equal(second[:, :, 10:], dn[1, :, :, 10:])


@pytest.mark.parametrize("names", [BANDS, ("blue", "green", "red", "nir"), ("B2", "B3", "B4", "B8"), tuple("abcd")])
def test_one_variable_with_a_coordinate_of_bands(tmp_path, names):
    dn = s2_dn()
    path = to_netcdf(stacked(dn, names), tmp_path / "cube.nc")
    if names[0] == "a":
        with pytest.raises(MissingDataError, match=r"cube\.nc: no variable is called after a band .* it holds stack"):
            open_sequence(path)
        return
    assert np.array_equal(values_of(path), dn)
    with open_sequence(path) as source:
        assert source.info.bands == BANDS


def test_a_cube_of_ours_is_read_with_its_masks_and_without_its_uncertainty(tmp_path):
    dn, masks = s2_dn(), np.zeros((5, HEIGHT, WIDTH), dtype=np.uint8)
    masks[2, :9] = 1
    made = stacked(dn, name="reflectance")
    made["reflectance"].attrs |= {"scale_factor": 1e-4}
    made["uncertainty"] = (made.reflectance.dims, np.full(dn.shape, 0.01, dtype=np.float32), {"grid_mapping": "crs"})
    made["cloud_mask"] = (("time", "y", "x"), masks, {"grid_mapping": "crs"})
    with open_sequence(to_netcdf(made, tmp_path / "cube.nc")) as source:
        assert source.info.bands == BANDS
        assert source.info.mask_source == "user"
        assert source.cloud_fractions.tolist() == [0, 0, 9 / HEIGHT, 0, 0]


def minicube():
    """EarthNet: every day of which one in five has data, degrees, reflectance with NaN, a mask of five classes."""
    days = np.datetime64("2020-08-01", "ns") + np.arange(20) * np.timedelta64(1, "D")
    values = np.full((20, 4, HEIGHT, WIDTH), np.nan, dtype=np.float32)
    values[4::5] = s2_dn(4) * 1e-4
    classes = np.full((20, HEIGHT, WIDTH), np.nan, dtype=np.float32)
    classes[4::5] = 0
    classes[9, :5], classes[9, 5:8], classes[9, 8] = 1, 3, 4
    names = {f"s2_{band}": values[:, index] for index, band in enumerate(BANDS)}
    lat, lon = 50.0 - 2e-4 * np.arange(HEIGHT), 5.0 + 3e-4 * np.arange(WIDTH)
    made = cube({**names, "s2_dlmask": classes, "s2_mask": classes * 0}, times=days, time="time", crs=None)
    return made.rename(y="lat", x="lon").assign_coords(lat=lat, lon=lon), days[4::5], values[4::5]


def test_a_minicube_of_earthnet_loses_its_empty_days_and_keeps_its_mask(tmp_path):
    made, days, values = minicube()
    with open_sequence(to_netcdf(made, tmp_path / "minicube.nc", chunksizes=(20, 8, 8), zlib=True)) as source:
        assert np.array_equal(source.info.dates, days.astype("datetime64[D]"))
        assert source.info.geobox.crs.epsg == 4326
        assert source.info.warnings[0] == "minicube.nc: 16 of 20 dates of S2 hold no data and are left out"
        assert source.info.mask_source == "user"
        assert source.cloud_fractions.tolist() == [0, 9 / HEIGHT, 0, 0]
        assert np.allclose(source.read().s2.pixels, values)


def test_radar_on_other_days_of_the_same_axis_is_told_apart(tmp_path):
    s2, s1 = s2_dn().astype(np.float32), s1_db()
    s2[1::2], s1[::2] = np.nan, np.nan
    bands = {band: s2[:, index] for index, band in enumerate(BANDS)}
    path = to_netcdf(cube({**bands, "VV": s1[:, 0], "VH": s1[:, 1]}), tmp_path / "merged.nc")
    with open_sequence(path) as source:
        assert [str(date) for date in source.info.dates] == [DATES[0], DATES[2], DATES[4]]
        assert [str(date) for date in source.info.s1_acquisitions] == [DATES[1], DATES[3]]
        assert any("digital numbers as floating point" in words for words in source.info.warnings)
        assert np.allclose(source.read().s2.pixels, s2_dn()[::2] * 1e-4, atol=1e-6)


@pytest.mark.parametrize("flip", [(1, 1), (-1, 1), (1, -1), (-1, -1)])
@pytest.mark.parametrize("turned", [False, True])
def test_rows_and_columns_are_put_in_order(tmp_path, flip, turned):
    made = stacked(s2_dn()).isel(y=slice(None, None, flip[0]), x=slice(None, None, flip[1]))
    if turned:
        made = made.transpose("band", "x", "time", "y", ...)
    path = to_netcdf(made, tmp_path / "cube.nc", chunksizes=(3, 7, 2, 5) if turned else (2, 3, 5, 7))
    assert np.array_equal(values_of(path), s2_dn())
    with open_contents(path) as contents:
        assert np.allclose(tuple(contents.s2[0].header.geobox.affine), tuple(TRANSFORM))
    assert np.array_equal(values_of(path, window=Window(3, 20, 5, 31)), s2_dn()[:, :, 3:20, 5:31])


STORED = [
    {},
    {"chunksizes": (1, 24, 32), "zlib": True},
    {"chunksizes": (5, 7, 9), "zlib": True, "shuffle": True, "fletcher32": True},
    {"chunksizes": (2, 5, 32), "compression": "lzf"},
    {"chunksizes": (2, 5, 32), "compression": "lzf", "shuffle": True},
    {"chunksizes": (3, 16, 16)},
]


@pytest.mark.parametrize("encoding", STORED)
@pytest.mark.parametrize("small", [0, 2**20])
def test_a_window_is_the_crop_of_the_whole_however_it_is_stored(tmp_path, monkeypatch, encoding, small):
    monkeypatch.setattr(arrays, "_SMALL_BYTES", small)
    path, dn = to_netcdf(openeo(s2_dn()), tmp_path / "cube.nc", **encoding), s2_dn()
    rng = np.random.default_rng(0)
    with open_contents(path) as contents:
        for _ in range(20):
            row, column = int(rng.integers(HEIGHT)), int(rng.integers(WIDTH))
            window = Window(row, int(rng.integers(row, HEIGHT)) + 1, column, int(rng.integers(column, WIDTH)) + 1)
            index = int(rng.integers(5))
            assert np.array_equal(contents.s2[index].read(window), dn[index][:, *window.slices])


def test_no_more_is_decoded_than_a_window_needs_and_that_once_for_all_dates(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "_SMALL_BYTES", 0)
    path, loaded = to_netcdf(openeo(s2_dn()), tmp_path / "cube.nc", chunksizes=(5, 8, 8), zlib=True), []
    with open_contents(path) as contents:
        for plane in contents.s2[0].planes:
            load = plane.array.load
            object.__setattr__(plane.array, "load", lambda region, load=load: loaded.append(region) or load(region))
        for raster in contents.s2:
            raster.read(Window(2, 6, 10, 20))
    assert len(loaded) == 4 * 2  # a chunk of all dates, for each band: columns 8 to 15 and 16 to 23


@pytest.mark.parametrize(
    ("times", "units"),
    [
        (np.array([0, 10, 20, 30, 40]), "days since 2020-08-01"),
        (np.array([0, 10, 20, 30, 40]) * 24.0 + 23.999, "hours since 2020-08-01T00:00:00Z"),
        (np.array([0, 10, 20, 30, 40]) * 86_400 + 5, "seconds since 2020-08-01 10:20:30.5"),
        (np.array([0, 10, 20, 30, 40]) * 1440, "minutes since 2020-8-1 0:0:0 +00:00"),
        (DAYS.astype(np.int64), None),
        (DAYS.astype(np.int64) // 10**9, None),
        (np.array([int(date.replace("-", "")) for date in DATES]), None),
        (np.array([f"{date}T10:20:30Z" for date in DATES], dtype=object), None),
    ],
)
def test_times_are_days_whatever_they_are_counted_in(tmp_path, times, units):
    made = openeo(s2_dn()).drop_vars("t").assign_coords(t=times)
    if units:
        made.t.attrs["units"] = units
    with open_contents(to_netcdf(made, tmp_path / "cube.nc")) as contents:
        assert [str(raster.header.date) for raster in contents.s2] == list(DATES)


@pytest.mark.parametrize(
    ("times", "attributes", "words"),
    [
        ([0, 1, 2, 3, 4], {}, "has no units, and its values (to 4) are no dates"),
        ([0, 1, 2, 3, 4], {"units": "days since 2020-02-31"}, "begin on no day"),
        ([0, 1, 2, 3, 4], {"units": "months since 2020-01-01"}, "are no dates of satellites"),
        ([0, 1, 2, 3, 4], {"units": "days since 2020-01-01", "calendar": "360_day"}, "calendar '360_day'"),
        ([0, 1, 2, 3, 4], {"units": "days since 1850-01-01"}, "date 0 of 5 is 1850-01-01, when no Sentinel flew"),
        ([0.0, np.nan, 2, 3, 4], {"units": "days since 2020-01-01"}, "date 1 of 5 is missing"),
        ([0.0, 1e300, 2, 3, 4], {"units": "days since 2020-01-01"}, "date 1 of 5 is missing"),
    ],
)
def test_times_that_are_none_are_refused_in_a_line(tmp_path, times, attributes, words):
    made = openeo(s2_dn()).drop_vars("t").assign_coords(t=np.array(times))
    made.t.attrs |= attributes
    with pytest.raises(InputError) as raised:
        open_sequence(to_netcdf(made, tmp_path / "cube.nc"))
    assert words in str(raised.value)
    assert str(raised.value).startswith("cube.nc, t: ")


def test_a_date_each_in_a_file_each_is_in_the_name(tmp_path):
    dn = s2_dn()
    for index, date in enumerate(DATES):
        made = openeo(dn).isel(t=index).drop_vars("t")
        to_netcdf(made, tmp_path / "in" / "S2" / f"S2_{date}.nc")
    assert np.array_equal(values_of(tmp_path / "in"), dn)
    assert np.array_equal(values_of(pack_all(tmp_path / "in", tmp_path / "in.zip", "wrapped/")), dn)


@pytest.mark.parametrize(
    ("attributes", "scalar"),
    [
        ({"crs": "+init=epsg:32631"}, None),
        ({"crs": "EPSG:32631"}, None),
        ({"epsg": np.int64(32631)}, None),
        ({}, ("epsg", 32631)),
        ({}, ("spatial_ref", 32631)),
        ({"crs": "+proj=utm +zone=31 +datum=WGS84 +units=m"}, None),
    ],
)
def test_a_crs_is_found_where_writers_put_it(tmp_path, attributes, scalar):
    made = openeo(s2_dn()).drop_vars("crs")
    for band in BANDS:
        del made[band].attrs["grid_mapping"]
    made.attrs |= attributes
    if scalar:
        made = made.assign({scalar[0]: scalar[1]})
    with (
        open_contents(to_netcdf(made, tmp_path / "cube.nc")) as contents,
        open_contents(to_netcdf(openeo(s2_dn()), tmp_path / "other.nc")) as other,
    ):
        assert same_grid(contents.s2[0].header.geobox, other.s2[0].header.geobox)


def test_a_geotransform_stands_in_for_coordinates(tmp_path):
    made = openeo(s2_dn()).drop_vars(["x", "y"])
    made.crs.attrs["GeoTransform"] = "600000 10 0 5600000 0 -10"
    with open_contents(to_netcdf(made, tmp_path / "cube.nc")) as contents:
        assert contents.s2[0].header.geobox.affine == TRANSFORM
    del made.crs.attrs["GeoTransform"]
    with pytest.raises(
        MisalignedGridsError, match=r"cube\.nc, B02: has no position: neither coordinates y and x nor a"
    ):
        open_sequence(to_netcdf(made, tmp_path / "cube.nc"))


def test_a_missing_library_is_named_with_the_extra_that_brings_it(tmp_path, monkeypatch):
    path = to_netcdf(openeo(s2_dn()), tmp_path / "cube.nc")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"needs h5py, .*decloud\[cubes\]"):
        open_sequence(path)


def test_metres_without_a_crs_are_refused_with_the_remedy(tmp_path):
    made = openeo(s2_dn()).drop_vars("crs")
    with pytest.raises(MisalignedGridsError, match=r"^cube\.nc, B02: has no CRS; .*rio\.write_crs"):
        open_sequence(to_netcdf(made, tmp_path / "cube.nc"))


@pytest.mark.parametrize(
    ("axis", "values", "words"),
    [
        ("x", X + 0.05 * np.arange(WIDTH) ** 2, "coordinates x are irregular"),
        ("y", np.where(np.arange(HEIGHT) == 3, Y + 5, Y), "coordinates y are irregular"),
        ("y", Y * 0, "coordinates y are irregular"),
        ("x", np.where(np.arange(WIDTH) == 3, np.nan, X), "coordinates x are irregular"),
    ],
)
def test_irregular_grids_are_refused_in_a_line(tmp_path, axis, values, words):
    made = openeo(s2_dn()).assign_coords({axis: values})
    with pytest.raises(MisalignedGridsError, match=words):
        open_sequence(to_netcdf(made, tmp_path / "cube.nc"))


def test_a_band_that_is_there_twice_is_refused(tmp_path):
    made = openeo(s2_dn())
    made["S2-L2A-B02"] = made.B02
    with pytest.raises(InputError, match="band B02 is there twice, in B02 and S2-L2A-B02; leave one out"):
        open_sequence(to_netcdf(made, tmp_path / "cube.nc"))


def test_scene_classes_come_along_whatever_they_fill_with(tmp_path):
    classes = np.random.default_rng(4).choice([4, 5, 9], (5, HEIGHT, WIDTH)).astype(np.uint16)
    classes[0, 0, :3] = 65535
    made = openeo(s2_dn(), SCL=coded(classes))
    made.SCL.attrs["_Unsigned"] = "true"
    with open_sequence(to_netcdf(made, tmp_path / "cube.nc")) as source:
        assert source.info.mask_source == "scl"
        assert source.cloud_fractions[0] == pytest.approx(((classes[0] == 9) | (classes[0] > 11)).mean())


def test_an_offset_that_is_stated_is_applied_once(tmp_path):
    made = openeo(s2_dn() + np.uint16(1000))
    for band in BANDS:
        made[band].attrs |= {"scale_factor": 1e-4, "add_offset": -0.1}
    observations = read_sequence(to_netcdf(made, tmp_path / "cube.nc"))
    assert np.allclose(observations.s2.pixels, s2_dn() * 1e-4, atol=1e-6)


def test_the_fingerprint_is_that_of_the_bytes(tmp_path):
    one = to_netcdf(openeo(s2_dn()), tmp_path / "a" / "cube.nc")
    with open_contents(one) as first, open_contents(pack_all(tmp_path / "a", tmp_path / "a.zip")) as packed:
        assert first.fingerprint == packed.fingerprint
    to_netcdf(openeo(s2_dn(seed=3)), tmp_path / "b" / "cube.nc")
    with open_contents(tmp_path / "b") as other:
        assert other.fingerprint != first.fingerprint


def test_many_files_need_few_handles(tmp_path):
    for index, date in enumerate(DATES * 5):
        day = np.datetime64(date) + np.timedelta64(index // 5 * 60, "D")
        to_netcdf(openeo(s2_dn()).isel(t=index % 5).drop_vars("t"), tmp_path / f"{day}.nc")
    with open_contents(tmp_path) as contents:
        assert len(contents.s2) == 25
        assert len(h5py.h5f.get_obj_ids(types=h5py.h5f.OBJ_FILE)) <= 16
        for raster, index in product(contents.s2[::6], range(2)):
            assert raster.read(WHOLE).shape == (4, HEIGHT, WIDTH), index
    assert not h5py.h5f.get_obj_ids(types=h5py.h5f.OBJ_FILE)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"CDF\x01" + bytes(100), "is classic NetCDF \\(3\\), which is not read; make NetCDF 4 of it: nccopy"),
        (b"", "is empty"),
        (b"hello, world", "is no NetCDF 4"),
        (b"\x89HDF\r\n\x1a\n" + bytes(500), "the file is corrupt or truncated"),
    ],
)
def test_what_is_no_netcdf_4_is_refused_in_a_line(tmp_path, content, words):
    (tmp_path / "cube.nc").write_bytes(content)
    with pytest.raises(UnreadableFileError, match=rf"^cube\.nc: {words}"):
        open_sequence(tmp_path / "cube.nc")


def test_damage_ends_in_one_line_wherever_it_is(tmp_path):
    path = to_netcdf(openeo(s2_dn()), tmp_path / "cube.nc", chunksizes=(5, 8, 8), zlib=True, shuffle=True)
    lines = refusals_of_damage(path, more_each_time=1, cut=lambda time: time % 3 * 1000)
    assert len(lines) > 20
    assert not any("\n" in line for line in lines)


REAL = {
    "april-netcdf": ((12, 4, 66, 64), 10, ("B01", "B04", "B08", "B11")),
    "formats/openeo/s2_puglia_laea.nc": ((19, 3, 75, 140), 0, ("B02", "B03", "B04")),
    "formats/gee": ((134, 6, 32, 32), 60, ("B05", "B06", "B07", "B8A", "B11", "B12")),
}


@pytest.mark.parametrize("name", REAL)
def test_real_cubes_are_read_without_a_flag(tmp_path, shared_data, name):
    path, (shape, radar, bands) = shared_data / name, REAL[name]
    if name == "formats/gee":  # a GeoTIFF lies beside
        for file in path.glob("*.nc"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
        path = tmp_path
    with open_sequence(path) as source:
        assert source.info.shape == shape
        assert len(source.info.s1_acquisitions) == radar
        assert source.info.bands == bands
        pixels = source.read()
    assert (
        0.01 < np.median(pixels.s2.pixels[pixels.s2.observed.nonzero()[0], :, *pixels.s2.observed.nonzero()[1:]]) < 0.5
    )
    if radar:
        assert -25 < np.median(pixels.s1.pixels[pixels.s1.pixels != 0]) < 0


def test_a_remark_on_many_dates_of_a_cube_names_the_file_once(tmp_path):
    """Two cubes of a year that store alike but for the scale."""
    for name, part, scale in (("a.nc", slice(0, 2), 1e-4), ("b.nc", slice(2, 5), 2e-4)):
        made = cube({band: s2_dn()[part, index] for index, band in enumerate(BANDS)}, times=DAYS[part])
        for band in BANDS:
            made[band].attrs |= {"scale_factor": scale, "add_offset": 0.0}
        to_netcdf(made, tmp_path / "in" / name)
    with open_sequence(tmp_path / "in") as source:
        (said,) = [words for words in source.info.warnings if "differ from" in words]
    assert said.startswith("b.nc (3 dates): scale, offset or no-data value differ from a.nc of 2020-08-01,")
