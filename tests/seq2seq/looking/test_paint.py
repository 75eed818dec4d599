"""Colours: one scale for all dates, led by no cloud; masks are drawn where they are and nowhere else."""

import numpy as np
import pytest

from seq2seq.bands import L2A, S1_BANDS
from seq2seq.looking.paint import Ramp, enlarged, fit_paint, no_data_colour, sigma_ramp, with_mask
from seq2seq.looking.views import possible_views

VIEWS = possible_views(L2A, S1_BANDS)
PINK = (255, 45, 150)


def scene(choice: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(T, C, h, w) as shown, and where it is clear."""
    generator = np.random.default_rng(seed)
    view = VIEWS[choice]
    low, high = (-20, -5) if view.radar else (0.05, 0.3)
    pixels = generator.uniform(low, high, (3, len(view.bands), 12, 10)).astype(np.float32)
    clear = generator.random((3, 12, 10)) > 0.3
    return view.channels(view.additive(pixels)), clear


@pytest.mark.parametrize("choice", ["rgb", "false", "ndvi"])
def test_what_lies_under_clouds_does_not_change_the_scale(choice):
    channels, clear = scene(choice)
    bright = np.where(clear[:, None], channels, channels + np.float32(0.7))
    one, other = (fit_paint(VIEWS[choice], each, clear) for each in (channels, bright))
    np.testing.assert_array_equal(one(channels[0]), other(channels[0]))
    assert one.caption() == other.caption()


def test_radar_is_stretched_by_all_pixels_because_it_sees_through_clouds():
    channels, clear = scene("s1")
    one, other = (fit_paint(VIEWS["s1"], channels, each) for each in (clear, np.zeros_like(clear)))
    np.testing.assert_array_equal(one.scale.low, other.scale.low)
    assert "percentile of all pixels." in one.caption()


def test_a_scene_without_a_clear_pixel_is_stretched_by_all_and_the_caption_says_so():
    channels, clear = scene("rgb")
    paint = fit_paint(VIEWS["rgb"], channels, np.zeros_like(clear))
    assert not paint.clear
    assert "hardly any is clear" in paint.caption()


def test_the_caption_has_the_bands_with_the_ends_of_their_stretch():
    channels, clear = scene("rgb")
    paint = fit_paint(VIEWS["rgb"], channels, clear)
    caption = paint.caption()
    assert "one stretch for all dates" in caption
    for band, low in zip(("B04", "B03", "B02"), paint.scale.low, strict=True):
        assert f"{band} {low:.3f} to" in caption


def test_the_scale_of_an_index_ends_at_round_values_that_hold_nearly_all_of_it():
    channels, clear = scene("ndvi")
    ramp = fit_paint(VIEWS["ndvi"], channels, clear).ramp
    values = channels[:, 0][clear]
    assert ramp.low <= np.percentile(values, 1) < np.percentile(values, 99) <= ramp.high
    assert round(ramp.low * 10) == pytest.approx(ramp.low * 10)


def test_a_ramp_has_its_ends_beyond_its_ends_and_lightness_that_only_falls_or_grows():
    for ramp in (fit_paint(VIEWS["ndvi"], *scene("ndvi")).ramp, sigma_ramp(np.linspace(0, 0.1, 50, dtype=np.float32))):
        span = ramp.high - ramp.low
        values = np.linspace(ramp.low - span, ramp.high + span, 31, dtype=np.float32)[None, None]
        painted = ramp.apply(values)[0].astype(float)
        assert len(np.unique(painted[:10], axis=0)) == len(np.unique(painted[-10:], axis=0)) == 1
        steps = np.diff(painted @ [0.2126, 0.7152, 0.0722])
        assert (steps <= 1e-9).all() or (steps >= -1e-9).all()


def test_no_data_has_one_colour_in_all_pictures():
    nothing = np.full((1, 1, 1), np.nan, dtype=np.float32)
    assert tuple(Ramp(("#ffffff", "#000000"), 0, 1).apply(nothing)[0, 0]) == no_data_colour()
    for choice in ("rgb", "s1"):
        paint = fit_paint(VIEWS[choice], *scene(choice))
        assert tuple(paint(nothing.repeat(3, 0))[0, 0]) == no_data_colour()


@pytest.mark.parametrize("style", ["outline", "hatch"])
def test_a_mask_is_drawn_inside_itself_only(style):
    mask = np.random.default_rng(1).random((20, 30)) > 0.5
    drawn = with_mask(np.zeros((20, 30, 3), np.uint8), mask, style, PINK)
    touched = drawn.any(axis=-1)
    assert touched.any()
    assert not touched[~mask].any()


def test_an_outline_goes_around_and_leaves_the_inside_to_be_seen():
    mask = np.zeros((20, 30), bool)
    mask[4:14, 5:25] = True
    touched = with_mask(np.zeros((20, 30, 3), np.uint8), mask, "outline", PINK).any(axis=-1)
    assert touched[4, 5:25].all()
    assert touched[4:14, 24].all()
    assert not touched[5:13, 6:24].any()


def test_a_date_that_is_all_cloud_has_a_frame():
    touched = with_mask(np.zeros((6, 6, 3), np.uint8), np.ones((6, 6), bool), "outline", PINK).any(axis=-1)
    assert touched[0].all()
    assert touched[:, -1].all()
    assert not touched[1:-1, 1:-1].any()


def test_without_a_style_the_image_is_as_it_was():
    image = np.random.default_rng(2).integers(0, 255, (4, 5, 3)).astype(np.uint8)
    assert with_mask(image, np.ones((4, 5), bool), "none", PINK) is image


def test_enlarging_makes_squares_and_no_new_values():
    image = np.random.default_rng(3).integers(0, 255, (4, 5, 3)).astype(np.uint8)
    large = enlarged(image, 3)
    assert large.shape == (12, 15, 3)
    for row, column in ((0, 0), (1, 2), (2, 1)):
        np.testing.assert_array_equal(large[row::3, column::3], image)
