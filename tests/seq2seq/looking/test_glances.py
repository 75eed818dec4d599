"""Glances: the same however a scene is read, and of a result what its files hold."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.looking.glance import Wish, take_glances
from seq2seq.looking.result import is_result, open_result
from seq2seq.looking.scene import SequenceScene, split_window
from seq2seq.looking.views import choose_view
from seq2seq.readers import open_sequence
from seq2seq.readers.contents import Window

MEMORY_GB = 1.0


@pytest.mark.parametrize("bands", [None, "ndvi", "s1"])
def test_a_glance_does_not_depend_on_the_windows_that_are_read(sequence: Path, bands, monkeypatch):
    monkeypatch.setattr("seq2seq.looking.scene._SMALLEST_SIDE", 7)
    with open_sequence(sequence) as source:
        scene = SequenceScene(source)
        view, _ = choose_view(bands, scene.info.bands, scene.info.s1_bands, name="x")
        wish = [Wish((0, 2, 5), 13)]
        (whole,) = take_glances(scene, view, wish)
        (cut,) = take_glances(scene, view, wish, budget_bytes=scene.bytes_per_pixel * 90)
    np.testing.assert_allclose(cut.before, whole.before, rtol=1e-4, equal_nan=True)
    np.testing.assert_allclose(cut.cloud, whole.cloud, rtol=1e-6)


def test_what_is_read_at_once_keeps_to_the_budget(sequence: Path, monkeypatch):
    monkeypatch.setattr("seq2seq.looking.scene._SMALLEST_SIDE", 4)
    with open_sequence(sequence) as source:
        scene = SequenceScene(source)
        read, sizes = scene.read, []
        scene.read = lambda area, view: sizes.append(area.shape[0] * area.shape[1]) or read(area, view)
        view, _ = choose_view(None, scene.info.bands, (), name="x")
        take_glances(scene, view, [Wish((0,), 40)], budget_bytes=scene.bytes_per_pixel * 100)
    assert max(sizes) <= 100
    assert sum(sizes) == 32 * 40


def test_a_glance_at_all_pixels_is_the_image_and_its_mask(sequence: Path):
    with open_sequence(sequence) as source:
        scene, observations = SequenceScene(source), source.read()
        view, _ = choose_view(None, scene.info.bands, (), name="x")
        (glance,) = take_glances(scene, view, [Wish(tuple(range(6)), 64)])
    assert glance.cell_px == 1
    np.testing.assert_array_equal(glance.masked, observations.cloud_mask)
    pixels = observations.s2.pixels[:, [observations.s2.bands.index(band) for band in view.bands]]
    clear = np.broadcast_to(~observations.cloud_mask[:, None], pixels.shape)
    np.testing.assert_allclose(glance.before[clear], pixels[clear], rtol=1e-5)


def test_a_window_is_the_crop_of_the_whole(sequence: Path):
    with open_sequence(sequence) as source:
        scene = SequenceScene(source)
        view, _ = choose_view("false", scene.info.bands, (), name="x")
        wish = [Wish((1,), 64)]
        (whole,) = take_glances(scene, view, wish)
        (part,) = take_glances(scene, view, wish, area=Window(5, 20, 8, 31))
    np.testing.assert_array_equal(part.before, whole.before[:, :, 5:20, 8:31])


def test_several_wishes_are_one_pass(sequence: Path):
    with open_sequence(sequence) as source:
        scene = SequenceScene(source)
        view, _ = choose_view(None, scene.info.bands, (), name="x")
        large, small = take_glances(scene, view, [Wish((2,), 40), Wish((0, 1, 2), 10)])
        (alone,) = take_glances(scene, view, [Wish((2,), 40)])
    np.testing.assert_array_equal(large.before, alone.before)
    assert max(small.shape) == 10


@given(rows=st.integers(1, 90), columns=st.integers(1, 90), pixels=st.integers(1, 3000))
@settings(max_examples=60, deadline=None)
def test_the_parts_of_an_area_cover_it_once(rows, columns, pixels):
    seen = np.zeros((rows + 3, columns + 5), int)
    for part in split_window(Window(3, rows + 3, 5, columns + 5), 1, pixels):
        seen[part.slices] += 1
    assert (seen[3:, 5:] == 1).all()
    assert seen[:3].sum() + seen[:, :5].sum() == 0


def test_a_result_is_known_by_its_files_and_a_sequence_is_none(sequence: Path, result: Path):
    assert is_result(result)
    assert not is_result(sequence)


def test_after_is_what_the_files_hold_and_before_is_the_input(sequence: Path, result: Path):
    with open_result(result, source=None, max_memory_gb=MEMORY_GB) as scene, open_sequence(sequence) as source:
        view, _ = choose_view(None, scene.info.bands, (), name="x")
        (glance,) = take_glances(scene, view, [Wish(tuple(range(6)), 64)])
        (given_,) = take_glances(SequenceScene(source), view, [Wish(tuple(range(6)), 64)])
    np.testing.assert_array_equal(glance.before, given_.before)
    for t, date in enumerate(scene.info.dates):
        with rasterio.open(result / "declouded" / f"{date}.tif") as file:
            stored = file.read([file.descriptions.index(band) + 1 for band in view.bands])
        np.testing.assert_allclose(glance.after[t], stored * 1e-4, atol=1e-6)


def test_uncertainty_is_nothing_where_a_pixel_was_observed(result: Path):
    with open_result(result, source=None, max_memory_gb=MEMORY_GB) as scene:
        for bands in (None, "ndvi"):
            view, _ = choose_view(bands, scene.info.bands, (), name="x")
            (glance,) = take_glances(scene, view, [Wish(tuple(range(6)), 64)])
            assert (glance.sigma[~glance.masked] == 0).all()
            assert (glance.sigma[glance.masked] > 0).mean() > 0.95


def test_rows_where_enough_of_them_fit_and_squares_where_not():
    wide = list(split_window(Window(0, 500, 0, 1000), 1, 100_000))
    assert {part.shape[1] for part in wide} == {1000}
    narrow = [part.shape for part in split_window(Window(0, 500, 0, 1000), 1, 20_000)]
    assert max(itertools.chain(*narrow)) <= 141
