"""JPEG 2000 is read as GeoTIFF is, by windows; a hostile file reaches nothing but itself."""

import contextlib

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jp2_files import add_box, band, patch_size, write_jp2
from sequence_files import DATES, pack, s2_dn, write_sequence, write_tif

from seq2seq.errors import InputError, MisalignedGridsError, UnreadableFileError
from seq2seq.readers import open_sequence, read_sequence
from seq2seq.readers.base import Member
from seq2seq.readers.contents import Window
from seq2seq.readers.images import open_image
from seq2seq.readers.jp2_extent import structure_of

DAY = np.datetime64("2020-08-01")
SECOND = f"S2/{DATES[1]}.jp2"


def opened(path):
    return open_image(Member(path.name, path), DAY)


@pytest.fixture
def image(tmp_path):
    return write_jp2(tmp_path / "image.jp2", band(90, 150))


def test_a_window_equals_the_crop_of_what_was_written_and_the_header_says_how_it_is_stored(tmp_path):
    pixels = band(90, 150)
    raster = opened(write_jp2(tmp_path / "image.jp2", pixels))
    crop = Window(13, 77, 60, 141)
    assert np.array_equal(raster.read(crop), pixels[:, *crop.slices])
    assert raster.header.chunk == (64, 150)
    assert raster.header.geobox.shape == (90, 150)
    assert raster.header.geobox.crs.epsg == 32631
    assert (raster.header.dtype, raster.header.nodata) == ("uint16", None)


def test_some_bands_can_be_selected(tmp_path):
    pixels = np.concatenate([band(seed=seed) for seed in range(3)])
    raster = opened(write_jp2(tmp_path / "image.jp2", pixels)).select([2, 0])
    assert np.array_equal(raster.read(Window(0, 48, 0, 64)), pixels[[2, 0]])


def test_a_folder_of_it_is_the_sequence_that_geotiffs_are(tmp_path):
    write_sequence(tmp_path / "tif", nodata=None)
    for date, dn in zip(DATES, s2_dn(), strict=True):
        write_jp2(tmp_path / "jp2" / "S2" / f"{date}.jp2", dn)
    first, second = read_sequence(tmp_path / "tif"), read_sequence(tmp_path / "jp2")
    assert np.array_equal(first.s2.pixels, second.s2.pixels)
    assert first.s2.geobox == second.s2.geobox
    packed = read_sequence(pack(tmp_path / "jp2", tmp_path / "jp2.zip", files="*.jp2"))
    assert np.array_equal(packed.s2.pixels, first.s2.pixels)


@pytest.mark.parametrize(
    ("field", "values", "words"),
    [
        (0, (4_000_000_000, 4_000_000_000), "4000000000 x 4000000000 px, at most 250,000,000 px are allowed"),
        (0, (0, 0), "its image or its tiles have no size"),
        (4, (0, 0), "its image or its tiles have no size"),
        (4, (1, 1), "the file is truncated, .* of its 13,500 tiles are missing"),
        (0, (10_980, 10_980), "tiles are missing"),
    ],
)
def test_an_absurd_image_size_is_refused_before_gdal_sees_it(image, monkeypatch, field, values, words):
    patch_size(image, field, *values)
    monkeypatch.setattr(rasterio, "open", lambda *_, **__: pytest.fail("GDAL has seen it"))
    with pytest.raises(UnreadableFileError, match=rf"^image\.jp2: .*{words}"):
        opened(image)


def test_a_single_tile_that_is_too_large_to_decode_is_refused(tmp_path):
    path = write_jp2(tmp_path / "image.jp2", np.concatenate([band(), band(seed=1)]))
    patch_size(path, 0, 20_000, 12_500, 0, 0, 20_000, 12_500)
    with pytest.raises(UnreadableFileError, match=r"image\.jp2: stored in pieces of 2,000,000,000 bytes"):
        opened(path)


def test_more_than_16_bits_are_refused(tmp_path):
    path = write_jp2(tmp_path / "image.jp2", band().astype(np.uint32), NBITS=20)
    with pytest.raises(UnreadableFileError, match="20 bits a value, at most 16 are read"):
        opened(path)


@pytest.mark.parametrize("share", [0.03, 0.3, 0.6, 0.9, 0.99])
def test_a_truncated_file_is_refused_by_its_own_lengths(image, share):
    content = image.read_bytes()
    image.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UnreadableFileError, match=r"^image\.jp2: .*truncated"):
        opened(image)


