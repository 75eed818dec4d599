"""Intervals hold what they promise on the held-out pixels, and are widened where few dates speak."""

import numpy as np
import pytest
from blend_example import DEFAULT, candidates, one_lost_date

from seq2seq.validation.blending import fit_blend
from seq2seq.validation.calibration import NORMAL_90, Calibration, calibrate, few_dates
from seq2seq.validation.holdout import fully_clouded_dates


@pytest.mark.parametrize("seed", range(3))
def test_ninety_percent_of_the_held_out_pixels_lie_in_the_interval(seed):
    found, truth, held_out, gaps = candidates(seed)
    result = fit_blend(found, truth, held_out, gaps, fully_clouded_dates(one_lost_date(held_out)), DEFAULT)
    visible = one_lost_date(held_out)
    result = result.apply(found, gaps, fully_clouded_dates(visible))
    sigma = calibrate(found, result, truth, held_out, visible).sigma(found, visible)
    assert (sigma > 0).all()
    fully_clouded = fully_clouded_dates(visible)
    assert fully_clouded.tolist() == [True] + [False] * (len(fully_clouded) - 1)
    for kind in (fully_clouded, ~fully_clouded):
        inside = held_out & kind[:, None, None]
        narrow = sigma / few_dates(np.nonzero(inside)[0])
        within = np.moveaxis(np.abs(result - truth) <= NORMAL_90 * narrow, 1, -1)[inside]
        assert within.mean(axis=0) == pytest.approx([0.9, 0.9], abs=0.02)


def test_the_fewer_dates_an_interval_was_measured_on_the_wider_it_is():
    widths = [few_dates(np.repeat(np.arange(dates), 400)) for dates in (1, 2, 10, 1000)]
    assert widths == pytest.approx([1.43, 1.30, 1.08, 1.0], abs=0.01)
    assert few_dates(np.repeat([0, 1], [400, 3])) == pytest.approx(1.43, abs=0.01)


def test_too_few_held_out_pixels_leave_a_finite_sigma():
    found, truth, held_out, _ = candidates()
    few = np.zeros_like(held_out)
    few[0, 0, :3] = True
    visible = one_lost_date(held_out)
    sigma = calibrate(found, found["one"], truth, few, visible).sigma(found, visible)
    assert np.isfinite(sigma).all()
    assert (sigma > 0).all()


def test_what_is_not_held_out_decides_nothing():
    found, truth, held_out, _ = candidates()
    other = np.where(held_out[:, None], truth, np.float32(5))
    visible = one_lost_date(held_out)
    sigmas = [calibrate(found, found["one"], t, held_out, visible).sigma(found, visible) for t in (truth, other)]
    assert np.array_equal(*sigmas)


def test_a_date_with_many_pixels_counts_no_more_than_another():
    """Nine small dates err by 0.01, a large one by 0.1: nine dates of ten are what an interval has to hold."""
    height = width = 80
    visible = np.ones((10, height, width), bool)
    held_out = np.zeros_like(visible)
    held_out[:9, :20, :20] = True
    held_out[9] = True
    truth = np.zeros((10, 1, height, width), np.float32)
    result = np.full_like(truth, 0.01)
    result[9] = 0.1
    found = calibrate({"linear": result, "other": result}, result, truth, held_out, visible & ~held_out)
    assert NORMAL_90 * found.floor[0] * found.factor[0, 0] < 0.02


def test_few_dates_are_drawn_to_what_is_known_of_other_sequences():
    """Of each kind one date errs a hundred times as much as candidates disagree: two dates more say 2 and 3 times."""
    alone, believed, elsewhere = of_two_dates(None), of_two_dates((2.0, 3.0)), np.array([2.0, 3.0])
    own = alone.factor[:, 0] / few_dates(np.zeros(400, int))
    assert (own > 50).all()
    expected = own ** (1 / 3) * elsewhere ** (2 / 3) * few_dates(np.repeat(np.arange(3), 400))
    assert believed.factor[:, 0] == pytest.approx(expected, rel=1e-4)


def test_a_kind_of_date_that_was_not_held_out_is_as_on_other_sequences():
    of_partly_clouded_alone = of_two_dates((2.0, 3.0), held_out_dates=1)
    assert of_partly_clouded_alone.factor[1, 0] == pytest.approx(3 * few_dates(np.repeat([0, 1], 400)), rel=1e-4)


def test_an_exact_result_keeps_a_finite_sigma_above_zero():
    found = of_two_dates((2.0, 3.0), errors=(0.0, 0.0))
    assert (found.factor > 0).all()
    assert np.isfinite(found.factor).all()


def of_two_dates(elsewhere, held_out_dates=2, errors=(1.0, 1.0)) -> Calibration:
    """A partly and a fully clouded date. Half of their pixels are exact: so the floor is that of settings."""
    visible = np.zeros((2, 30, 60), bool)
    visible[0, :15] = True
    held_out = np.zeros_like(visible)
    held_out[:held_out_dates, 15:] = True
    result = np.full((2, 1, 30, 60), 0.01, np.float32)
    other = result + np.float32(0.02)
    truth = result.copy()
    for t, error in enumerate(errors):
        truth[t, 0, 15:, 35:] += np.float32(error)
    candidates_ = {"linear": result, "one": result, "other": other}
    return calibrate(candidates_, result, truth, held_out, visible, elsewhere=elsewhere)
