"""Residuals spread from what a date shows: as they are beside it, gone where nothing is near, blind to the rest."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from quick_engine import observations, with_hidden_values

from seq2seq.errors import Stopped
from seq2seq.interpolation import interpolate_from_others
from seq2seq.methods import find_method
from seq2seq.methods.base import RunContext
from seq2seq.methods.spreading import LENGTHS, LEVEL, NOISE, spread, spread_residuals
from seq2seq.nn.vgg import Perceptual
from seq2seq.validation.holdout import blank

CONTEXT = RunContext(0, torch.device("cpu"), 1, Perceptual(None, (), "none"), 0.0, lambda: None)


def holes(shape, seed=0, share=0.4):
    """(H, W) visible, hidden in blocks of 5 px."""
    height, width = shape
    blocks = np.random.default_rng(seed).random((height // 5 + 1, width // 5 + 1)) > share
    return np.repeat(np.repeat(blocks, 5, 0), 5, 1)[:height, :width]


def test_a_residual_that_is_the_same_everywhere_is_found_under_the_holes():
    visible = holes((61, 50))
    found = spread(np.where(visible, np.float32(0.2), 0)[None].repeat(2, 0).astype(np.float32), visible)
    assert found.shape == (2, 61, 50)
    assert found[:, ~visible] == pytest.approx(0.2, abs=0.02)


def test_a_slope_is_followed_into_a_hole():
    slope = np.broadcast_to(np.linspace(-0.1, 0.1, 64, dtype=np.float32), (1, 64, 64))
    visible = holes((64, 64), seed=2)
    error = np.abs(spread(np.where(visible, slope, 0).astype(np.float32), visible) - slope)[0][~visible]
    assert np.sqrt((error**2).mean()) < 0.2 * slope.std()


def test_far_from_everything_visible_a_part_of_the_level_is_left():
    visible = np.zeros((256, 256), bool)
    visible[:6, :6] = True
    found = spread(np.where(visible, np.float32(0.3), 0)[None].astype(np.float32), visible)[0]
    assert found[3, 3] == pytest.approx(0.3, abs=0.01)
    assert 0.3 * LEVEL / (LEVEL + 1) < found[200:, 200:].min() < found[200:, 200:].max() < 0.3 * LEVEL / (LEVEL + 0.5)
    assert found.max() <= 0.31


@pytest.mark.parametrize("share", [0.1, 0.4, 0.8])
def test_it_is_kriging_of_all_visible_pixels(share, monkeypatch):
    monkeypatch.setattr("seq2seq.methods.spreading._TOLERANCE", 1e-4)
    visible = holes((23, 31), seed=7, share=share)
    residuals = np.random.default_rng(3).normal(0, 0.05, (2, 23, 31)).astype(np.float32) * visible
    rows, columns = np.indices(visible.shape).reshape(2, -1)
    distance = np.hypot(rows[:, None] - rows, columns[:, None] - columns)
    covariance = LEVEL + sum(part * np.exp(-distance / length) for length, part in LENGTHS.items())
    seen = visible.ravel()
    known = covariance[np.ix_(seen, seen)] + NOISE * np.eye(seen.sum())
    expected = covariance[:, seen] @ np.linalg.solve(known, residuals.reshape(2, -1)[:, seen].T)
    assert spread(residuals, visible).reshape(2, -1) == pytest.approx(expected.T, abs=0.0002)


def test_a_band_without_residuals_gets_none():
    visible = holes((20, 20))
    values = np.stack([np.zeros((20, 20)), np.where(visible, 0.1, 0)]).astype(np.float32)
    found = spread(values, visible)
    assert not found[0].any()
    assert found[1].any()


def test_hidden_pixels_and_other_dates_change_nothing():
    rng = np.random.default_rng(1)
    predicted, pixels = (rng.random((3, 2, 20, 23), np.float32) for _ in range(2))
    visible = np.stack([holes((20, 23), seed) for seed in range(3)])
    first = spread_residuals(predicted, pixels, visible, lambda: None)
    other = np.where(visible[:, None], pixels, np.float32(9))
    other[2] = 0.5
    second = spread_residuals(predicted, other, visible, lambda: None)
    assert np.array_equal(first[:2], second[:2])
    assert not np.array_equal(first[2], second[2])


def test_dates_that_show_nothing_or_everything_stay_as_predicted():
    rng = np.random.default_rng(2)
    predicted, pixels = (rng.random((3, 1, 30, 30), np.float32) for _ in range(2))
    visible = np.stack([np.zeros((30, 30), bool), np.ones((30, 30), bool), np.zeros((30, 30), bool)])
    visible[2, 0, :5] = True  # half a percent
    assert np.array_equal(spread_residuals(predicted, pixels, visible, lambda: None), predicted)


def test_it_beats_interpolation_where_a_whole_date_is_off():
    given = observations(dates=7, size=(40, 44), seed=5)
    s2 = given.s2
    shifted = s2.pixels.copy()
    shifted[3] += 0.1
    visible = np.ones_like(s2.observed)
    visible[3] = holes((40, 44), seed=4)
    linear = interpolate_from_others(np.where(visible[:, None], shifted, 0), visible, s2.days)
    spreaded = spread_residuals(linear, shifted, visible, lambda: None)
    errors = [np.sqrt(((image[3] - shifted[3])[:, ~visible[3]] ** 2).mean()) for image in (linear, spreaded)]
    assert errors[1] < 0.6 * errors[0]


def test_the_method_sees_nothing_hidden_and_stops_when_asked():
    given = observations(dates=5, size=(24, 20), seed=3)
    method = find_method("spread")
    shown = [blank(each, given.s2.observed) for each in (given, with_hidden_values(given, 0.9))]
    found = [method.load()(method.settings()).start(each, CONTEXT, None).predict(each)["spread"] for each in shown]
    assert np.array_equal(*found)
    assert np.isfinite(found[0]).all()

    stopped = False

    def check_stop():
        if stopped:
            raise Stopped("now")

    fit = method.load()(method.settings()).start(shown[0], replace(CONTEXT, check_stop=check_stop), None)
    stopped = True
    with pytest.raises(Stopped):
        fit.predict(shown[0])
