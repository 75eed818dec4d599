"""Trees of published patches: named and read as the data sets' readers do, bounded, and whole where they are not."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sen12_trees import DATES, radar_db, write_series, write_triplet
from sequence_files import write_sequence, write_tif

from seq2seq.commands import main as cli
from seq2seq.datasets.sen12mscr import open_patches
from seq2seq.datasets.sen12mscrts import open_series
from seq2seq.looking.trees import find_tree, spread


def look(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["look", *map(str, arguments)])
    return int(ended.value.code or 0)


@pytest.fixture
def triplets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five patches of three areas; the working directory lies beside them."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "cr"
    for area, patch in (
        ("ROIs1158_spring/106", 30),
        ("ROIs1158_spring/106", 4),
        ("ROIs1158_spring/31", 7),
        ("ROIs2017_winter/63", 100),
        ("ROIs2017_winter/63", 12),
    ):
        write_triplet(root, area, patch)
    return root


@pytest.fixture
def series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three patches of two areas."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "ts"
    for area, patch in (("ROIs1158/106", 0), ("ROIs1158/106", 12), ("ROIs2017/32", 3)):
        write_series(root, area, patch)
    return root


def test_patches_have_the_names_and_files_of_the_data_set_s_reader(triplets: Path, series: Path):
    for root, samples in ((triplets, open_patches(triplets, "test")), (series, open_series(series, "test"))):
        tree = find_tree(root)
        assert tree is not None
        names = [tree.name(entry) for entry in tree.entries()]
        assert sorted(names) == sorted(samples.name(k) for k in range(len(samples)))
        patches = [tree.patch(entry) for entry in tree.entries()]
        assert {patch.split for patch in patches} == {"test"}
        for patch in patches:
            sample = samples[next(k for k in range(len(samples)) if samples.name(k) == patch.name)]
            assert len(patch.shots) == len(sample.s2)
            if tree.series:
                assert [shot.date for shot in patch.shots] == [str(date) for date in sample.dates] == list(DATES)


def test_patches_are_in_the_order_of_their_numbers(triplets: Path):
    tree = find_tree(triplets)
    assert tree is not None
    assert [(entry.area, entry.number) for entry in tree.entries()] == [
        ("ROIs1158_spring/31", 7),
        ("ROIs1158_spring/106", 4),
        ("ROIs1158_spring/106", 30),
        ("ROIs2017_winter/63", 12),
        ("ROIs2017_winter/63", 100),
    ]


@given(st.integers(1, 200_000), st.integers(1, 500))
def test_the_choice_is_even_in_order_and_as_many_as_asked(count: int, limit: int):
    chosen = spread(count, limit)
    assert len(chosen) == min(count, limit)
    assert chosen == sorted(set(chosen))
    assert chosen[0] == 0
    assert chosen[-1] == count - 1 or limit == 1
    steps = np.diff(chosen)
    assert not len(steps) or steps.max() - steps.min() <= 1


def test_sequences_and_other_folders_are_no_trees(tmp_path: Path):
    assert find_tree(write_sequence(tmp_path / "sequence")) is None
    (tmp_path / "ROIs1158_spring_s2.tif").mkdir()
    assert find_tree(tmp_path) is None
    assert find_tree(tmp_path / "nothing") is None


def test_a_page_has_a_picture_for_each_patch_and_loads_nothing_from_elsewhere(triplets: Path, capsys):
    assert look(triplets) == 0
    assert capsys.readouterr().out == "Written look-cr/index.html\n"
    page = Path("look-cr/index.html").read_text()
    assert page.count("<figure>") == 5
    assert "All 5 patches" in page
    assert not re.search(r"<script|https?://|//\w|@import|url\(", page)
    sources = re.findall(r'<img src="([^"]+)" width="(\d+)" height="(\d+)" loading="lazy"', page)
    assert len(sources) == 5
    for source, width, height in sources:
        with Image.open(Path("look-cr") / source) as picture:
            assert picture.size == (int(width), int(height))
    assert len(list(Path("look-cr/pictures").iterdir())) == 5


def test_a_page_is_bounded_its_choice_the_same_and_said(triplets: Path, capsys):
    pages = []
    for out in ("a", "b"):
        assert look(triplets, "--limit", 3, "--out", out) == 0
        pages.append(Path(out, "index.html").read_text())
    assert pages[0] == pages[1]
    assert "3 of 5 patches, evenly spread" in pages[0]
    assert re.findall(r"<figcaption><span>([^<]+)<", pages[0]) == [
        "ROIs1158_spring/31/p7",
        "ROIs1158_spring/106/p30",
        "ROIs2017_winter/63/p100",
    ]


def test_a_later_page_leaves_no_picture_of_an_earlier_one(triplets: Path):
    assert look(triplets) == look(triplets, "--limit", 1) == 0
    assert [path.name for path in Path("look-cr/pictures").iterdir()] == ["ROIs1158_spring_31_p7.jpg"]


def test_a_folder_of_somebody_else_s_is_left_alone(triplets: Path, capsys):
    Path("mine").mkdir()
    Path("mine/index.html").write_text("my own page")
    assert look(triplets, "--out", "mine") == 2
    assert "mine: holds index.html, which decloud look has not written" in capsys.readouterr().err
    assert Path("mine/index.html").read_text() == "my own page"
    Path("notes").mkdir()
    Path("notes/todo.txt").write_text("x")
    assert look(triplets, "--out", "notes", "--overwrite") == 2
    assert "holds todo.txt" in capsys.readouterr().err


def test_a_patch_is_a_picture_of_its_own(triplets: Path, series: Path, capsys):
    assert look(triplets, "--patch", "ROIs1158_spring/106/p30") == 0
    assert look(series, "--patch", "ROIs2017/32/patch_3", "--bands", "ndvi") == 0
    assert capsys.readouterr().out.splitlines() == [
        "Written look-cr-ROIs1158_spring-106-p30.png",
        "Written look-ts-ROIs2017-32-patch_3-ndvi.png",
    ]


def test_a_patch_that_is_not_there_is_one_line_with_one_that_is_near(triplets: Path, capsys):
    assert look(triplets, "--patch", "ROIs1158_spring/106/p31") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "has 5 patches" in line
    assert "did you mean ROIs1158_spring/106/p30?" in line


def test_a_series_is_a_page_of_all_its_dates(series: Path):
    assert look(series) == 0
    page = Path("look-ts/index.html").read_text()
    assert page.count("<figure>") == 3
    assert "6 dates" in page


@pytest.mark.parametrize("lacking", ["s1", "s2", "s2_cloudy"])
def test_a_triplet_that_lacks_a_sensor_is_shown_without_it(tmp_path: Path, monkeypatch, lacking: str, capsys):
    monkeypatch.chdir(tmp_path)
    sensors = tuple(sensor for sensor in ("s1", "s2", "s2_cloudy") if sensor != lacking)
    for patch in (1, 2):
        write_triplet(tmp_path / "cr", patch=patch, sensors=sensors)
    assert look("cr") == 0
    assert look("cr", "--patch", "ROIs1158_spring/106/p1") == 0
    assert "note" not in capsys.readouterr().out


def test_a_series_without_radar_says_so(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for patch in (0, 1):
        write_series(tmp_path / "ts", patch=patch, radar=False)
    assert look("ts") == 0
    assert "no Sentinel-1" in Path("look-ts/index.html").read_text()


def test_a_patch_that_cannot_be_read_is_listed_and_the_others_are_shown(triplets: Path, capsys):
    broken = next(triplets.glob("*_s2_cloudy/*/*_p4.tif"))
    broken.write_bytes(b"<script>alert(1)</script>")
    assert look(triplets) == 0
    assert "note  1 of 5 patches cannot be read" in capsys.readouterr().out
    page = Path("look-cr/index.html").read_text()
    assert page.count("<figure>") == 4
    assert "is not a TIFF" in page
    assert "<script" not in page


def test_a_tree_of_which_nothing_can_be_read_is_one_line(triplets: Path, capsys):
    for path in triplets.rglob("*.tif"):
        path.write_bytes(b"nothing")
    assert look(triplets) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not Path("look-cr").exists()


def test_images_of_different_sizes_are_refused_by_name(triplets: Path, capsys):
    path = next(triplets.glob("*_s1/*/*_p30.tif"))
    write_tif(path, radar_db(1, side=16))
    assert look(triplets, "--patch", "ROIs1158_spring/106/p30") == 2
    assert "must be of one size" in capsys.readouterr().err


def test_a_triplet_by_itself_is_known_by_the_names_of_its_files(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_triplet(tmp_path / "cr", patch=5)
    for names in (("s1.tif", "s2.tif", "s2_cloudy.tif"), None):
        folder = tmp_path / ("loose" if names else "loose_as_published")
        folder.mkdir()
        for k, path in enumerate(sorted((tmp_path / "cr").rglob("*.tif"))):
            (folder / (names[k] if names else path.name)).write_bytes(path.read_bytes())
        assert look(folder.name) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Written look-loose_as_published.png"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--date", "2018-01-05"], "--date is of sequences and results"),
        (["--pixel", "1,1"], "--pixel is of sequences and results"),
        (["--bands", "s1"], "Sentinel-1 is shown beside each patch"),
        (["--patch", "ROIs1158_spring/106/p30", "--limit", "2"], "--limit is of a page"),
        (["--out", "x.png"], "a page of patches is a folder"),
        (["--patch", "ROIs1158_spring/106/p30", "--out", "x.webp"], "a picture is written as .png"),
    ],
)
def test_what_does_not_go_together_is_one_line(triplets: Path, options, words: str, capsys):
    assert look(triplets, *options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
