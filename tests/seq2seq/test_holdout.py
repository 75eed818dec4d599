"""What is hidden to prove the fit is clear, leaves something to learn from, and is judged by kind of date and gap."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quick_engine import observations

from seq2seq.validation.holdout import choose_holdout, fully_clouded_dates, gap_class


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(1, 9), st.integers(0, 10))
def test_held_out_pixels_are_observed_and_leave_something_to_fit(seed, dates, fully_clouded):
    rng = np.random.default_rng(seed)
    observed = rng.random((dates, 9, 11)) < rng.random((dates, 1, 1)) * 1.5
    observed[rng.random(dates) < fully_clouded / 10] = False
    held_out = choose_holdout(observed, seed)
    assert not (held_out & ~observed).any()
    assert not observed.any() or (observed & ~held_out).any()
    assert np.array_equal(held_out, choose_holdout(observed, seed))


def test_whole_dates_and_parts_of_dates_are_held_out_by_seed():
    observed = observations(dates=12, size=24, cloud=0.5).s2.observed
    chosen = [choose_holdout(observed, seed) for seed in range(3)]
    assert len({held_out.tobytes() for held_out in chosen}) == 3
    for held_out in chosen:
        whole = (held_out == observed).all(axis=(1, 2)) & observed.any(axis=(1, 2))
        parts = held_out.any(axis=(1, 2)) & ~whole
        assert whole.sum() >= 1
        assert parts.sum() >= 1
        assert held_out.sum() < 0.5 * observed.sum()


@pytest.mark.parametrize("seed", range(20))
def test_two_clear_dates_are_enough_for_a_proof(seed):
    assert choose_holdout(np.full((2, 12, 12), True), seed).any()


def test_a_single_clear_date_is_not_given_away():
    observed = np.zeros((3, 8, 8), bool)
    observed[1] = True
    assert not choose_holdout(observed, 0).any()


def test_gap_classes_begin_at_their_edges():
    assert gap_class(np.float32([0, 19, 20, 44, 45, 80, 160, 9999])).tolist() == [0, 0, 1, 1, 2, 3, 4, 4]


def test_a_date_is_lost_where_next_to_nothing_of_it_is_seen():
    visible = np.zeros((3, 10, 10), bool)
    visible[1, 0] = True
    visible[2, :2] = True
    assert fully_clouded_dates(visible).tolist() == [True, True, False]
