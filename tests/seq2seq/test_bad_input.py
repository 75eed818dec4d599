"""Every way in which an input can be unusable ends in one line that names the file, and before anything is written."""

import re

import numpy as np
import pytest
from rasterio.transform import from_origin
from sequence_files import BANDS, DATES, HEIGHT, WIDTH, s1_db, s2_dn, write_sequence, write_tif

from seq2seq import errors
from seq2seq.config import ReconstructionConfig
from seq2seq.radiometry import to_linear
from seq2seq.readers import open_sequence

SECOND = f"S2/{DATES[1]}.tif"


@pytest.fixture
def root(tmp_path):
    return write_sequence(tmp_path / "input", s1=s1_db(), masks=np.zeros((len(DATES), HEIGHT, WIDTH)))


def refused(path, error, *words, config=None):
    """The one-line message, after checking that it holds every word, and that the error carries what it names."""
    with pytest.raises(errors.InputError) as caught:
        open_sequence(path, config or ReconstructionConfig())
    message, places = str(caught.value), caught.value.places
    files = {file.relative_to(path).as_posix() for file in path.glob("*/*")} if path.is_dir() else set()
    assert {place.file for place in places if place.file} == {name for name in files if name in message}
    assert all(place.date in place.file for place in places if place.file and place.file[3:13] in DATES)
    for fact in ("band", "row", "column"):
        stated = re.findall(rf"\b{fact} (\w+)", message)
        assert [str(value) for value in {getattr(place, fact) for place in places} - {None}] == stated[:1], message
    assert type(caught.value) is error, message
    assert "\n" not in message
    missing = [word for word in words if word not in message]
    assert not missing, message
    return message


def rewrite(root, pixels=None, *, name=SECOND, **profile):
    profile = {"bands": BANDS, "nodata": 0} | profile
    return write_tif(root / name, s2_dn()[1] if pixels is None else pixels, **profile)


def test_a_path_that_does_not_exist(tmp_path):
    refused(tmp_path / "nowhere", errors.MissingDataError, "nowhere", "does not exist")


def test_a_file_of_no_known_format(tmp_path):
    (tmp_path / "input.txt").write_text("hello")
    refused(tmp_path / "input.txt", errors.UnreadableFileError, "input.txt", "ZIP")


def test_no_s2_folder(root):
    for path in (root / "S2").iterdir():
        path.unlink()
    (root / "S2").rename(root / "optical")
    refused(root, errors.MissingDataError, "has no folder S2", "optical")


def test_an_s2_folder_without_images(root):
    for path in (root / "S2").iterdir():
        path.rename(path.with_suffix(".jpg"))
    refused(root, errors.MissingDataError, "no GeoTIFF in a folder S2")


def test_a_single_date(tmp_path):
    refused(write_sequence(tmp_path, dates=DATES[:1]), errors.MissingDataError, f"S2/{DATES[0]}.tif", "at least 2")


@pytest.mark.parametrize("name", ["scene.tif", "20209999.tif", "12020-08-01.tif"])
def test_a_name_without_a_date(root, name):
    (root / SECOND).rename(root / "S2" / name)
    refused(root, errors.InputError, f"S2/{name}", "no date", "YYYY-MM-DD")


def test_a_name_with_two_dates(root):
    (root / SECOND).rename(root / "S2" / "mean_20200801_20200811.tif")
    refused(root, errors.InputError, "2020-08-01, 2020-08-11")


@pytest.mark.parametrize("sensor", ["S2", "S1", "MASK"])
def test_two_files_of_one_date(root, sensor):
    (root / sensor / f"{DATES[1]}.tif").rename(root / sensor / "20200801_b.tif")
    refused(root, errors.DuplicateDatesError, f"{sensor}/2020-08-01.tif", f"{sensor}/20200801_b.tif", "2020-08-01")


def test_an_empty_file(root):
    (root / SECOND).write_bytes(b"")
    refused(root, errors.UnreadableFileError, SECOND, "0 bytes")


def test_a_file_that_is_no_tiff(root):
    (root / SECOND).write_bytes(b"\x89PNG....")
    refused(root, errors.UnreadableFileError, SECOND, "not a TIFF")


