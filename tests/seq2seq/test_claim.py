"""What a run claims at the pixels that it filled: from hidden dates, by what is known of the filled ones."""

import importlib.util
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from locations import ROOT

from seq2seq.methods.guided import INFO
from seq2seq.validation.claim import (
    FilledDate,
    HiddenDate,
    claim_gain,
    describe,
    filled_dates,
    hidden_dates,
    pool_dates,
)

ERROR, VARIANCE = 4e-4, 4e-5
SCALES = (10.0, 10.0)


def hidden(date: int, *, kind: int = 0, error: float = ERROR, distance: float = 4e-4, pixels: int = 1000) -> HiddenDate:
    """A date on which interpolation errs by the result's error and the step between them, and nothing in common."""
    return HiddenDate(date, kind, pixels, error, error + distance, distance, VARIANCE)


def filled(date: int, *, kind: int = 0, distance: float = 4e-4, variance: float = VARIANCE) -> FilledDate:
    return FilledDate(date, kind, 500, distance, variance)


SEVERAL = [hidden(t) for t in range(40)]


def test_where_candidates_disagree_twice_as_much_the_squared_error_is_twice_as_large() -> None:
    one, other = (claim_gain(SEVERAL, [filled(50, variance=v)], SCALES) for v in (VARIANCE, 2 * VARIANCE))
    assert one is not None
    assert other is not None
    assert other.rmse / one.rmse == pytest.approx(2**0.5)
    assert other.measured_db < one.measured_db


def test_interpolation_errs_by_the_results_error_and_by_how_far_the_result_is_from_it() -> None:
    near, far = (claim_gain(SEVERAL, [filled(50, distance=d)], SCALES) for d in (0.0, 4e-3))
    assert near.measured_db == pytest.approx(0.0, abs=1e-9)
    assert far.linear_rmse**2 - far.rmse**2 == pytest.approx(4e-3, rel=0.1)
    assert far.measured_db == pytest.approx(20 * np.log10(far.linear_rmse / far.rmse))


def test_errors_in_common_with_the_step_are_learnt_from_the_hidden_dates() -> None:
    """A result that went half of the way: what remains points where the step pointed, c = 1/2 + 1/2."""
    halfway = [replace(each, linear=each.result + 3 * each.distance) for each in SEVERAL]
    found = claim_gain(halfway, [filled(50)], SCALES)
    assert found.linear_rmse**2 - found.rmse**2 == pytest.approx(3 * 4e-4, rel=0.15)


def test_kinds_of_dates_have_scales_of_their_own() -> None:
    evidence = [*SEVERAL, *(hidden(t, kind=1, error=9 * ERROR) for t in range(40, 80))]
    partly, fully = (claim_gain(evidence, [filled(90, kind=k)], SCALES) for k in (0, 1))
    assert fully.rmse > 2.5 * partly.rmse


def test_few_hidden_dates_are_believed_less_than_other_sequences_many_more() -> None:
    """They say ten times the squared error of other sequences."""
    few, many = (claim_gain([hidden(t) for t in range(n)], [filled(90)], (1.0, 1.0)) for n in (1, 60))
    assert few.rmse < 0.6 * many.rmse
    assert many.rmse**2 == pytest.approx(ERROR * np.exp(0.45**2 / 2), rel=0.15)


def test_the_interval_narrows_with_hidden_and_with_filled_dates_and_not_with_their_pixels() -> None:
    def width(evidence: list[HiddenDate], asked: list[FilledDate]) -> float:
        found = claim_gain(evidence, asked, SCALES)
        return found.high_db - found.low_db

    several = [filled(t) for t in range(50, 70)]
    assert width(SEVERAL, several) < 0.6 * width(SEVERAL, several[:1])
    assert width(SEVERAL, several) < 0.8 * width(SEVERAL[:2], several)
    many = [replace(each, pixels=10**6) for each in SEVERAL]
    assert width(many, several) == pytest.approx(width(SEVERAL, several))


def test_dates_with_a_handful_of_hidden_pixels_weigh_less() -> None:
    odd = hidden(99, error=1000 * ERROR, pixels=4)
    with_it, without = (claim_gain(evidence, [filled(90)], SCALES) for evidence in ([*SEVERAL, odd], SEVERAL))
    assert with_it.rmse == pytest.approx(without.rmse, rel=0.01)


def test_without_other_sequences_hidden_dates_alone_count_and_too_few_have_no_interval() -> None:
    found = claim_gain([hidden(0), hidden(1)], [filled(90, variance=1e9)])
    assert (found.low_db, found.rmse_high, found.dates, found.pixels, found.filled) == (None, None, 2, 2000, 500)
    assert found.rmse**2 == pytest.approx(ERROR * np.exp(0.45**2 / 2))
    assert "too few dates" in describe(found)
    assert claim_gain(SEVERAL[:3], [filled(90)]).low_db is not None
    assert claim_gain(SEVERAL, [filled(90, kind=1)]).rmse == pytest.approx(ERROR**0.5, rel=0.2)


