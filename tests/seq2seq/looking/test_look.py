"""`decloud look`: pictures named for what they show, one line where there is none, no file of others replaced."""

import itertools
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from sequence_files import s1_db, write_sequence

from seq2seq.commands import main as cli
from seq2seq.looking.paint import no_data_colour


def look(*arguments: object) -> int:
    """The exit code of the command."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["look", *map(str, arguments)])
    return int(ended.value.code or 0)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def written(capsys: pytest.CaptureFixture[str]) -> Path:
    """The file that the command says it has written."""
    *_, last = capsys.readouterr().out.splitlines()
    assert last.startswith("Written ")
    return Path(last.removeprefix("Written "))


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line of an error; nothing is written."""
    before = sorted(Path().rglob("*"))
    assert look(*arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("decloud: error: ")
    assert sorted(Path().rglob("*")) == before
    return line


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ([], "look-meadows.png"),
        (["--bands", "false"], "look-meadows-false.png"),
        (["--bands", "ndvi", "--mask", "hatch"], "look-meadows-ndvi.png"),
        (["--bands", "s1"], "look-meadows-s1.png"),
        (["--pixel", "3,4", "--pixel", "30,2"], "look-meadows-series.png"),
        (["--window", "4,5,12,20"], "look-meadows-4-5-12-20.png"),
        (["--animate"], "look-meadows.webp"),
    ],
)
def test_a_sequence_is_a_picture_in_the_working_directory(sequence: Path, options, name, capsys):
    assert look(sequence, *options) == 0
    assert written(capsys) == Path(name)
    with Image.open(name) as picture:
        assert picture.format == ("WEBP" if name.endswith("webp") else "PNG")
        assert min(picture.size) > 100


def test_one_date_is_large_and_every_pixel_a_square(sequence: Path, capsys):
    date = sorted(path.stem for path in (sequence / "S2").glob("*.tif"))[2]
    assert look(sequence, "--date", date, "--mask", "none") == 0
    with Image.open(written(capsys)) as image:
        picture = np.asarray(image.convert("RGB"))
    zoom = 960 // 40
    squares = picture[79 : 79 + 32 * zoom, 18 : 18 + 40 * zoom].reshape(32, zoom, 40, zoom, 3)
    assert (squares == squares[:, :1, :, :1]).all()
    assert len(np.unique(squares[:, 0, :, 0].reshape(-1, 3), axis=0)) > 200


def test_what_is_looked_at_is_never_touched(sequence: Path, result: Path, capsys):
    before = {path: path.read_bytes() for folder in (sequence, result) for path in folder.rglob("*") if path.is_file()}
    for arguments in ([sequence], [result], [result, "--pixel", "1,1"]):
        assert look(*arguments, "--quiet") == 0
    after = {path: path.read_bytes() for folder in (sequence, result) for path in folder.rglob("*") if path.is_file()}
    assert after == before
    assert capsys.readouterr().out == ""


def test_the_same_input_gives_the_same_bytes(sequence: Path):
    for out in ("a.png", "b.png"):
        assert look(sequence, "--out", out) == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


@pytest.mark.parametrize("options", [[], ["--bands", "ndvi"], ["--pixel", "9,9"]])
def test_a_result_is_looked_at_beside_its_input(result: Path, options, capsys):
    assert look(result, *options) == 0
    assert "note" not in capsys.readouterr().out


def test_a_result_is_wider_than_its_input_because_it_has_three_images_a_date(sequence: Path, result: Path):
    date = sorted(path.stem for path in (sequence / "S2").glob("*.tif"))[0]
    widths = []
    for path in (sequence, result):
        assert look(path, "--date", date, "--out", "date.png") == 0
        with Image.open("date.png") as picture:
            widths.append(picture.width)
    assert widths[1] > 1.5 * widths[0]


@pytest.mark.parametrize("suffix", ["webp", "gif"])
def test_an_animation_has_a_frame_for_each_date_and_plays_for_ever(result: Path, suffix: str):
    assert look(result, "--out", f"film.{suffix}") == 0
    with Image.open(f"film.{suffix}") as film:
        assert film.format == suffix.upper()
        assert film.n_frames == 6
        assert film.info["loop"] == 0
        frames = []
        for number in range(film.n_frames):
            film.seek(number)
            frames.append(np.asarray(film.convert("RGB"), dtype=int))
    assert all((one != other).any() for one, other in itertools.pairwise(frames))
    assert film.width > film.height, "before and after lie side by side"


def moved(result: Path, folder: Path) -> Path:
    """The result without the sequence that it came from."""
    copied = shutil.copytree(result, folder)
    report = copied / "report.json"
    text = report.read_text()
    report.write_text(text.replace("looked-at", "nowhere"))
    assert report.read_text() != text
    return copied


def grey_pixels(path: Path) -> int:
    """Pixels in the colour of no data."""
    with Image.open(path) as picture:
        return int((np.asarray(picture.convert("RGB")) == no_data_colour()).all(-1).sum())


def test_a_result_without_its_input_shows_what_was_observed_and_says_so(sequence: Path, result: Path, capsys):
    copied = moved(result, Path("moved"))
    assert look(copied, "--out", "without.png") == 0
    said = capsys.readouterr().out
    assert "note  the input cannot be read" in said
    assert "--input" in said
    assert look(copied, "--input", sequence, "--out", "with.png") == 0
    assert "note" not in capsys.readouterr().out
    assert grey_pixels(Path("without.png")) > grey_pixels(Path("with.png")) + 5000


