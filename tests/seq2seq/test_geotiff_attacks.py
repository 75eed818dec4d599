"""A hostile GeoTIFF reaches nothing but itself."""

import struct
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from sequence_files import BANDS, DATES, TRANSFORM, s1_db, s2_dn, write_sequence, write_tif

from seq2seq.errors import DecloudError, UnreadableFileError
from seq2seq.readers import geotiff, open_sequence, read_sequence
from seq2seq.readers.gdal_file import HARDENED
from seq2seq.readers.tiff_extent import declared_bytes

SECOND = f"S2/{DATES[1]}.tif"


def vrt_of(path, width=32, height=24):
    bands = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{band}"><SimpleSource><SourceFilename relativeToVRT="0">{path}'
        f"</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
        for band in (1, 2, 3, 4)
    )
    return f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">{bands}</VRTDataset>'


@pytest.fixture
def root(tmp_path):
    return write_sequence(tmp_path / "input")


@pytest.fixture
def secret(tmp_path):
    return write_tif(tmp_path / "secret.tif", np.full((4, 24, 32), 4242, np.uint16))


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
def test_a_vrt_saved_as_tif_is_refused_and_would_have_been_read_otherwise(root, secret):
    (root / SECOND).write_text(vrt_of(secret))
    with rasterio.open(root / SECOND) as unprotected:
        assert (unprotected.read() == 4242).all()
    with pytest.raises(UnreadableFileError, match=r"S2/2020-08-11\.tif: is not a TIFF"):
        open_sequence(root)


def test_a_vrt_is_refused_by_the_driver_too(root, secret, monkeypatch):
    (root / SECOND).write_text(vrt_of(secret))
    for check in ("_check_magic", "_check_structure"):
        monkeypatch.setattr(geotiff, check, lambda *_: None)
    with pytest.raises(UnreadableFileError, match=r"S2/2020-08-11\.tif: not a readable GeoTIFF"):
        open_sequence(root)


def test_sidecars_are_never_opened(root, secret):
    clean = read_sequence(root)
    (root / f"{SECOND}.ovr").write_text(vrt_of(secret, 16, 12))
    (root / f"{SECOND}.msk").write_text(vrt_of(secret))
    (root / f"{SECOND}.aux.xml").write_text(
        "<PAMDataset><GeoTransform>0,1,0,0,0,-1</GeoTransform><PAMRasterBand band='1'><NoDataValue>777</NoDataValue>"
        "</PAMRasterBand></PAMDataset>"
    )
    (root / "S2" / f"{DATES[1]}.tfw").write_text("1\n0\n0\n-1\n0\n0\n")
    with rasterio.open(root / SECOND) as unprotected:
        assert unprotected.overviews(1), "the attack works on an unprotected reader"
    with open_sequence(root) as source:
        observations = source.read()
    assert np.array_equal(observations.s2.pixels, clean.s2.pixels)
    assert observations.s2.geobox == clean.s2.geobox


@pytest.mark.parametrize("domain", ["OVERVIEWS", "overviews"])
@pytest.mark.parametrize("sensor", ["S2", "S1", "MASK", "SCL"])
def test_overviews_in_another_file_are_refused_whichever_file_names_them(tmp_path, secret, sensor, domain):
    masks = np.zeros((len(DATES), 24, 32), np.uint8)
    root = write_sequence(tmp_path / "input", s1=s1_db(), masks=masks)
    target = root / sensor / f"{DATES[1]}.tif"
    if sensor == "SCL":
        write_tif(target, masks[:1] + np.uint8(4))
    with rasterio.open(target, "r+") as file:
        file.update_tags(ns=domain, OVERVIEW_FILE=str(secret))
    with rasterio.open(target) as unprotected:
        assert Path(secret).name in " ".join(unprotected.tags(ns="OVERVIEWS").values())
    with pytest.raises(UnreadableFileError, match=rf"{sensor}/{DATES[1]}\.tif: its metadata point to another file"):
        open_sequence(root)


def test_gdal_would_have_opened_overviews_in_another_file(tmp_path):
    """What the reader's own settings do not prevent."""
    path = write_tif(tmp_path / "a.tif", s2_dn()[0], bands=BANDS)
    write_tif(tmp_path / "secret.tif", np.full((4, 12, 16), 4242, np.uint16))
    with rasterio.open(path, "r+") as file:
        file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(tmp_path / "secret.tif"))
    with rasterio.Env(**HARDENED), rasterio.open(path, driver="GTiff") as unprotected:
        assert (unprotected.read(1, out_shape=(12, 16)) == 4242).all()
    with pytest.raises(UnreadableFileError, match="its metadata point to another file"):
        geotiff.open_geotiff(path, name="a.tif", date=np.datetime64(DATES[0]))


ESRI_GRIDS = (
    'PROJCS["x",GEOGCS["g",DATUM["D",SPHEROID["bessel",6377397.155,299.1528128],EXTENSION["PROJ4_GRIDS","{}"]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",3],PARAMETER["scale_factor",0.9996],'
    'PARAMETER["false_easting",500000],PARAMETER["false_northing",0],UNIT["metre",1]]'
)


