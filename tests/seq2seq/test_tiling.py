"""Tiles cover the scene evenly, and blending what was split gives back the scene."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.errors import ConfigError
from seq2seq.tiling import Tile, blend_weights, blend_window, plan_tiles

lengths = st.integers(1, 90)
tile_sizes = st.integers(4, 40)


@st.composite
def plans(draw):
    height, width, tile_px = draw(lengths), draw(lengths), draw(tile_sizes)
    overlap_px = draw(st.integers(0, tile_px // 2))
    return height, width, tile_px, overlap_px, plan_tiles(height, width, tile_px=tile_px, overlap_px=overlap_px)


def split(scene):
    return lambda tile, rows, columns: scene[..., tile.rows, tile.columns][..., rows, columns]


@given(plan=plans(), seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_blending_what_was_split_gives_back_the_scene(plan, seed):
    height, width, _, overlap_px, tiles = plan
    scene = np.random.default_rng(seed).random((2, height, width), dtype=np.float32)
    result = blend_window(tiles, slice(0, height), slice(0, width), split(scene), overlap_px=overlap_px)
    assert result.dtype == scene.dtype
    np.testing.assert_array_equal(result, scene)


@given(plan=plans(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_window_is_that_part_of_the_whole(plan, data):
    height, width, _, overlap_px, tiles = plan
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    rows = slice(top, data.draw(st.integers(top + 1, height)))
    columns = slice(left, data.draw(st.integers(left + 1, width)))
    noise = [np.random.default_rng(tile.index).random(tile.shape, dtype=np.float32) for tile in tiles]

    def part(tile, tile_rows, tile_columns):
        return noise[tile.index][tile_rows, tile_columns]

    whole = blend_window(tiles, slice(0, height), slice(0, width), part, overlap_px=overlap_px)
    window = blend_window(tiles, rows, columns, part, overlap_px=overlap_px)
    np.testing.assert_array_equal(window, whole[rows, columns])


@given(plans())
@settings(max_examples=100, deadline=None)
def test_tiles_have_one_size_cover_the_scene_and_share_the_overlap(plan):
    height, width, tile_px, overlap_px, tiles = plan
    covered = np.zeros((height, width), int)
    for tile in tiles:
        covered[tile.rows, tile.columns] += 1
    assert covered.min() >= 1
    assert len({tile.shape for tile in tiles}) == 1
    assert [tile.index for tile in tiles] == list(range(len(tiles)))
    for axis, length in (("rows", height), ("columns", width)):
        cuts = sorted({(getattr(tile, axis).start, getattr(tile, axis).stop) for tile in tiles})
        assert all(stop - start <= tile_px for start, stop in cuts)
        assert all(before[1] - after[0] >= overlap_px for before, after in pairwise(cuts))
        assert (len(cuts) == 1) == (length <= tile_px)
        assert cuts[0][1] - cuts[0][0] >= min(length, tile_px / 2)


def test_a_scene_that_fits_is_one_tile_of_weight_one():
    tiles = plan_tiles(100, 80, tile_px=128, overlap_px=32)
    assert tiles == (Tile(0, slice(0, 100), slice(0, 80)),)
    np.testing.assert_array_equal(blend_weights(tiles[0], 100, 80, 32), 1)


@given(plans())
@settings(max_examples=40, deadline=None)
def test_weights_are_positive_and_fall_only_towards_edges_inside_the_scene(plan):
    height, width, _, overlap_px, tiles = plan
    for tile in tiles:
        weights = blend_weights(tile, height, width, overlap_px)
        assert weights.shape == tile.shape
        assert weights.dtype == np.float32
        assert weights.min() > 0
        assert weights.max() <= 1
    assert blend_weights(tiles[0], height, width, overlap_px)[0, 0] == blend_weights(tiles[0], height, width, 0)[0, 0]


def test_a_step_between_two_tiles_becomes_a_smooth_ramp():
    tiles = plan_tiles(8, 48, tile_px=32, overlap_px=16)
    profile = blend_window(
        tiles,
        slice(0, 1),
        slice(0, 48),
        lambda tile, rows, columns: np.full((8, 32), tile.index, np.float32)[rows, columns],
        overlap_px=16,
    )[0]
    assert (profile[:16] == 0).all()
    assert (profile[32:] == 1).all()
    assert (np.diff(profile) >= 0).all()
    assert np.diff(profile).max() < 0.11


def test_parts_outside_the_window_are_never_asked_for():
    tiles = plan_tiles(64, 64, tile_px=32, overlap_px=8)
    asked = []

    def part(tile, rows, columns):
        asked.append(tile.index)
        assert rows.stop - rows.start <= 4
        return np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.float32)

    blend_window(tiles, slice(0, 4), slice(0, 4), part, overlap_px=8)
    assert asked == [0]


@pytest.mark.parametrize(("tile_px", "overlap_px"), [(32, 17), (32, -1), (0, 0)])
def test_an_overlap_of_more_than_half_a_tile_is_refused(tile_px, overlap_px):
    with pytest.raises(ConfigError, match=f"overlap_px {overlap_px}"):
        plan_tiles(100, 100, tile_px=tile_px, overlap_px=overlap_px)


def test_a_window_outside_the_plan_is_refused():
    tiles = plan_tiles(20, 20, tile_px=32, overlap_px=8)
    with pytest.raises(ValueError, match="plan of 20 x 20 px"):
        blend_window(tiles, slice(0, 21), slice(0, 20), split(np.zeros((20, 20), np.float32)), overlap_px=8)
