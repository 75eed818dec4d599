"""Halving pictures: colours of what is there, and no dark seam at what is not."""

import numpy as np
import pytest

from seq2seq.viewing.pyramid import Levels, Pyramid, halved


@pytest.mark.parametrize(("height", "width"), [(4, 6), (5, 7), (1, 1)])
def test_one_colour_stays_what_it_is(height, width):
    picture = np.full((2, height, width, 4), (10, 200, 90, 255), dtype=np.uint8)
    half = halved(picture)
    assert half.shape == (2, -(-height // 2), -(-width // 2), 4)
    assert (half == (10, 200, 90, 255)).all()


def test_what_is_transparent_gives_no_colour():
    picture = np.zeros((1, 2, 2, 4), dtype=np.uint8)
    picture[0, 0, 0] = (100, 150, 200, 255)
    np.testing.assert_array_equal(halved(picture)[0, 0, 0], (100, 150, 200, 64))
    assert not halved(np.zeros((1, 4, 4, 4), dtype=np.uint8)).any()


@pytest.mark.parametrize(("height", "width"), [(41, 70), (100, 33), (16, 16), (129, 129)])
def test_the_whole_and_all_cells_are_visited_once(height, width):
    levels = Levels(height, width, cell_px=16, whole_px=20)
    image = np.random.default_rng(0).integers(0, 255, (1, height, width, 4), dtype=np.uint8)
    image[..., 3] = 255
    cells, whole = {}, {}
    pyramid = Pyramid(
        levels, lambda window: image[(slice(None), *window.slices)], lambda cell, *at: cells.update({at: cell})
    )
    pyramid.visit(lambda cell, *at: whole.update({at: cell}))
    assert set(cells) == {
        (level, r, c)
        for level in range(levels.count)
        for r in range(levels.cells(level)[0])
        for c in range(levels.cells(level)[1])
    }
    expected = image
    for level in range(levels.count + 1):
        found = {at[-2:]: cell for at, cell in (whole if level == levels.count else cells).items()
                 if level == levels.count or at[0] == level}  # fmt: skip
        rows = [np.concatenate([found[r, c] for c in range(levels.cells(level)[1])], axis=2)
                for r in range(levels.cells(level)[0])]  # fmt: skip
        np.testing.assert_array_equal(np.concatenate(rows, axis=1), expected)
        expected = halved(expected)