@pytest.mark.parametrize("again", [False, True])
def test_a_crs_with_a_shift_grid_is_refused_before_proj_opens_it(root, tmp_path, again):
    """A GeoTIFF of the ESRI flavour keeps a whole WKT, in which a grid may be any file of the host."""
    crs = CRS.from_wkt(ESRI_GRIDS.format(tmp_path / "secret.gsb"))
    write_tif(root / SECOND, s2_dn()[1], bands=BANDS, nodata=0, crs=crs, GEOTIFF_KEYS_FLAVOR="ESRI_PE")
    assert b"secret.gsb" in (root / SECOND).read_bytes()
    if again:  # another tag of the same number behind it, of which readers may take either
        hide_behind_another(root / SECOND, 34737, 34736)
    with pytest.raises(UnreadableFileError, match=r"S2/2020-08-11\.tif: its CRS points to another file"):
        open_sequence(root)


def hide_behind_another(path, tag, other):
    content = bytearray(path.read_bytes())
    (directory,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, directory)
    places = {struct.unpack_from("<H", content, directory + 2 + 12 * index)[0]: index for index in range(count)}
    struct.pack_into("<H", content, directory + 2 + 12 * places[other], tag)
    path.write_bytes(content)


@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:27700", "EPSG:7415", "+proj=laea +lat_0=50.5 +lon_0=4.5"])
@pytest.mark.parametrize("flavour", ["STANDARD", "ESRI_PE"])
def test_an_honest_crs_names_no_file(tmp_path, crs, flavour):
    path = write_tif(tmp_path / "a.tif", s2_dn()[0], bands=BANDS, crs=crs, GEOTIFF_KEYS_FLAVOR=flavour)
    assert geotiff.open_geotiff(path, name="a.tif", date=np.datetime64(DATES[0])).header.geobox.shape == (24, 32)


def test_a_huge_header_is_refused_before_any_pixel_is_decoded(root):
    profile = {"count": 4, "dtype": "uint16", "crs": "EPSG:32631", "transform": TRANSFORM, "tiled": True}
    with rasterio.open(root / SECOND, "w", driver="GTiff", width=65535, height=65535, SPARSE_OK=True, **profile):
        pass
    assert (root / SECOND).stat().st_size < 10_000_000
    with pytest.raises(UnreadableFileError, match=r"S2/2020-08-11\.tif: 65535 x 65535 px, at most 250,000,000"):
        open_sequence(root)


def test_a_huge_strip_is_refused_before_it_is_decoded(root):
    profile = {"count": 4, "dtype": "float64", "crs": "EPSG:32631", "transform": TRANSFORM, "interleave": "pixel"}
    size = {"width": 8000, "height": 8000, "blockysize": 8000}
    with rasterio.open(root / SECOND, "w", driver="GTiff", SPARSE_OK=True, compress="deflate", **size, **profile):
        pass
    with pytest.raises(UnreadableFileError, match=r"S2/2020-08-11\.tif: stored in pieces of 2,048,000,000 bytes"):
        open_sequence(root)


def test_a_dtype_that_only_gdal_knows_is_refused(root):
    profile = {"width": 32, "height": 24, "count": 4, "crs": "EPSG:32631", "transform": TRANSFORM}
    with rasterio.open(root / SECOND, "w", driver="GTiff", dtype="complex_int16", **profile):
        pass
    with pytest.raises(UnreadableFileError, match=r"S2/2020-08-11\.tif: dtype complex_int16 is not read"):
        open_sequence(root)


def test_too_many_bands_are_refused(root):
    write_tif(root / SECOND, np.ones((40, 24, 32), np.uint16))
    with pytest.raises(UnreadableFileError, match="40 bands, at most 32"):
        open_sequence(root)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_read_or_refused_in_one_line_but_never_crashes(tmp_path, data):
    root = tmp_path / "damaged"
    if not root.exists():
        write_sequence(root, dates=DATES[:2], s2=s2_dn(2))
    sound = write_tif(tmp_path / "sound.tif", s2_dn()[1], bands=BANDS, nodata=0, compress="deflate").read_bytes()
    content = bytearray(sound)
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, min(len(content) - 1, 900)))] = data.draw(st.integers(0, 255))
    (root / SECOND).write_bytes(content)
    message = ""
    try:
        with open_sequence(root) as source:
            assert np.isfinite(source.read().s2.pixels).all()
    except DecloudError as error:
        message = str(error)
    assert "\n" not in message


@pytest.mark.parametrize("profile", [{}, {"tiled": True, "blockxsize": 16, "blockysize": 16}, {"interleave": "band"}])
@pytest.mark.parametrize("flavour", [{}, {"BIGTIFF": "YES"}, {"ENDIANNESS": "BIG"}])
@pytest.mark.parametrize("compress", ["none", "deflate"])
def test_a_tiff_declares_every_byte_that_it_has(tmp_path, profile, flavour, compress):
    path = write_tif(tmp_path / "a.tif", s2_dn()[0], bands=BANDS, nodata=0, compress=compress, **profile, **flavour)
    size = path.stat().st_size
    # the last value may be followed by a byte that aligns it
    assert size - 1 <= declared_bytes(path) <= size


def test_a_directory_that_points_to_itself_is_read_only_so_often(tmp_path):
    path = tmp_path / "circle.tif"
    path.write_bytes(b"II*\0" + struct.pack("<IHHHIII", 8, 1, 256, 3, 1, 5, 8))
    assert declared_bytes(path) == 8 + 2 + 12 + 4