@pytest.mark.parametrize("sensor", ["S2", "S1", "MASK"])
@pytest.mark.parametrize("compress", ["deflate", "none"])
@pytest.mark.parametrize("keep", [0.02, 0.5, 0.95])
def test_a_truncated_file(root, sensor, compress, keep):
    name = f"{sensor}/{DATES[1]}.tif"
    pixels = {"S2": s2_dn()[1], "S1": s1_db()[1], "MASK": np.random.default_rng(0).integers(0, 2, (1, HEIGHT, WIDTH))}
    dtype = np.uint8 if sensor == "MASK" else pixels[sensor].dtype
    bands = {"S2": BANDS, "S1": ("VV", "VH"), "MASK": None}[sensor]
    path = write_tif(root / name, pixels[sensor].astype(dtype), bands=bands, compress=compress)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    refused(root, errors.UnreadableFileError, name, "truncated")


def test_another_size(root):
    rewrite(root, s2_dn(height=20)[1])
    refused(root, errors.MisalignedGridsError, DATES[0], SECOND, "32 x 24", "32 x 20")


def test_another_place(root):
    rewrite(root, transform=from_origin(600_010, 5_600_000, 10, 10))
    refused(root, errors.MisalignedGridsError, DATES[0], SECOND, "(600000, 5600000)", "(600010, 5600000)")


def test_another_crs(root):
    rewrite(root, crs="EPSG:32632")
    refused(root, errors.MisalignedGridsError, DATES[0], SECOND, "EPSG:32631", "EPSG:32632")


def test_no_crs(root):
    rewrite(root, crs=None)
    refused(root, errors.MisalignedGridsError, SECOND, "no CRS")


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
def test_no_position(root):
    rewrite(root, transform=None)
    refused(root, errors.MisalignedGridsError, SECOND, "no position")


def test_s1_somewhere_else(root):
    name = f"S1/{DATES[1]}.tif"
    rewrite(root, s1_db()[1], name=name, bands=("VV", "VH"), transform=from_origin(700_000, 5_600_000, 10, 10))
    refused(root, errors.MisalignedGridsError, name, "does not overlap", "(700000, 5600000)", "(600000, 5600000)")


def test_s1_on_the_other_side_of_the_globe(root):
    name = f"S1/{DATES[1]}.tif"
    rewrite(root, s1_db()[1], name=name, bands=("VV", "VH"), crs="EPSG:32701")
    refused(root, errors.MisalignedGridsError, name, "does not overlap")


def test_a_mask_on_another_grid(root):
    name = f"MASK/{DATES[1]}.tif"
    rewrite(root, np.zeros((1, HEIGHT, 30), np.uint8), name=name, bands=None)
    refused(root, errors.MisalignedGridsError, name, "32 x 24", "30 x 24")


def test_a_mask_of_another_dtype_or_with_more_bands(root):
    name = f"MASK/{DATES[1]}.tif"
    rewrite(root, np.zeros((1, HEIGHT, WIDTH), np.float32), name=name, bands=None)
    refused(root, errors.InvalidPixelsError, name, "float32")
    rewrite(root, np.zeros((2, HEIGHT, WIDTH), np.uint8), name=name, bands=None)
    refused(root, errors.UnknownBandsError, name, "this has 2")


def test_masks_that_are_demanded_and_missing(root):
    (root / "MASK" / f"{DATES[1]}.tif").unlink()
    config = ReconstructionConfig(cloud_detector="user")
    refused(root, errors.MissingDataError, "MASK lacks 2020-08-11", config=config)


def test_a_detector_that_the_bands_do_not_allow(root):
    with pytest.raises(errors.ConfigError, match="s2cloudless needs B01"):
        open_sequence(root, ReconstructionConfig(cloud_detector="s2cloudless"))


def test_unknown_bands(root):
    rewrite(root, bands=("B02", "B03", "B04", "SCL"))
    refused(root, errors.UnknownBandsError, SECOND, "band 4", "'SCL'")


def test_a_band_without_a_name_among_named_ones(root):
    rewrite(root, bands=("B02", "B03", "", "B08"))
    refused(root, errors.UnknownBandsError, SECOND, "band 3")


def test_a_band_twice(root):
    rewrite(root, bands=("B02", "B03", "b3", "B08"))
    refused(root, errors.UnknownBandsError, SECOND, "B03", "more than once")


def test_an_unknown_number_of_bands(tmp_path):
    root = write_sequence(tmp_path, s2=s2_dn(bands=9), bands=None)
    refused(root, errors.UnknownBandsError, f"S2/{DATES[0]}.tif", "9 bands", "4, 10, 12, 13")


