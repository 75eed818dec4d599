"""What is not read yet is refused in words that say what would work today."""

import zipfile

import pytest
from rasterio.transform import from_origin
from sequence_files import DATES, s2_dn, write_sequence, write_tif

from seq2seq.errors import MisalignedGridsError, UnreadableFileError
from seq2seq.readers import open_sequence
from seq2seq.report.inspection import describe_input

TODAY = r"write one GeoTIFF a date, S2/2020-08-01\.tif, its bands described as B02, B03"
SAFE = "S2A_MSIL2A_20221005T115411_N0400_R023_T29UNU_20221005T164454.SAFE"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("MOD09.hdf", b"\x0e\x03\x13\x01", "HDF is not read yet"),
    ],
)
def test_a_file_of_another_format(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableFileError, match=f"{words}; {TODAY}"):
        open_sequence(tmp_path / name)


@pytest.mark.parametrize(
    ("folder", "inside", "words"),
    [("fields", "S2/2020-08-01.h5", "HDF is not read yet"), ("downloads", "MOD09.hdf", "HDF is not read yet")],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_or_a_zip_of_another_format(tmp_path, folder, inside, words, packed):
    path = tmp_path / folder / inside
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    given = tmp_path / folder
    if packed:
        given = tmp_path / "upload.zip"
        with zipfile.ZipFile(given, "w") as archive:
            archive.writestr(f"{folder}/{inside}", b"x")
    with pytest.raises(UnreadableFileError, match=f"{words}; {TODAY}"):
        open_sequence(given)


@pytest.mark.parametrize(("name", "content"), [("image", b"\0\0\0\x0cjP  \r\n")])
def test_an_image_of_jpeg_2000_by_itself_is_no_sequence(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableFileError, match=rf"{name}: a JPEG 2000 image by itself is no sequence"):
        open_sequence(tmp_path / name)


def test_a_bare_codestream_is_refused_in_words(tmp_path):
    (tmp_path / "image").write_bytes(b"\xff\x4f\xff\x51\0\0\0\0")
    with pytest.raises(UnreadableFileError, match="a bare codestream of JPEG 2000 has no position"):
        open_sequence(tmp_path / "image")


@pytest.mark.parametrize(("folder", "inside"), [(SAFE, "GRANULE/x"), ("downloads", f"{SAFE}/manifest.safe")])
@pytest.mark.parametrize("packed", [False, True])
def test_a_product_of_which_nothing_is_there(tmp_path, folder, inside, packed):
    path = tmp_path / folder / inside
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    given = tmp_path / folder
    if packed:
        given = tmp_path / "upload.zip"
        with zipfile.ZipFile(given, "w") as archive:
            archive.writestr(f"{folder}/{inside}", b"x")
    with pytest.raises(UnreadableFileError, match="a SAFE product without its images and metadata; download it whole"):
        open_sequence(given)


@pytest.mark.parametrize("content", [b"CDF\x05 and so on", b"\x89HDF\r\n\x1a\n"])
def test_netcdf_without_its_name_is_told_how_to_be_called(tmp_path, content):
    (tmp_path / "download").write_bytes(content)
    with pytest.raises(UnreadableFileError, match=r"may be NetCDF, which is read where its name ends in \.nc"):
        open_sequence(tmp_path / "download")


def test_a_radar_product_is_sent_to_those_who_correct_terrain(tmp_path):
    (tmp_path / "S1A_IW_GRDH_1SDV_20210809T173953.SAFE").mkdir()
    with pytest.raises(UnreadableFileError, match="neither calibrated nor terrain-corrected"):
        open_sequence(tmp_path / "S1A_IW_GRDH_1SDV_20210809T173953.SAFE")


def test_real_products_are_refused_in_words(shared_data):
    safe = shared_data / "formats" / "safe"
    for path in sorted(safe.glob("S1*.zip")):
        with pytest.raises(UnreadableFileError, match=r"is (?:not|neither)"):
            open_sequence(path)


def test_degrees_are_called_degrees(tmp_path):
    place = {"crs": "EPSG:4326", "transform": from_origin(3, 51, 1e-4, 1e-4)}
    for index, date in enumerate(DATES):
        write_tif(tmp_path / "S2" / f"{date}.tif", s2_dn()[index], bands=("B02", "B03", "B04", "B08"), **place)
    with open_sequence(tmp_path) as source:
        grid = describe_input(source).grid
    assert grid.pixel == "0.0001° (11.1 m)"
    assert grid.gsd_m == pytest.approx(11.132)
    write_tif(tmp_path / "S2" / f"{DATES[2]}.tif", s2_dn(height=20)[2], bands=("B02", "B03", "B04", "B08"), **place)
    with pytest.raises(MisalignedGridsError, match=r"32 x 20 px of 0\.0001° x 0\.0001°, upper left \(3, 51\)"):
        open_sequence(tmp_path)


def test_metres_are_called_metres(tmp_path):
    with open_sequence(write_sequence(tmp_path)) as source:
        assert describe_input(source).grid.pixel == "10 m"
