"""Radar as it comes: orbits are told apart, speckle goes and edges stay, and the series is brought to other days."""

import numpy as np
import pytest

from seq2seq.radiometry import to_db, to_linear
from seq2seq.readers import radar_series


def speckle(dates, size=40, looks=4, seed=0):
    """(N, 1, H, W) dB of two fields, 6 dB apart, with the speckle of so many looks."""
    power = np.full((dates, 1, size, size), 0.05, np.float32)
    power[..., size // 2 :] *= 4
    noise = np.random.default_rng(seed).gamma(looks, 1 / looks, power.shape).astype(np.float32)
    return to_db(power), to_db(power * noise)


def observed(db):
    return np.ones((len(db), *db.shape[2:]), bool)


def error(db, truth):
    return float(np.sqrt(np.mean((db - truth) ** 2)))


def test_speckle_of_a_stack_is_reduced_and_more_than_by_the_window_alone_at_edges():
    truth, noisy = speckle(20)
    one_orbit = np.zeros(20, np.intp)
    filtered = radar_series.despeckled(noisy, observed(noisy), one_orbit)
    assert error(filtered, truth) < error(noisy, truth) / 2.5
    edge = np.s_[:, :, :, 18:22]
    alone = np.stack([radar_series.despeckled(one[None], observed(one[None]), one_orbit[:1])[0] for one in noisy])
    assert error(filtered[edge], truth[edge]) < error(alone[edge], truth[edge])


def test_a_date_on_which_all_changes_keeps_its_change():
    _, noisy = speckle(20)
    noisy[7] -= 5
    filtered = radar_series.despeckled(noisy, observed(noisy), np.zeros(20, np.intp))
    others = np.delete(filtered, 7, axis=0).mean()
    assert filtered[7].mean() - others == pytest.approx(-5, abs=0.5)


def test_pixels_without_data_neither_count_nor_appear():
    truth, noisy = speckle(8)
    seen = observed(noisy)
    seen[3, :, :10] = False
    spoiled = np.where(seen[:, None], noisy, np.float32(50))
    one_orbit = np.zeros(8, np.intp)
    filtered = radar_series.despeckled(spoiled, seen, one_orbit)
    clean = radar_series.despeckled(np.where(seen[:, None], noisy, np.float32(-90)), seen, one_orbit)
    assert np.array_equal(filtered, clean)
    assert (filtered[3, :, :, :10] == 0).all()
    assert error(filtered[4:], truth[4:]) < 1


def test_a_window_with_its_margin_is_filtered_as_the_crop_of_the_whole():
    _, noisy = speckle(10)
    one_orbit = np.zeros(10, np.intp)
    whole = radar_series.despeckled(noisy, observed(noisy), one_orbit)
    margin = radar_series.SPECKLE_RADIUS_PX
    part = noisy[:, :, 10 - margin : 25 + margin, 5 - margin : 30 + margin]
    inner = radar_series.despeckled(part, observed(part), one_orbit)[:, :, margin:-margin, margin:-margin]
    np.testing.assert_allclose(inner, whole[:, :, 10:25, 5:30], atol=1e-4)


def test_orbits_are_those_stated_else_the_day_in_the_cycle():
    days = np.array([0, 2, 6, 8, 12, 14])
    assert radar_series.orbit_classes(days, [""] * 6).tolist() == [0, 1, 0, 1, 0, 1]
    stated = ["A088", "A088", "D110", "A088", "D110", "D110"]
    assert radar_series.orbit_classes(days, stated).tolist() == [0, 0, 1, 0, 1, 1]
    assert radar_series.orbit_classes(days, ["A088", *[""] * 5]).tolist() == [0, 1, 0, 1, 0, 1]


def test_what_an_orbit_adds_is_taken_out_and_what_time_does_stays():
    rng = np.random.default_rng(3)
    season = np.linspace(-2, 2, 30)[:, None, None, None]
    ground = rng.normal(-12, 2, (1, 2, 6, 6)) + season
    classes = np.arange(30) % 2
    angle = rng.normal(0, 1.5, (2, 2, 6, 6))[classes]
    db = (ground + angle).astype(np.float32)
    out = radar_series.levelled(db, observed(db), classes)
    steps = np.diff(out, axis=0)
    assert np.abs(steps - np.diff(season, axis=0)).max() < 0.3
    assert np.abs(out.mean(axis=0) - db.mean(axis=0)).max() < 1e-4


def test_a_constant_stays_and_a_trend_has_its_slope():
    days = np.arange(0, 120, 6)
    flat = np.full((20, 1, 4, 4), -11, np.float32)
    value, slope, there = radar_series.at_days(flat, observed(flat), days, np.array([3, 60, 200]))
    assert np.allclose(value, -11)
    assert np.allclose(slope, 0, atol=1e-5)
    assert there.all()
    trend = (flat + 0.1 * days[:, None, None, None]).astype(np.float32)
    _, slope, _ = radar_series.at_days(trend, observed(trend), days, np.array([60]))
    assert slope.mean() == pytest.approx(1.2, abs=0.2)


def test_days_look_at_near_acquisitions_and_at_observed_pixels_alone():
    days = np.array([0, 30])
    db = np.stack([np.full((1, 4, 4), -8, np.float32), np.full((1, 4, 4), -16, np.float32)])
    seen = observed(db)
    seen[0, 0, 0] = False
    value, _, there = radar_series.at_days(db, seen, days, np.array([2]))
    assert value[0, 0, 1, 1] == pytest.approx(-8, abs=0.5)
    assert value[0, 0, 0, 0] == pytest.approx(-16)
    seen[1, 0, 0] = False
    assert not radar_series.at_days(db, seen, days, np.array([2]))[2][0, 0, 0]
    assert there.all()


def test_decibels_and_power_are_inverse_on_the_way():
    db = np.random.default_rng(0).normal(-12, 5, (3, 2, 5, 5)).astype(np.float32)
    assert np.allclose(to_db(to_linear(db)), db, atol=1e-4)