def test_other_bands_on_another_date(root):
    rewrite(root, bands=("B02", "B03", "B04", "B8A"))
    refused(root, errors.UnknownBandsError, DATES[0], SECOND, "B08", "B8A")


def test_unknown_polarisations(root):
    name = f"S1/{DATES[0]}.tif"
    rewrite(root, s1_db()[1], name=name, bands=("VV", "angle"))
    refused(root, errors.UnknownBandsError, name, "band 2", "'angle'")


def test_everything_under_cloud(tmp_path):
    root = write_sequence(tmp_path, masks=np.ones((len(DATES), HEIGHT, WIDTH)))
    refused(root, errors.MissingDataError, "2020-08-01 to 2020-09-10", "no clear pixel", "user")


def test_nothing_but_no_data(tmp_path):
    refused(
        write_sequence(tmp_path, s2=np.zeros_like(s2_dn())), errors.MissingDataError, DATES[0], "no S2 pixel holds data"
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_in_s2(tmp_path, value):
    s2 = (s2_dn() * 1e-4).astype(np.float32)
    s2[1, 2, 7, 9] = value
    root = write_sequence(tmp_path, s2=s2, nodata=None)
    refused(root, errors.InvalidPixelsError, SECOND, "band B04", "row 7", "column 9", f"value {value}")


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinity_in_s1(tmp_path, value):
    s1 = s1_db()
    s1[1, 1, 7, 9] = value
    root = write_sequence(tmp_path, s1=s1)
    refused(root, errors.InvalidPixelsError, f"S1/{DATES[1]}.tif", "band VH", "row 7", "column 9")


def test_an_undeclared_no_data_value_in_s1(tmp_path):
    s1 = s1_db()
    s1[1, :, :2] = -9999
    root = write_sequence(tmp_path, s1=s1)
    refused(root, errors.InvalidPixelsError, f"S1/{DATES[1]}.tif", "band VV", "-9999", "-100 to 60 dB")


def test_an_undeclared_no_data_value_in_s2(tmp_path):
    s2 = s2_dn().astype(np.int16)
    s2[1, :, 3, 4] = -9999
    root = write_sequence(tmp_path, s2=s2, nodata=None)
    refused(root, errors.InvalidPixelsError, SECOND, "band B02", "row 3", "column 4", "-9999", "declare")


def test_a_constant_band(tmp_path):
    s2 = s2_dn()
    s2[:, 2] = 777
    refused(write_sequence(tmp_path, s2=s2), errors.InvalidPixelsError, "B04", "777", "5 dates")


@pytest.mark.parametrize("dtype", ["int8", "uint8", "complex64"])
def test_a_dtype_that_holds_no_reflectance(tmp_path, dtype):
    root = write_sequence(tmp_path, s2=(s2_dn() % 100).astype(dtype), nodata=None)
    refused(root, errors.InvalidPixelsError, f"S2/{DATES[0]}.tif", dtype)


def test_mixed_dtypes(root):
    rewrite(root, s2_dn()[1].astype(np.int16))
    refused(root, errors.InvalidPixelsError, DATES[0], "uint16", SECOND, "int16")


def test_digital_numbers_as_floats_without_a_scale(tmp_path):
    root = write_sequence(tmp_path, s2=s2_dn().astype(np.float32))
    refused(root, errors.InvalidPixelsError, "S2/2020-", "averages reflectance", "0.0001")


def test_reflectance_cast_to_integers(tmp_path):
    root = write_sequence(tmp_path, s2=s2_dn() % 2)
    refused(root, errors.InvalidPixelsError, "the largest value is 1", "reflectance x 10000")


def test_a_complex_s1(root):
    name = f"S1/{DATES[1]}.tif"
    rewrite(root, s1_db()[1].astype(np.complex64), name=name, bands=("VV", "VH"))
    refused(root, errors.InvalidPixelsError, name, "complex64")


def test_s1_as_uncalibrated_amplitude(tmp_path):
    refused(write_sequence(tmp_path, s1=s1_db() + 300), errors.InvalidPixelsError, f"S1/{DATES[0]}.tif", "calibrate")


def test_s1_in_db_on_some_dates_and_in_power_on_others(tmp_path):
    s1 = s1_db()
    s1[3] = to_linear(s1[3])
    root = write_sequence(tmp_path, s1=s1)
    refused(root, errors.InvalidPixelsError, f"S1/{DATES[0]}.tif", "db", f"S1/{DATES[3]}.tif", "linear")
