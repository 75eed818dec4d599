"""Hiding takes clear pixels only, leaves something to learn from, and borrows the sequence's own shapes."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.sequence import Bool
from seq2seq.validation.hiding import CloudShapes, hide

SEEDS = st.integers(0, 2**32 - 1)


def some_observed(seed: int, dates: int, height: int, width: int) -> Bool:
    """Dates with everything, with nothing and with a half of another slant."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((height, width))
    observed = np.stack([rng.normal() * (rows - height / 2) + rng.normal() * columns > 0 for _ in range(dates)])
    observed[rng.random(dates) < 0.2] = False
    observed[rng.random(dates) < 0.2] = True
    return observed


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(2, 7), st.integers(3, 12), st.integers(3, 12))
def test_only_observed_pixels_are_hidden_and_one_date_is_left_whole(seed, dates, height, width):
    observed = some_observed(seed, dates, height, width)
    hidden = hide(observed, CloudShapes.of(observed), np.random.default_rng(seed), shaped=0.6, whole=0.4)
    assert not (hidden & ~observed).any()
    assert (~hidden).all(axis=(1, 2)).any()


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_nothing_is_hidden_where_nothing_is_asked_for(seed):
    observed = some_observed(seed, 5, 8, 9)
    assert not hide(observed, CloudShapes.of(observed), np.random.default_rng(seed), shaped=0, whole=0).any()


def test_dates_are_lost_whole_and_in_shapes_about_as_often_as_asked():
    observed = np.full((4000, 6, 6), True)
    observed[:40, :3] = False
    hidden = hide(observed, CloudShapes.of(observed), np.random.default_rng(0), shaped=0.5, whole=0.12)
    share = hidden[40:].mean(axis=(1, 2))
    assert abs((share == 1).mean() - 0.12) < 0.02
    assert abs(((share > 0) & (share < 1)).mean() - 0.5) < 0.03


def test_the_input_is_left_as_it_was():
    observed = some_observed(1, 6, 9, 7)
    before = observed.copy()
    hide(observed, CloudShapes.of(observed), np.random.default_rng(1))
    assert np.array_equal(observed, before)


def test_shapes_are_those_of_partly_hidden_dates():
    observed = np.full((4, 10, 10), True)
    observed[1] = False
    observed[2, :, :3] = False
    observed[3, 0, 0] = False  # one pixel is no shape
    shapes = CloudShapes.of(observed)
    assert np.array_equal(shapes.masks, ~observed[2:3])


def test_a_drawn_shape_hides_as_much_as_the_mask_it_came_from():
    """Stripes fill a third of every whole number of periods, however they are moved, mirrored and turned."""
    mask = np.broadcast_to(np.arange(12) % 3 == 0, (12, 12))
    shapes = CloudShapes(mask[None])
    rng = np.random.default_rng(0)
    drawn = [shapes.draw(rng, (12, 12)) for _ in range(40)]
    assert {piece.mean() for piece in drawn} == {1 / 3}
    assert len({piece.tobytes() for piece in drawn}) == 6  # three phases, two directions


def test_a_shape_can_be_drawn_in_any_size():
    shapes = CloudShapes.of(some_observed(3, 6, 9, 7))
    rng = np.random.default_rng(0)
    assert [shapes.draw(rng, size).shape for size in ((3, 20), (20, 3), (9, 7))] == [(3, 20), (20, 3), (9, 7)]


def test_without_shapes_it_is_a_rectangle():
    shapes = CloudShapes.of(np.full((3, 8, 20), True))
    rng = np.random.default_rng(0)
    for _ in range(50):
        drawn = shapes.draw(rng, (8, 20))
        assert 0 < drawn.mean() < 0.6
        assert np.array_equal(drawn, np.outer(drawn.any(axis=1), drawn.any(axis=0)))
