"""Interpolation in time against a naive loop, and the rules of neighbours and gaps."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.errors import MissingDataError
from seq2seq.interpolation import (
    NO_NEIGHBOUR_DAYS,
    gap_length,
    linear_interpolation,
    mean_spectrum,
    nearest_date,
    temporal_neighbours,
)

cases = st.tuples(st.integers(0, 10_000), st.integers(1, 7), st.floats(0.05, 0.95))


def random_case(seed, dates, share, bands=2, size=5):
    rng = np.random.default_rng(seed)
    pixels = rng.random((dates, bands, size, size)).astype(np.float32)
    observed = rng.random((dates, size, size)) < share
    observed[0, 0, 0] = True  # something is always seen, and something never
    observed[:, -1, -1] = False
    return pixels, observed, np.cumsum(rng.integers(1, 30, dates))


def naive(pixels, observed, days, kind):
    out = np.empty_like(pixels)
    mean = np.moveaxis(pixels, 1, -1)[observed].mean(0)
    for i, j in np.ndindex(observed.shape[1:]):
        seen = np.flatnonzero(observed[:, i, j])
        for t, c in np.ndindex(pixels.shape[:2]):
            if seen.size == 0:
                out[t, c, i, j] = mean[c]
            elif kind == "linear":
                out[t, c, i, j] = np.interp(days[t], days[seen], pixels[seen, c, i, j])
            else:
                out[t, c, i, j] = pixels[seen[np.abs(days[t] - days[seen]).argmin()], c, i, j]
    return out


@given(cases)
@settings(max_examples=25, deadline=None)
def test_interpolations_equal_the_naive_loop(case):
    pixels, observed, days = random_case(*case)
    for kind, function in (("linear", linear_interpolation), ("nearest", nearest_date)):
        np.testing.assert_allclose(
            function(pixels, observed, days), naive(pixels, observed, days, kind), atol=1e-6, err_msg=kind
        )


@given(cases)
@settings(max_examples=25, deadline=None)
def test_observed_pixels_pass_exactly_and_unobserved_ones_are_never_read(case):
    pixels, observed, days = random_case(*case)
    spoilt = np.where(observed[:, None], pixels, np.float32(np.nan))
    for function in (linear_interpolation, nearest_date):
        result = function(spoilt, observed, days)
        seen = np.broadcast_to(observed[:, None], pixels.shape)
        np.testing.assert_array_equal(result[seen], pixels[seen])
        np.testing.assert_array_equal(result, function(pixels, observed, days))


@given(cases)
@settings(max_examples=25, deadline=None)
def test_neighbours_that_exclude_self_are_those_of_a_sequence_without_the_date(case):
    pixels, observed, days = random_case(*case)
    fallback = np.full(2, 0.5, np.float32)
    others = temporal_neighbours(pixels, observed, days, exclude_self=True, fallback=fallback)
    for t in range(len(days)):
        without = observed.copy()
        without[t] = False
        expected = temporal_neighbours(pixels, without, days, exclude_self=False, fallback=fallback)
        for name in vars(expected):
            np.testing.assert_array_equal(getattr(others, name)[t], getattr(expected, name)[t], err_msg=name)


@given(cases)
@settings(max_examples=25, deadline=None)
def test_a_date_without_neighbour_is_finite_and_says_so(case):
    pixels, observed, days = random_case(*case)
    result = temporal_neighbours(pixels, observed, days, exclude_self=True)
    for distance, has in ((result.days_to_previous, result.has_previous), (result.days_to_next, result.has_next)):
        np.testing.assert_array_equal(has, distance != NO_NEIGHBOUR_DAYS)
        assert (distance > 0).all()
    assert not result.has_previous[0].any()
    assert not result.has_next[-1].any()
    np.testing.assert_array_equal(result.previous[0], result.next[0])
    assert np.isfinite(result.linear()).all()
    np.testing.assert_allclose(
        result.previous[:, :, -1, -1], mean_spectrum(pixels, observed)[None].repeat(len(days), 0)
    )


@given(cases)
@settings(max_examples=25, deadline=None)
def test_gap_length_is_the_distance_between_the_dates_around(case):
    _, observed, days = random_case(*case)
    gap = gap_length(observed, days)
    for t, i, j in np.ndindex(observed.shape):
        seen = [k for k in np.flatnonzero(observed[:, i, j]) if k != t]
        before = [days[t] - days[k] for k in seen if k < t]
        after = [days[k] - days[t] for k in seen if k > t]
        only_side = 2 * min(before + after, default=days[-1] - days[0])
        expected = min(before) + min(after) if before and after else only_side
        assert gap[t, i, j] == expected


def test_a_linear_trend_is_recovered_exactly_inside_the_observed_dates():
    days = np.array([0, 5, 6, 30])
    pixels = np.broadcast_to((days / 30)[:, None, None, None], (4, 1, 2, 2)).astype(np.float32)
    observed = np.zeros((4, 2, 2), bool)
    observed[[0, 3]] = True
    np.testing.assert_allclose(linear_interpolation(pixels, observed, days), pixels, atol=1e-6)


def test_the_earlier_of_two_equally_near_dates_is_taken():
    pixels = np.arange(3, dtype=np.float32).reshape(3, 1, 1, 1)
    observed = np.array([True, False, True]).reshape(3, 1, 1)
    assert nearest_date(pixels, observed, np.array([0, 5, 10]))[1, 0, 0, 0] == 0


def test_a_given_fallback_fills_what_was_never_observed():
    pixels, observed, days = random_case(0, 4, 0.5)
    fallback = np.array([0.25, 0.75], np.float32)
    result = linear_interpolation(pixels, np.zeros_like(observed), days, fallback=fallback)
    np.testing.assert_array_equal(result, np.broadcast_to(fallback[:, None, None], pixels.shape))


def test_a_sequence_without_any_observed_pixel_is_refused_with_its_size():
    pixels, observed, days = random_case(0, 4, 0.5)
    with pytest.raises(MissingDataError, match="none of the 100 pixels on 4 dates"):
        linear_interpolation(pixels, np.zeros_like(observed), days)


def test_thirty_dates_of_a_scene_are_interpolated_in_under_three_seconds():
    pixels = np.zeros((30, 13, 256, 256), np.float32)
    observed = np.random.default_rng(0).random((30, 256, 256)) < 0.4
    start = time.process_time()
    linear_interpolation(pixels, observed, np.arange(30) * 5)
    assert time.process_time() - start < 3
