"""The claimed gain is a range: from the dates that were hidden, for the pixels that were filled."""

import importlib.util
import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from locations import ROOT

from seq2seq.validation import gain
from seq2seq.validation.gain import DateErrors, ToFill, bootstrap_db, describe, gain_range

BENCHMARKS = ROOT / "benchmarks"
LINEAR = 1e-3


def on_date(date: int, gain_db: float, *, kind: int = 0, gap: int = 1, pixels: int = 1000) -> DateErrors:
    return DateErrors(date, kind, gap, pixels, result=LINEAR / 10 ** (gain_db / 10), linear=LINEAR)


def test_classes_count_as_the_filled_pixels_lie_in_them_not_as_the_hidden_ones_do() -> None:
    evidence = [on_date(t, 10.0, kind=0, pixels=9000) for t in range(4)]
    evidence += [on_date(t, 0.0, kind=1, pixels=100) for t in range(4, 8)]
    fully_clouded, visible = ToFill(kind=1, gap=1, pixels=500), ToFill(kind=0, gap=1, pixels=500)
    assert gain_range(evidence, [fully_clouded]).measured_db == pytest.approx(0.0)
    assert gain_range(evidence, [visible]).measured_db == pytest.approx(10.0)
    assert 0 < gain_range(evidence, [fully_clouded, visible]).measured_db < 3
    assert gain_range(evidence, []).measured_db > 8


def test_gap_classes_count_as_the_filled_pixels_lie_in_them() -> None:
    evidence = [on_date(t, db, gap=g) for t in range(4) for g, db in ((0, 0.0), (3, 6.0))]
    assert gain_range(evidence, [ToFill(0, 3, 10)]).measured_db == pytest.approx(6.0)
    assert gain_range(evidence, [ToFill(0, 0, 10)]).measured_db == pytest.approx(0.0)


def test_dates_that_disagree_make_a_wider_range_than_dates_that_agree() -> None:
    fill = [ToFill(0, 1, 100)]
    agreeing = bootstrap_db([on_date(t, 5.0) for t in range(6)], fill)
    apart = bootstrap_db([on_date(t, db) for t, db in enumerate((1, 3, 4, 6, 8, 12))], fill)
    assert agreeing[1] == pytest.approx(agreeing[2])
    assert apart[2] - apart[1] > 2


def test_more_pixels_of_the_same_dates_prove_no_more() -> None:
    few, many = ([on_date(t, t, pixels=pixels) for t in range(6)] for pixels in (500, 500_000))
    fill = [ToFill(0, 1, 100)]
    assert bootstrap_db(few, fill) == pytest.approx(bootstrap_db(many, fill))


def test_on_too_few_dates_there_is_no_range_and_the_line_says_so() -> None:
    found = gain_range([on_date(0, 5.0), on_date(3, 6.0)], [])
    assert (found.low_db, found.high_db, found.dates, found.pixels) == (None, None, 2, 2000)
    assert "too few dates" in describe(found)
    assert gain_range([], [ToFill(0, 0, 5)]) is None
    assert "not measured" in describe(None)


def test_the_line_says_the_range_and_which_pixels_it_was_measured_on() -> None:
    line = describe(gain_range([on_date(t, 5.0) for t in range(4)], []))
    assert (
        line
        == "+2.8 to +6.7 dB over linear interpolation (measured +5.0 on 4,000 pixels hidden on 4 dates that were clear)"
    )


errors = st.builds(
    DateErrors,
    st.integers(0, 9),
    st.integers(0, 1),
    st.integers(0, 4),
    st.integers(1, 10**6),
    st.floats(0, 1),
    st.floats(0, 1),
)


@given(
    st.lists(errors, min_size=1, max_size=12, unique_by=lambda e: (e.date, e.kind, e.gap)),
    st.lists(st.builds(ToFill, st.integers(0, 1), st.integers(0, 4), st.integers(1, 10**6)), max_size=5),
)
def test_a_range_is_finite_holds_what_was_measured_and_is_the_same_every_time(evidence, to_fill) -> None:
    found = gain_range(evidence, to_fill)
    assert np.isfinite(found.measured_db)
    assert found == gain_range(evidence, to_fill)
    if found.low_db is not None:
        assert np.isfinite([found.low_db, found.high_db]).all()
        assert found.low_db < found.high_db


@pytest.fixture(scope="module")
def claims():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("claims", BENCHMARKS / "claims.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module, json.loads((BENCHMARKS / "claims.json").read_text())


def test_the_allowances_are_those_of_the_judged_runs(claims) -> None:
    module, rows = claims
    assert module.allowances(rows) == (gain.ALLOWANCE_LOW, gain.ALLOWANCE_HIGH_DB)


def test_ranges_hold_where_the_place_itself_had_no_say_and_the_page_shows_them(claims) -> None:
    module, rows = claims
    assert len({module.place(row) for row in rows}) >= 9
    ranges = [(row["gain_db"], *module.left_out(rows, row)) for row in rows]
    assert np.mean([low <= judged <= high for judged, low, high in ranges]) >= 0.85
    assert module.table(rows) in (BENCHMARKS / "METHOD.md").read_text()