def test_nothing_hidden_claims_nothing_and_nothing_filled_claims_of_what_was_hidden() -> None:
    assert claim_gain([], [filled(0)], SCALES) is None
    assert "not measured" in describe(None)
    found = claim_gain(SEVERAL, [], SCALES)
    assert found.measured_db == pytest.approx(3.0, abs=0.4)
    assert "error at hidden pixels about" in describe(found)


def test_a_gain_of_nothing_has_no_sign_of_its_own() -> None:
    nothing = replace(claim_gain(SEVERAL, [filled(90)], SCALES), measured_db=-0.04, low_db=-0.01, high_db=0.01)
    assert describe(nothing).startswith("+0.0 dB (+0.0 to +0.0) over linear interpolation")


def test_the_line_says_gain_interval_errors_and_what_they_were_measured_on() -> None:
    found = claim_gain(SEVERAL, [filled(90)], SCALES)
    assert describe(found) == (
        f"{found.measured_db:+.1f} dB ({found.low_db:+.1f} to {found.high_db:+.1f}) over linear interpolation; error "
        f"at missing pixels about {found.rmse:.3f} ({found.rmse_low:.3f} to {found.rmse_high:.3f}), interpolation "
        f"{found.linear_rmse:.3f}; measured on 40,000 pixels hidden on 40 dates that were clear"
    )


def test_dates_are_measured_on_their_own_pixels_alone() -> None:
    rng = np.random.default_rng(0)
    truth, result, plain, other = (rng.random((3, 2, 4, 5)).astype(np.float32) for _ in range(4))
    where = np.zeros((3, 4, 5), bool)
    where[1, :2] = True
    candidates = {"linear": plain, "a": result, "b": other}
    clouded = np.array([False, True, False])
    (found,) = hidden_dates(result, plain, truth, candidates, where, clouded)
    assert (found.date, found.kind, found.pixels) == (1, 1, 10)
    assert found.result == pytest.approx(np.square(result - truth)[1, :, :2].mean())
    assert found.linear == pytest.approx(np.square(plain - truth)[1, :, :2].mean())
    assert found.distance == pytest.approx(np.square(result - plain)[1, :, :2].mean())
    assert found.variance == pytest.approx(np.stack([result, other])[:, 1, :, :2].var(axis=0).mean())
    assert filled_dates(result, plain, candidates, where, clouded) == (
        FilledDate(1, 1, 10, found.distance, found.variance),
    )


def test_tiles_of_a_date_are_pooled_by_their_pixels() -> None:
    parts = [hidden(0, error=1e-4, pixels=100), hidden(0, error=4e-4, pixels=300), hidden(1), hidden(1, kind=1)]
    first, second, third = pool_dates(parts)
    assert (first.pixels, first.result) == (400, pytest.approx(3.25e-4))
    assert (second, third) == (hidden(1), hidden(1, kind=1))


squares = st.floats(0, 1)
some_hidden = st.builds(
    HiddenDate, st.integers(0, 9), st.integers(0, 1), st.integers(1, 10**6), squares, squares, squares, squares
)
some_filled = st.builds(FilledDate, st.integers(0, 9), st.integers(0, 1), st.integers(1, 10**6), squares, squares)


@given(
    st.lists(some_hidden, min_size=1, max_size=8),
    st.lists(some_filled, max_size=5),
    st.sampled_from([None, SCALES]),
)
def test_a_claim_is_finite_and_the_same_every_time(evidence, asked, scales) -> None:
    found = claim_gain(evidence, asked, scales)
    assert np.isfinite([found.measured_db, found.rmse, found.linear_rmse]).all()
    assert found == claim_gain(evidence, asked, scales)
    if found.low_db is not None:
        assert np.isfinite([found.low_db, found.high_db]).all()
        assert found.low_db <= found.high_db


@pytest.fixture(scope="module")
def claims():
    benchmarks = ROOT / "benchmarks"
    sys.path.insert(0, str(benchmarks))
    try:
        spec = importlib.util.spec_from_file_location("claims", benchmarks / "claims.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(benchmarks))
    return module, json.loads((benchmarks / "claims.json").read_text())


def test_error_scales_are_those_of_the_judged_runs(claims) -> None:
    module, rows = claims
    assert module.error_scales(rows) == INFO.error_scales


def test_claims_hold_where_the_place_itself_had_no_say_and_the_page_shows_them(claims) -> None:
    module, rows = claims
    assert len({module.place(row) for row in rows}) >= 5
    found = module.summary(rows)
    assert found["held"] >= 0.8
    assert found["median"] < found["plain_median"] / 2
    assert module.table(rows) in (ROOT / "benchmarks" / "METHOD.md").read_text()
