"""How sure a gain is that was measured on a few dates: dates are drawn again, not their pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.validation.gain import DateErrors, bootstrap_db

LINEAR = 1e-3


def on_date(date: int, gain_db: float, *, pixels: int = 1000) -> DateErrors:
    return DateErrors(date, 0, 1, pixels, result=LINEAR / 10 ** (gain_db / 10), linear=LINEAR)


def test_pixels_count_alike_wherever_they_lie() -> None:
    measured, _, _ = bootstrap_db([on_date(0, 10.0, pixels=900), on_date(1, 0.0, pixels=100)])
    assert measured == pytest.approx(-10 * np.log10(0.9 * 0.1 + 0.1))


def test_dates_that_disagree_make_a_wider_range_than_dates_that_agree() -> None:
    agreeing = bootstrap_db([on_date(t, 5.0) for t in range(6)])
    apart = bootstrap_db([on_date(t, db) for t, db in enumerate((1, 3, 4, 6, 8, 12))])
    assert agreeing[1] == pytest.approx(agreeing[2])
    assert apart[2] - apart[1] > 2


def test_more_pixels_of_the_same_dates_prove_no_more() -> None:
    few, many = ([on_date(t, t, pixels=pixels) for t in range(6)] for pixels in (500, 500_000))
    assert bootstrap_db(few) == pytest.approx(bootstrap_db(many))


errors = st.builds(
    DateErrors,
    st.integers(0, 9),
    st.integers(0, 1),
    st.integers(0, 4),
    st.integers(1, 10**6),
    st.floats(0, 1),
    st.floats(0, 1),
)


@given(st.lists(errors, min_size=1, max_size=12, unique_by=lambda e: (e.date, e.kind, e.gap)))
def test_what_is_found_is_finite_and_the_same_every_time(evidence) -> None:
    found = bootstrap_db(evidence)
    assert np.isfinite(found).all()
    assert found == bootstrap_db(evidence)
    assert found[1] <= found[2]
