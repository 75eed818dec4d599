"""A hostile GeoTIFF reaches nothing but itself."""

import struct

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sequence_files import BANDS, DATES, TRANSFORM, s2_dn, write_sequence, write_tif

from seq2seq.errors import DecloudError, UnreadableFileError
from seq2seq.readers import geotiff, open_sequence, read_sequence
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
