"""A working copy is read as what it was made of, or refused; its windows cover each pixel once."""

import json

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from sequence_files import BANDS, DATES, TRANSFORM, s1_db, s2_dn, write_sequence, write_tif

from seq2seq.errors import DecloudError, InvalidPixelsError, MissingDataError, OutputError, UnreadableFileError
from seq2seq.readers import open_contents, open_sequence
from seq2seq.readers.sun import Sun
from seq2seq.readers.working_copy import MANIFEST
from seq2seq.writers import working_copy
from seq2seq.writers.working_copy import WINDOW_BYTES, write_working_copy


@pytest.fixture
def copy(tmp_path):
    return copied(write_sequence(tmp_path / "in", dates=DATES[:2], s1=s1_db(2)), tmp_path / "copy")


def copied(root, folder):
    folder.mkdir()
    with open_contents(root) as contents:
        write_working_copy(contents, folder, origin="fields.zip", on_raster=lambda *_: None)
    return folder


def rewrite(copy, **changes):
    manifest = json.loads((copy / MANIFEST).read_text())
    (copy / MANIFEST).write_text(json.dumps(manifest | changes))


def test_files_have_names_of_ours_and_messages_those_of_the_user(tmp_path):
    root = write_sequence(tmp_path / "in", dates=DATES[:2])
    (root / "S2" / f"{DATES[1]}.tif").rename(root / "S2" / "last week 20200811.tif")
    copy = copied(root, tmp_path / "copy")
    assert sorted(path.name for path in (copy / "S2").iterdir()) == [f"{date}.tif" for date in DATES[:2]]
    with rasterio.open(copy / "S2" / f"{DATES[1]}.tif", "r+") as file:
        file.write(np.full((4, 24, 32), 65_534, np.uint16))
    with pytest.raises(InvalidPixelsError, match=r"S2/last week 20200811\.tif: band B02 averages"):
        open_sequence(copy)


def test_a_damaged_copy_is_refused_under_the_users_name(copy):
    path = copy / "S1" / f"{DATES[0]}.tif"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(UnreadableFileError, match=rf"S1/{DATES[0]}\.tif: the file is truncated"):
        open_sequence(copy)


@pytest.mark.parametrize(
    "files",
    [
        [{"sensor": "../..", "date": DATES[0], "name": "x"}],
        [{"sensor": "S2", "date": "../../secret", "name": "x"}],
        [{"sensor": "S2", "date": "20200801", "name": "x"}],
        [{"sensor": "S2", "name": "x"}],
        ["S2"],
        None,
    ],
)
def test_a_list_that_no_copy_has_is_refused(copy, files):
    rewrite(copy, files=files)
    with pytest.raises(UnreadableFileError, match=MANIFEST):
        open_sequence(copy)


def test_a_list_without_s2_is_refused(copy):
    rewrite(copy, files=[])
    with pytest.raises(MissingDataError, match="lists no file of S2"):
        open_sequence(copy)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"files": [[]]}'])
def test_a_list_that_is_none_is_refused(copy, text):
    (copy / MANIFEST).write_text(text)
    with pytest.raises(DecloudError, match=MANIFEST):
        open_sequence(copy)


def test_a_file_that_was_cut_off_by_a_full_disk_is_not_the_users_fault(tmp_path, monkeypatch):
    write = working_copy._copy

    def cut(raster, path, **how):
        write(raster, path, **how)
        path.write_bytes(path.read_bytes()[:-200])

    monkeypatch.setattr(working_copy, "_copy", cut)
    with pytest.raises(OutputError, match="cannot be written"):
        copied(write_sequence(tmp_path / "in", dates=DATES[:2]), tmp_path / "copy")


@given(
    shape=st.tuples(st.integers(1, 700), st.integers(1, 700)),
    chunk=st.tuples(st.integers(1, 800), st.integers(1, 800)),
    pixel_bytes=st.integers(1, 20_000),
)
def test_windows_cover_every_pixel_once_and_stay_small(shape, chunk, pixel_bytes):
    counts = np.zeros(shape, dtype=int)
    smallest = min(chunk[0], shape[0]) * min(chunk[1], shape[1]) * pixel_bytes
    for window in working_copy._windows(shape, chunk, pixel_bytes=pixel_bytes):
        counts[window.slices] += 1
        assert window.shape[0] * window.shape[1] * pixel_bytes <= max(WINDOW_BYTES, smallest)
    assert (counts == 1).all()


@pytest.mark.parametrize("how", ["alpha", "mask"])
def test_s1_whose_own_mask_resampling_would_obey_is_refused_unless_it_is_on_the_grid(tmp_path, how):
    root = write_sequence(tmp_path / "in", s1=s1_db())
    elsewhere = TRANSFORM @ TRANSFORM.translation(0.5, 0.5)
    for transform, refused in ((TRANSFORM, False), (elsewhere, True)):
        path = root / "S1" / f"{DATES[1]}.tif"
        alpha = {"ALPHA": "YES"} if how == "alpha" else {}
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
            write_tif(path, s1_db()[1], bands=("VV", "VH"), transform=transform, **alpha)
            if how == "mask":
                with rasterio.open(path, "r+") as file:
                    file.write_mask(np.zeros((24, 32), bool))
        if refused:
            with pytest.raises(InvalidPixelsError, match=r"S1/2020-08-11\.tif: has a mask or alpha band"):
                open_sequence(root)
        else:
            with open_sequence(root) as source:
                assert np.array_equal(source.read().s1.pixels[1], s1_db()[1])


def test_scale_offset_no_data_and_label_survive(tmp_path):
    root = tmp_path / "in"
    for index, date in enumerate(DATES[:2]):
        path = write_tif(
            root / "S2" / f"{date}.tif",
            s2_dn()[index],
            bands=BANDS,
            nodata=7,
            scales=(0.000_123_456_789_012_345_67,) * 4,
            offsets=(-0.1,) * 4,
        )
        with rasterio.open(path, "r+") as file:
            file.update_tags(SIMULATED="YES", SECRET_NOTE="of the user")
    copy = copied(root, tmp_path / "copy")
    with (
        rasterio.open(root / "S2" / f"{DATES[0]}.tif") as theirs,
        rasterio.open(copy / "S2" / f"{DATES[0]}.tif") as ours,
    ):
        for name in ("scales", "offsets", "nodata", "descriptions", "crs", "transform", "dtypes"):
            assert getattr(ours, name) == getattr(theirs, name), name
        assert ours.tags()["SIMULATED"] == "YES"
        assert "SECRET_NOTE" not in ours.tags()
        assert ours.block_shapes[0] == (32, 32)


def test_the_suns_angles_survive(tmp_path):
    root = write_sequence(tmp_path / "in", dates=DATES[:2])
    with rasterio.open(root / "S2" / f"{DATES[0]}.tif", "r+") as file:
        file.update_tags(**Sun(151.5, 60.25).tags())
    with open_contents(copied(root, tmp_path / "copy")) as contents:
        assert [raster.header.sun for raster in contents.s2] == [Sun(151.5, 60.25), None]
