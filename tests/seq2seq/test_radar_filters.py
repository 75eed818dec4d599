"""Speckle over time and the series on any day: what must hold whatever the radar saw."""

import numpy as np
import pytest

from seq2seq.radar_filters import TimeModel, bring_to_days, filter_speckle, fit_time_models, slope_db

DAYS = np.array([0, 1, 6, 7, 12, 13, 18, 24, 25, 30])
ORBITS = np.array([0, 1, 0, 1, 0, 1, 0, 0, 1, 0])
MODEL = TimeModel(noise=0.2, sill=1.0, length_days=12.0)


def all_of(values):
    return np.ones((len(values), *values.shape[2:]), dtype=bool)


def speckled(rng, n, *, looks=5, shape=(40, 40)):
    scene = np.where(np.arange(shape[1]) < shape[1] // 2, 0.02, 0.2)[None, None, None]
    speckle = rng.gamma(looks, 1 / looks, (n, 1, *shape))
    return (scene * speckle).astype(np.float32)


def test_speckle_falls_with_the_acquisitions_and_an_edge_stays_where_it_is():
    power = speckled(np.random.default_rng(0), 20)
    filtered = filter_speckle(power, all_of(power), np.zeros(20, dtype=int))
    inside = filtered[:, :, 5:-5, 3:17]
    variation = inside.std() / inside.mean()
    raw = power[:, :, 5:-5, 3:17]
    # Quegan and Yu: 25 px x 20 dates of 5 looks leave about looks M k / (M + k - 1) = 57; they are correlated in space
    assert variation < 0.4 * raw.std() / raw.mean()
    dark, bright = filtered[..., 19].mean(), filtered[..., 20].mean()
    assert dark == pytest.approx(0.02, rel=0.1)
    assert bright == pytest.approx(0.2, rel=0.1)
    assert filtered.mean() == pytest.approx(power.mean(), rel=0.02)


def test_an_orbit_never_touches_another():
    rng = np.random.default_rng(1)
    power = speckled(rng, 10)
    other = np.where((ORBITS == 1)[:, None, None, None], speckled(rng, 10), power)
    ours, theirs = (filter_speckle(each, all_of(each), ORBITS)[ORBITS == 0] for each in (power, other))
    assert np.array_equal(ours, theirs)


def test_a_single_acquisition_and_a_scene_that_stays_come_back_as_they_are():
    one = speckled(np.random.default_rng(2), 1)
    assert np.allclose(filter_speckle(one, all_of(one), np.zeros(1, dtype=int)), one, rtol=1e-5)
    still = np.repeat(one, 6, axis=0)
    assert np.allclose(filter_speckle(still, all_of(still), np.zeros(6, dtype=int)), still, rtol=1e-5)


def test_what_is_not_observed_counts_for_nothing():
    power = speckled(np.random.default_rng(3), 8)
    observed = all_of(power)
    observed[2, :, :10] = False
    spoiled = np.where(observed[:, None], power, np.float32(1e6))
    classes = np.zeros(8, dtype=int)
    assert np.array_equal(filter_speckle(power, observed, classes), filter_speckle(spoiled, observed, classes))
    assert (filter_speckle(power, observed, classes)[2, :, :, :10] == 0).all()


def drawn(rng, model, *, pixels=4000):
    """(N, 1, 1, P) of one pixel's level each, changes as the model says, and orbits 3 dB apart."""
    root = np.linalg.cholesky(model.covariance(DAYS, DAYS))
    change = root @ rng.normal(size=(len(DAYS), pixels))
    noise = rng.normal(size=change.shape) * model.noise**0.5
    level = rng.normal(-12, 2, pixels) + 3.0 * ORBITS[:, None]
    return (level + change)[:, None, None].astype(np.float32), noise[:, None, None].astype(np.float32)


def test_the_model_is_found_again():
    clean, noise = drawn(np.random.default_rng(4), MODEL)
    found = fit_time_models(clean + noise, all_of(clean), DAYS, ORBITS)[0]
    assert found.length_days == MODEL.length_days
    assert found.noise == pytest.approx(MODEL.noise, abs=0.05)
    assert found.sill == pytest.approx(MODEL.sill, rel=0.1)


def test_the_estimate_errs_as_much_as_its_variance_says_and_less_than_the_nearest_date():
    clean, noise = drawn(np.random.default_rng(5), MODEL)
    at = DAYS[ORBITS == 0]
    values, variance = bring_to_days(clean + noise, all_of(clean), DAYS, ORBITS, at, (MODEL,))
    truth = clean[ORBITS == 0]
    error = values - truth - 1.5  # brought to the mean of levels that are 3 dB apart
    nearest = (clean + noise)[ORBITS == 0] - truth
    assert (error**2).mean() < 0.8 * (nearest**2).mean()
    # levels are estimated too: the truth here is one realisation of them, so its own share of the variance is in both
    assert (error**2).mean() == pytest.approx(variance.mean(), rel=0.15)


def test_levels_of_orbits_do_not_pass_for_change():
    steps = np.full((10, 1, 2, 2), -12, np.float32) + 3 * ORBITS[:, None, None, None].astype(np.float32)
    values, _ = bring_to_days(steps, all_of(steps), DAYS, ORBITS, np.arange(30), (MODEL,))
    assert np.allclose(values, -10.5, atol=1e-4)
    assert np.allclose(slope_db(steps, all_of(steps), DAYS, ORBITS, np.arange(30), (MODEL,)), 0, atol=1e-4)


def test_without_noise_an_acquisition_of_the_day_is_the_value():
    clean, _ = drawn(np.random.default_rng(6), MODEL, pixels=50)
    one = ORBITS == 0
    exact = TimeModel(noise=1e-9, sill=1.0, length_days=12.0)
    values, variance = bring_to_days(clean[one], all_of(clean[one]), DAYS[one], ORBITS[one], DAYS[one], (exact,))
    assert np.allclose(values, clean[one], atol=1e-3)
    assert variance.max() < 1e-6


def test_variance_grows_away_from_the_acquisitions_and_where_fewer_saw_the_pixel():
    clean, _ = drawn(np.random.default_rng(7), MODEL, pixels=2)
    observed = all_of(clean)
    observed[3:, 0, 1] = False
    _, variance = bring_to_days(clean, observed, DAYS, ORBITS, np.array([6, 60]), (MODEL,))
    assert variance[0, 0, 0, 0] < variance[1, 0, 0, 0]
    assert variance[1, 0, 0, 0] < variance[1, 0, 0, 1]


def test_hidden_values_are_never_read_and_pixels_without_any_are_said_to_be_unknown():
    clean, _ = drawn(np.random.default_rng(8), MODEL, pixels=3)
    observed = all_of(clean)
    observed[4, 0, 1], observed[:, 0, 2] = False, False
    spoiled = np.where(observed[:, None], clean, np.float32(1e9))
    for values, variance in (bring_to_days(each, observed, DAYS, ORBITS, DAYS, (MODEL,)) for each in (clean, spoiled)):
        assert np.abs(values).max() < 100
        assert np.isinf(variance[..., 2]).all()
        assert (values[..., 2] == 0).all()
    assert fit_time_models(spoiled, observed, DAYS, ORBITS) == fit_time_models(clean, observed, DAYS, ORBITS)


def test_too_few_acquisitions_for_a_model_still_give_one():
    clean, _ = drawn(np.random.default_rng(9), MODEL, pixels=5)
    for count in (1, 2):
        models = fit_time_models(clean[:count], all_of(clean[:count]), DAYS[:count], ORBITS[:count])
        values, _ = bring_to_days(
            clean[:count], all_of(clean[:count]), DAYS[:count], ORBITS[:count], np.array([3]), models
        )
        assert np.isfinite(values).all()