def test_a_codestream_of_unknown_length_that_ends_early_is_refused(image):
    """A box of length 0 goes on to the end of the file, wherever that is."""
    content = bytearray(image.read_bytes())
    at = content.index(b"jp2c") - 4
    content[at : at + 4] = bytes(4)
    image.write_bytes(content)
    assert opened(image).header.geobox.shape == (90, 150)
    image.write_bytes(content[:-3000])
    with pytest.raises(UnreadableFileError, match="truncated"):
        opened(image)


@pytest.mark.parametrize("content", [b"", b"II*\0 and so on", b"\xff\x4f\xff\x51\0\0", b"<VRTDataset/>"])
def test_what_does_not_begin_like_one_is_refused(tmp_path, content):
    path = tmp_path / "image.jp2"
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match=r"image\.jp2: is (empty|not a JPEG 2000 file)"):
        opened(path)


def test_a_geotiff_called_jp2_and_a_jp2_called_tif_are_refused(tmp_path, image):
    tif = write_tif(tmp_path / "a.tif", s2_dn()[0])
    with pytest.raises(UnreadableFileError, match="is not a JPEG 2000 file"):
        open_image(Member("a.jp2", tif), DAY)
    with pytest.raises(UnreadableFileError, match="is not a TIFF"):
        open_image(Member("image.tif", image), DAY)


def test_sidecars_are_never_opened(tmp_path, image):
    clean = opened(image).header
    image.with_suffix(".j2w").write_text("1\n0\n0\n-1\n0\n0\n")
    (tmp_path / "image.jp2.aux.xml").write_text(
        "<PAMDataset><PAMRasterBand band='1'><NoDataValue>777</NoDataValue></PAMRasterBand></PAMDataset>"
    )
    with rasterio.open(image) as unprotected:
        assert unprotected.nodata == 777
    assert opened(image).header == clean


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (b"dtbl", b"\0\1\0\0\0\0file:///etc/passwd\0"),
        (b"xml ", b"<gml:domainSet xlink:href='file:///etc/passwd'/>"),
        (b"xml ", b'<gml:domainSet xlink:href="http://example.org/grid.xml"/>'),
        (b"xml ", b"<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]><x>&y;</x>"),
        (b"uuid", bytes(16) + b'PROJCS["x",EXTENSION["PROJ4_GRIDS","/etc/passwd"]]'),
        (
            b"xml ",
            b'<GDALMultiDomainMetadata><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">/tmp/x</MDI></Metadata>'
            b"</GDALMultiDomainMetadata>",
        ),
    ],
)
def test_references_to_other_files_are_refused(image, kind, content):
    add_box(image, kind, content)
    with pytest.raises(UnreadableFileError, match=r"image\.jp2: its (metadata|CRS) points? to another file"):
        opened(image)


def test_references_within_the_file_are_none(image):
    add_box(image, b"xml ", b'<gml:x xlink:href="gmljp2://xml/crs"/><gml:y xlink:href="#grid"/>')
    assert opened(image).header.geobox.shape == (90, 150)


def test_an_image_without_a_place_is_refused(tmp_path):
    path = write_jp2(tmp_path / "image.jp2", band(), GMLJP2="NO", GEOJP2="NO")
    with pytest.raises(MisalignedGridsError, match=r"^image\.jp2: has no CRS"):
        opened(path)


def test_what_is_no_jpeg_2000_is_not_unpacked_from_an_archive(tmp_path):
    for date, dn in zip(DATES, s2_dn(), strict=True):
        write_jp2(tmp_path / "in" / "S2" / f"{date}.jp2", dn)
    (tmp_path / "in" / SECOND).write_bytes(b"<VRTDataset/>")
    with pytest.raises(UnreadableFileError, match=rf"{SECOND}: is not a JPEG 2000 file"):
        open_sequence(pack(tmp_path / "in", tmp_path / "in.zip", files="*.jp2"))


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 400), value=st.integers(0, 255))
def test_whatever_byte_of_the_header_is_wrong_the_error_is_ours(image, at, value):
    content = bytearray(image.read_bytes())
    broken = image.with_name("broken.jp2")
    content[at] = value
    broken.write_bytes(content)
    with contextlib.suppress(InputError):
        opened(broken).read(Window(0, 20, 0, 20))


def test_real_images_are_read(shared_data):
    images = sorted((shared_data / "formats" / "safe").rglob("*.jp2"))
    assert images
    for path in images:
        raster = opened(path)
        assert raster.header.geobox.shape == (1830, 1830)
        assert raster.header.chunk == (192, 192)
        assert structure_of(path).image.tiles == 100
        assert raster.read(Window(900, 910, 900, 910)).shape == (1, 10, 10)
