"""A bundle as one file: what is chosen for the room there is, what samples hold, what is refused."""

import gzip
import json
import re
from base64 import b64decode
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from seq2seq.commands.main import app
from seq2seq.errors import ConfigError, UnreadableFileError
from seq2seq.page import Page
from seq2seq.viewing.export import FIRST, export_bundle
from seq2seq.viewing.kept import FolderBundle
from seq2seq.viewing.sampled_cube import sample_cube
from seq2seq.viewing.sampling import sampled_places
from seq2seq.viewing.single_page import embedded_bytes, single_page

EMBEDDED = re.compile(r'<script type="application/octet-stream" data-path="([^"]*)">([^<]*)</script>\n')


@pytest.fixture(scope="module")
def page() -> Page:
    return Page()


def embedded(file: Path) -> dict[str, bytes]:
    return {path: b64decode(content) for path, content in EMBEDDED.findall(file.read_text())}


@pytest.mark.parametrize(("length", "step", "expected"), [(10, 1, range(10)), (10, 4, [2, 6, 9]), (3, 8, [2])])
def test_a_sample_is_the_middle_of_each_square_or_the_edge(length, step, expected):
    assert sampled_places(length, step).tolist() == list(expected)


@pytest.mark.parametrize("step", [1, 2, 5, 40])
def test_a_sample_holds_the_values_of_the_cube(bundle, step):
    files = sample_cube(FolderBundle(bundle), step).files
    group = json.loads(files["cube/zarr.json"])["consolidated_metadata"]["metadata"]
    whole = json.loads((bundle / "cube/zarr.json").read_text())["consolidated_metadata"]["metadata"]
    for name, metadata in group.items():
        full = read(lambda path: (bundle / path).read_bytes() if (bundle / path).exists() else None, name, whole[name])
        rows, columns = (sampled_places(length, step) for length in full.shape[2:])
        expected = full[:, :, rows][..., columns]
        assert metadata["shape"] == list(expected.shape)
        np.testing.assert_array_equal(read(files.get, name, metadata), expected)


def read(get, name, metadata):
    """(T, B, h, w) of the chunks that `get` gives, or the fill value."""
    t, b, height, width = metadata["shape"]
    shape = metadata["chunk_grid"]["configuration"]["chunk_shape"]
    side, dtype = shape[-1], np.dtype(metadata["data_type"])
    found = np.full((t, b, -(-height // side) * side, -(-width // side) * side), metadata["fill_value"], dtype)
    for row in range(0, height, side):
        for column in range(0, width, side):
            packed = get(f"cube/{name}/c/0/0/{row // side}/{column // side}")
            if packed is not None:
                values = np.frombuffer(gzip.decompress(packed), dtype).reshape(shape)
                found[:, :, row : row + side, column : column + side] = values
    return found[:, :, :height, :width]


def test_all_fits_into_enough_room(bundle, page, tmp_path):
    written = export_bundle(FolderBundle(bundle), page, tmp_path / "a.html", max_bytes=20_000_000)
    files = embedded(written.path)
    scene = json.loads(files["pictures/scene.json"])
    named = json.loads((bundle / "scene.json").read_text())
    assert {style["name"] for style in scene["styles"]} == {style["name"] for style in named["styles"]}
    assert written.step == 1
    assert scene["cube"]["step"] == 1
    for style in scene["styles"]:
        for each in scene["dates"]:
            path = f"{style['name']}/{each['date']}.webp"
            assert files[f"pictures/{path}"] == (bundle / path).read_bytes()
    assert [line.split()[1] for line in written.left_out] == ["images"]
    assert scene["left_out"] == list(written.left_out)


def test_what_a_swipe_needs_comes_first_and_no_file_is_larger_than_allowed(bundle, page, tmp_path):
    sizes = []
    for most in (350_000, 420_000, 700_000):
        written = export_bundle(FolderBundle(bundle), page, tmp_path / "a.html", max_bytes=most)
        assert written.size_bytes == written.path.stat().st_size <= most
        assert set(FIRST) <= set(written.styles)
        sizes.append((len(written.styles), -(written.step or 1000)))
        assert ("layers" in " ".join(written.left_out)) == (len(written.styles) < 10)
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def test_pictures_become_smaller_before_they_are_refused(bundle, page, tmp_path):
    fixed = len(single_page(page, "x", {}))
    refused = "--max-mb: 1 styles of 6 dates, at 1/4 .* take 0\\.\\d MB more than there is room for; choose a larger"
    with pytest.raises(ConfigError, match=refused):
        export_bundle(FolderBundle(bundle), page, tmp_path / "a.html", max_bytes=fixed + 5_000, styles=("rgb",))
    written = None
    for most in range(fixed + 10_000, fixed + 60_000, 2_000):
        with suppress(ConfigError):
            written = export_bundle(FolderBundle(bundle), page, tmp_path / "a.html", max_bytes=most, styles=("rgb",))
            break
    assert written is not None
    scene = json.loads(embedded(written.path)["pictures/scene.json"])
    assert scene["overview"] != [scene["width"], scene["height"]]
    assert any("Pictures at full resolution" in line for line in written.left_out)


def test_a_style_that_does_not_exist_is_named(bundle, page, tmp_path):
    with pytest.raises(ConfigError, match="--styles pink: this result has no such style; there are rgb"):
        export_bundle(FolderBundle(bundle), page, tmp_path / "a.html", max_bytes=10**7, styles=("rgb", "pink"))
    assert not list(tmp_path.iterdir())


def test_damaged_values_are_named(bundle, page, tmp_path):
    class Damaged(FolderBundle):
        def read(self, path):
            return b"x" if path == "cube/after/c/0/0/0/1" else super().read(path)

    with pytest.raises(UnreadableFileError, match="cube/after/c/0/0/0/1: this part of the pictures is damaged"):
        export_bundle(Damaged(bundle), page, tmp_path / "a.html", max_bytes=10**7)
    assert not list(tmp_path.iterdir())


def test_no_name_ends_a_script_or_starts_one(page):
    hostile = '</title></script><script>alert(1)</script>"&'
    text = single_page(page, hostile, {f"pictures/{hostile}": b"</script>"}).decode()
    assert "alert(1)</script>" not in text
    assert text.count("<script") == 4
    assert text.count("</script>") == 4


def test_what_a_file_takes_is_foreseen(page):
    bare = len(single_page(page, "x", {}))
    for size in (0, 1, 2, 3, 1000):
        assert len(single_page(page, "x", {"a/b&": bytes(size)})) == bare + embedded_bytes("a/b&", size)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("a.txt", "a browser opens files that end in .html"),
        ("folder.html", "is a folder"),
        ("there.html", "--overwrite"),
    ],
)
def test_a_wrong_place_is_one_line(result, tmp_path, file, said):
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "there.html").write_text("mine")
    done = CliRunner().invoke(app, ["export", str(result), str(tmp_path / file)])
    assert done.exit_code != 0
    assert said in str(done.exception)
    assert (tmp_path / "there.html").read_text() == "mine"


def test_what_is_no_result_is_refused(tmp_path):
    done = CliRunner().invoke(app, ["export", str(tmp_path), str(tmp_path / "a.html")])
    assert "is no result of decloud run" in str(done.exception)
