"""Sheets: every date once, in its own colours, with what a reader has to know below."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.config import ReconstructionConfig
from seq2seq.looking.animation import film
from seq2seq.looking.glance import Wish, take_glances
from seq2seq.looking.layout import INK, MASK, Swatch, blank, framed, text_width, wrapped
from seq2seq.looking.look import Request, look_at_scene
from seq2seq.looking.paint import fit_paint
from seq2seq.looking.scene import SceneInfo, SequenceScene
from seq2seq.looking.sheet import Painter, cell_words, columns_for, contact_sheet, grid, panels, side_px, zoom_for
from seq2seq.looking.views import choose_view
from seq2seq.readers import open_sequence


def looked_at(sequence: Path, max_px: int = 64) -> tuple[SceneInfo, object, object]:
    with open_sequence(sequence) as source:
        scene = SequenceScene(source)
        view, _ = choose_view(None, scene.info.bands, (), name="x")
        (glance,) = take_glances(scene, view, [Wish(tuple(range(6)), max_px)])
    return scene.info, glance, fit_paint(view, glance.before, glance.clear)


def contains(picture: np.ndarray, part: np.ndarray) -> bool:
    """Whether the part lies somewhere in the picture, pixel by pixel."""
    height, width = part.shape[:2]
    corners = np.argwhere((picture == part[0, 0]).all(-1))
    return any(
        np.array_equal(picture[row : row + height, column : column + width], part)
        for row, column in corners
        if row + height <= picture.shape[0] and column + width <= picture.shape[1]
    )


def test_every_date_lies_on_the_sheet_in_one_stretch(sequence: Path):
    info, glance, paint = looked_at(sequence)
    sheet = np.asarray(contact_sheet(info, glance, paint, style="none", captions=()))
    zoom = zoom_for(glance.shape, side_px(6))
    for image in glance.before:
        assert contains(sheet, paint(image).repeat(zoom, 0).repeat(zoom, 1))


def test_the_mask_s_colour_is_on_the_sheet_only_where_it_is_drawn(sequence: Path):
    info, glance, paint = looked_at(sequence)
    for style, drawn in (("outline", True), ("hatch", True), ("none", False)):
        sheet = np.asarray(contact_sheet(info, glance, paint, style=style, captions=()))
        assert (sheet == MASK).all(-1).any() == drawn


def test_frames_are_of_one_size_and_differ(sequence: Path):
    info, glance, paint = looked_at(sequence)
    moving = film(info, glance, paint, style="outline")
    assert len(moving.frames) == len(moving.durations_ms) == 6
    assert len({frame.size for frame in moving.frames}) == 1
    images = [np.asarray(frame) for frame in moving.frames]
    assert all((one != other).any() for one, other in itertools.combinations(images, 2))
    assert moving.durations_ms[-1] > moving.durations_ms[0]


@given(st.integers(1, 400), st.integers(60, 900), st.integers(60, 900))
def test_a_sheet_has_room_for_all_and_no_empty_column(count: int, across: int, down: int):
    columns = columns_for(count, across, down)
    assert 1 <= columns <= count


@pytest.mark.parametrize(("count", "across", "down"), [(39, 200, 230), (20, 210, 236), (12, 400, 170), (136, 136, 160)])
def test_a_sheet_is_wider_than_tall_and_no_ribbon(count: int, across: int, down: int):
    columns = columns_for(count, across, down)
    assert 1.1 < columns * across / (-(-count // columns) * down) < 2.4


@given(st.integers(1, 12_000), st.integers(1, 12_000), st.integers(100, 600))
def test_cells_are_enlarged_to_about_the_side_and_never_shrunk(height: int, width: int, side: int):
    zoom = zoom_for((height, width), side)
    assert zoom >= 1
    assert zoom == 1 or 0.6 * side <= zoom * max(height, width) <= 1.5 * side


def test_more_dates_are_smaller_and_never_too_small_to_see():
    sides = [side_px(count) for count in range(1, 300)]
    assert sides == sorted(sides, reverse=True)
    assert min(sides) >= 128


def test_bars_are_as_long_as_the_share_and_missing_where_there_is_none():
    image = np.zeros((40, 100, 3), np.uint8)
    lengths = []
    for share in (0.0, 0.25, 1.0, None):
        drawn = np.asarray(grid([[image]], [("2021-05-01", "x")], [share], ()))
        lengths.append(int((drawn[20:23] == (128, 142, 160)).all(-1).sum(1).max()))
    assert lengths[0] == lengths[3] == 0
    assert lengths[2] == pytest.approx(4 * lengths[1], abs=3)


def test_reduced_scenes_say_so_and_others_do_not(sequence: Path):
    for max_px, said in ((64, []), (10, ["Every square is the mean of 4 x 4 pixels of the grid."])):
        _, glance, _ = looked_at(sequence, max_px)
        assert cell_words(glance) == said


@given(st.text("abc  defg", min_size=1, max_size=200), st.integers(40, 300))
def test_wrapping_keeps_every_word_in_order_and_within_the_width(text: str, width: int):
    lines = wrapped(text, 13, width)
    assert " ".join(lines) == text
    assert all(text_width(line, 13) <= width or " " not in line for line in lines)


def test_a_legend_that_is_too_wide_goes_on_below():
    body = blank(300, 20)
    few, many = (
        framed(body, title="t", facts="f", legend=[Swatch("a long explanation of it", INK)] * count) for count in (1, 9)
    )
    assert few.width == many.width
    assert many.height > few.height + 3 * 20


def test_a_picture_of_a_result_is_dark_where_a_pixel_was_observed(result: Path):
    from seq2seq.looking.result import open_result

    with open_result(result, source=None, max_memory_gb=1) as scene:
        view, _ = choose_view(None, scene.info.bands, (), name="x")
        (glance,) = take_glances(scene, view, [Wish(tuple(range(6)), 64)])
    paint = fit_paint(view, glance.before, glance.clear)
    shown, key = panels(glance, Painter(paint, "none", 1))
    assert key is not None
    for (_, after, sigma), image, masked in zip(shown, glance.after, glance.masked, strict=True):
        np.testing.assert_array_equal(after, paint(image))
        assert len(np.unique(sigma[~masked], axis=0)) <= 1


def test_one_date_has_the_scale_of_uncertainty_of_all(result: Path, monkeypatch: pytest.MonkeyPatch):
    scales = []
    real = panels

    def noted(glance: object, painter: Painter) -> object:
        shown, key = real(glance, painter)
        scales.append(key.ramp.high)
        return shown, key

    monkeypatch.setattr("seq2seq.looking.sheet.panels", noted)
    monkeypatch.setattr("seq2seq.looking.single.panels", noted)
    for k, date in enumerate((None, *sorted(path.stem for path in (result / "declouded").glob("*.tif")))):
        out = result.parent / f"scale-{k}.png"
        look_at_scene(result, Request(date=date), ReconstructionConfig(), out=out)
    assert len(scales) == 7
    assert scales == pytest.approx([scales[0]] * 7, rel=1e-4)