def test_an_input_that_has_changed_is_not_shown_as_what_was_before(sequence: Path, result: Path, tmp_path, capsys):
    changed = shutil.copytree(sequence, tmp_path / "changed")
    path = sorted((changed / "S2").glob("*.tif"))[0]
    with rasterio.open(path, "r+") as file:
        file.write(file.read() + 1)
    copied = shutil.copytree(result, Path("copied"))
    report = copied / "report.json"
    report.write_text(report.read_text().replace(str(sequence), str(changed)))
    assert look(copied) == 0
    assert "has changed since the run" in capsys.readouterr().out
    assert look(copied, "--input", changed) == 0
    assert "is not, byte by byte, what" in capsys.readouterr().out


def test_an_input_of_another_grid_or_dates_is_refused(result: Path, tmp_path: Path, capsys):
    other = write_sequence(tmp_path / "other")
    assert "has other dates or another grid" in refused(capsys, result, "--input", other)


def test_a_picture_of_ours_is_replaced_and_any_other_file_is_not(sequence: Path, capsys):
    assert look(sequence, "--out", "x.png") == look(sequence, "--out", "x.png") == 0
    capsys.readouterr()
    Image.new("RGB", (5, 5)).save("mine.png")
    assert "mine.png: exists, and decloud look has not written it" in refused(capsys, sequence, "--out", "mine.png")
    assert look(sequence, "--out", "mine.png", "--overwrite") == 0


@pytest.mark.parametrize("name", ["x.jpg", "x.webp", "x.gif"])
def test_every_kind_of_file_is_known_again(sequence: Path, name: str):
    assert look(sequence, "--out", name) == 0
    assert look(sequence, "--out", name) == 0


def test_a_folder_gets_the_picture_under_its_own_name(sequence: Path, capsys):
    Path("pictures").mkdir()
    assert look(sequence, "--out", "pictures") == 0
    assert written(capsys) == Path("pictures/look-meadows.png")
    assert look(sequence, "--bands", "false", "--out", "new/folder") == 0
    assert written(capsys) == Path("new/folder/look-meadows-false.png")


def test_bands_that_lack_are_replaced_and_said_or_refused_where_they_were_asked_for(tmp_path: Path, capsys):
    path = write_sequence(tmp_path / "infrared", bands=("B05", "B8A", "B11", "B12"))
    assert look(path) == 0
    assert "note  no B04 B03 B02: shown is false colour B12 B11 B05" in capsys.readouterr().out
    assert "--bands rgb needs B04, B03, B02, and it lacks" in refused(capsys, path, "--bands", "rgb")
    assert "--bands s1 needs VV, VH, and it has no Sentinel-1" in refused(capsys, path, "--bands", "s1")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--date", "2021-13-01"], "a date is written as"),
        (["--date", "1999-01-01"], "6 dates, .* and not this one; nearest is "),
        (["--pixel", "99,0"], "row 99, column 0, outside"),
        (["--point", "120,10"], "outside|nowhere"),
        (["--window", "0,0,99,1"], "is not inside meadows, 32 rows and 40 columns"),
        (["--window", "0,0,1"], "must be ROW,COL,HEIGHT,WIDTH"),
        (["--out", "x.tif"], "is written as .png"),
        (["--animate", "--out", "x.png"], "an animation is written as .webp, .gif"),
        (["--out", "x.gif", "--pixel", "1,1"], "an animation is of all dates"),
        (["--own-stretch"], "name it with --date"),
        (["--pixel", "1,1", "--window", "0,0,9,9"], "leave out --date and --window"),
        (["--patch", "p1"], "--patch is of SEN12MS-CR"),
        (["--limit", "3"], "--limit is of SEN12MS-CR"),
        (["--input", "elsewhere"], "is no result of decloud run"),
    ],
)
def test_what_cannot_be_is_one_line(sequence: Path, options, words, capsys):
    assert re.search(words, refused(capsys, sequence, *options))


def test_a_result_has_no_radar(result: Path, capsys):
    assert "is a result, which has no radar" in refused(capsys, result, "--bands", "s1")


@pytest.mark.parametrize("broken", ["report", "raster", "missing"])
def test_a_broken_result_is_one_line_that_names_the_file(result: Path, broken: str, capsys):
    copied = shutil.copytree(result, Path("broken"))
    raster = sorted((copied / "uncertainty").glob("*.tif"))[1]
    if broken == "report":
        (copied / "report.json").write_text('{"input": 3}')
    elif broken == "raster":
        raster.write_bytes(b"II*\0 and no more")
    else:
        raster.unlink()
    assert ("report.json" if broken == "report" else raster.name) in refused(capsys, copied)


def test_nothing_is_written_into_what_is_looked_at(sequence: Path, result: Path, capsys):
    for path in (sequence, result):
        assert "lies inside the input" in refused(capsys, path, "--out", path / "x.png")


def test_neither_an_input_nor_a_path_that_is_not_there_is_a_trace(tmp_path: Path, capsys):
    assert "does not exist" in refused(capsys, tmp_path / "nothing")


def test_a_zip_is_looked_at_like_its_folder(tmp_path: Path, capsys):
    write_sequence(tmp_path / "farm", s1=s1_db())
    archive = shutil.make_archive(str(tmp_path / "farm"), "zip", tmp_path / "farm")
    assert look(archive, "--bands", "s1") == 0
    assert written(capsys) == Path("look-farm-s1.png")


def test_help_teaches_by_examples(capsys):
    assert look("--help") == 0
    assert "  decloud look " in capsys.readouterr().out
