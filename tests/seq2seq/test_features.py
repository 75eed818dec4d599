"""What describes a pixel on a date comes from elsewhere: never from its own value, never from what is hidden."""

from dataclasses import replace

import numpy as np
import pytest
from quick_engine import observations, with_hidden_values

from seq2seq.interpolation import linear_interpolation, mean_spectrum
from seq2seq.methods.courses import learn_courses
from seq2seq.methods.guided.features import (
    Radar,
    describe,
    joint_bilateral_filter,
    principal_components,
    speckle_filtered,
)
from seq2seq.methods.guided.settings import GuidedSettings

SETTINGS = GuidedSettings()


def never_stop():
    """Nothing to stop for."""


def filtered(given):
    return speckle_filtered(given, given.s2.observed, never_stop, SETTINGS)


@pytest.fixture(scope="module")
def sequence():
    return observations(dates=6, size=(20, 24), seed=2)


@pytest.fixture(scope="module")
def radar(sequence):
    return filtered(sequence)


def described(sequence, radar):
    s2 = sequence.s2
    return describe(s2.pixels, s2.observed, s2.days, radar, mean_spectrum(s2.pixels, s2.observed), SETTINGS)


def test_a_pixels_own_value_is_in_none_of_the_features_of_its_date(sequence, radar):
    s2, fallback = sequence.s2, mean_spectrum(sequence.s2.pixels, sequence.s2.observed)
    t, row, column = np.argwhere(s2.observed)[100]
    changed = s2.pixels.copy()
    changed[t, :, row, column] += 0.3
    before, after = (describe(p, s2.observed, s2.days, radar, fallback, SETTINGS) for p in (s2.pixels, changed))
    # The spread is a small difference of large float32 numbers; the other features are equal to the last digits.
    others = ~mixture(s2.shape[1], before.features.shape[1])
    assert after.features[t, others, row, column] == pytest.approx(before.features[t, others, row, column], abs=1e-3)
    assert np.array_equal(before.linear[t, :, row, column], after.linear[t, :, row, column])
    elsewhere = np.full(s2.shape[2:], True)
    elsewhere[row, column] = False
    kept = [each.features[:, others][:, :, elsewhere] for each in (before, after)]
    assert np.array_equal(*kept)
    # What a course is on a date is learnt from all that the date shows: one pixel moves it next to nothing.
    assert np.abs(after.features - before.features)[t, ~others, row, column].max() < 0.03


def mixture(bands, features):
    """Which features are those of the mixture: behind the other optical ones."""
    return np.isin(np.arange(features), np.arange(5 * bands + 6, 6 * bands + 6))


def test_a_hidden_pixels_value_changes_no_feature_of_any_date(sequence, radar):
    before, after = described(sequence, radar), described(with_hidden_values(sequence, 7.0), radar)
    assert np.array_equal(before.features, after.features)
    assert np.array_equal(before.linear, after.linear)


def test_a_hidden_pixel_is_described_as_if_the_cloud_had_hidden_it(sequence, radar):
    """Training sees what the task will show."""
    s2, fallback = sequence.s2, mean_spectrum(sequence.s2.pixels, sequence.s2.observed)
    hidden = s2.observed & (np.random.default_rng(0).random(s2.observed.shape) < 0.3)
    visible = s2.observed & ~hidden
    changed = np.where(hidden[:, None], np.float32(0.9), s2.pixels)
    one, other = (describe(p, visible, s2.days, radar, fallback, SETTINGS) for p in (s2.pixels, changed))
    assert np.array_equal(one.features, other.features)


def test_features_are_finite_also_where_no_date_shows_a_pixel(sequence, radar):
    observed = sequence.s2.observed.copy()
    observed[:, :5] = False
    s2 = replace(sequence.s2, observed=observed)
    fallback = mean_spectrum(s2.pixels, observed)
    found = describe(s2.pixels, observed, s2.days, radar, fallback, SETTINGS)
    assert np.isfinite(found.features).all()
    assert np.array_equal(found.linear[:, :, 2, 3], np.broadcast_to(fallback, (6, 4)))


def test_radar_features_come_on_top_of_the_optical_ones(sequence, radar):
    alone, both = described(sequence, None), described(sequence, radar)
    bands = sequence.s2.shape[1]
    assert alone.features.shape[1] == 6 * bands + 6
    assert both.features.shape[1] == 6 * bands + 6 + 5 * 2
    assert np.array_equal(both.features[:, : 6 * bands + 6], alone.features)


def test_a_window_is_described_as_the_whole_is(sequence, radar):
    s2, rows, columns = sequence.s2, slice(3, 15), slice(5, 20)
    part, fallback = s2.crop(rows, columns), mean_spectrum(s2.pixels, s2.observed)
    whole = describe(s2.pixels, s2.observed, s2.days, radar, fallback, SETTINGS).features[:, :, rows, columns]
    of_part = radar.taken(lambda images: images[..., rows, columns])
    found = describe(part.pixels, part.observed, part.days, of_part, fallback, SETTINGS).features
    others = ~mixture(s2.shape[1], found.shape[1])  # whose courses are those of the window
    assert np.allclose(whole[:, others], found[:, others], atol=1e-6)


def test_radar_change_is_the_change_since_the_last_and_until_the_next_clear_date():
    smooth = np.array([1, 2, 4, 8], dtype=np.float32)[:, None, None, None]
    observed = np.array([True, False, False, True])[:, None, None]
    _, since, until, mean, _ = (part[:, 0, 0, 0] for part in Radar.of(smooth, smooth).change(observed))
    level = smooth.mean()
    assert since.tolist() == [1 - level, 1, 3, 7]  # before the first clear date: from the mean
    assert until.tolist() == [1 - 8, 2 - 8, 4 - 8, 8 - level]
    assert set(mean.tolist()) == {level}


def test_without_radar_there_is_none(sequence):
    assert filtered(replace(sequence, s1=None)) is None
    nowhere = replace(sequence.s1, observed=np.zeros_like(sequence.s1.observed))
    assert filtered(replace(sequence, s1=nowhere)) is None


def test_radar_without_gaps_is_interpolated_over_dates_that_have_none(sequence):
    observed = sequence.s1.observed.copy()
    observed[2] = False
    lacking = replace(sequence.s1, observed=observed, pixels=sequence.s1.pixels.copy())
    lacking.pixels[2] = 99.0
    radar = filtered(replace(sequence, s1=lacking))
    assert np.array_equal(radar.raw, linear_interpolation(lacking.pixels, observed, lacking.days))
    assert radar.smooth.max() < 50


def test_what_clouds_hide_steers_no_speckle_filter(sequence):
    one, other = (filtered(each) for each in (sequence, with_hidden_values(sequence, 7.0)))
    assert np.array_equal(one.smooth, other.smooth)


def test_the_speckle_filter_keeps_constants_and_averages_within_a_field_only():
    guide = np.zeros((1, 20, 24), np.float32)
    guide[:, :, 12:] = 1
    rng = np.random.default_rng(0)
    guide += rng.normal(0, 0.01, guide.shape).astype(np.float32)
    clean = np.where(np.arange(24) < 12, -10, -16) * np.ones((1, 20, 1), np.float32)
    noisy = clean + rng.normal(0, 1.5, clean.shape)
    error = joint_bilateral_filter(noisy.astype(np.float32), guide, never_stop, SETTINGS) - clean
    assert np.abs(error).std() < 0.4
    assert np.abs(error[:, :, 11:13].mean(axis=1)).max() < 0.7  # the edge of 6 dB stays
    assert np.allclose(
        joint_bilateral_filter(np.full((1, 20, 24), 3, np.float32), guide, never_stop, SETTINGS), 3, atol=1e-5
    )


def test_an_image_smaller_than_the_window_is_filtered_too():
    size = SETTINGS.guide_radius_px // 2
    guide = np.random.default_rng(0).random((2, size, size)).astype(np.float32)
    assert np.allclose(
        joint_bilateral_filter(np.full((1, size, size), 3, np.float32), guide, never_stop, SETTINGS), 3, atol=1e-5
    )


def test_the_largest_component_has_variance_one_and_the_others_less():
    pixels = np.random.default_rng(0).random((3, 2, 9, 11)).astype(np.float32)
    variance = principal_components(pixels, 4).var(axis=(1, 2))
    assert variance[0] == pytest.approx(1, rel=1e-4)
    assert (np.diff(variance) <= 0).all()
    assert np.isfinite(principal_components(np.ones((3, 2, 4, 5), np.float32), 4)).all()


def test_what_is_taken_of_the_radar_keeps_the_level_that_a_date_has_in_the_whole_scene():
    images = np.random.default_rng(0).random((2, 2, 6, 7)).astype(np.float32)
    whole = Radar.of(images, 2 * images)
    part = whole.taken(lambda each: each[..., 1:4, 2:7])
    assert np.array_equal(part.raw, images[:, :, 1:4, 2:7])
    assert np.array_equal(part.smooth, 2 * part.raw)
    assert np.array_equal(part.of_date, whole.of_date)


def test_what_other_dates_show_around_is_their_mean_by_nearness():
    """Three dates 30 days apart of one pixel: on the first the second weighs e times what the third does."""
    pixels = np.array([0.9, 0.2, 0.4], np.float32).reshape(3, 1, 1, 1)
    visible = np.array([True, True, True]).reshape(3, 1, 1)
    found = describe(pixels, visible, np.array([0, 30, 60]), None, np.array([0.5], np.float32), SETTINGS)
    near, far = np.exp(-1), np.exp(-2)
    mean, mass = found.features[0, 9:11, 0, 0]
    assert mean + found.linear[0, 0, 0, 0] == pytest.approx((0.2 * near + 0.4 * far) / (near + far), abs=1e-6)
    assert mass == pytest.approx(np.log(near + far), abs=1e-5)


def test_a_mixture_looks_at_the_date_itself():
    """Two covers, side by side, that swap on the third date: no other date says so."""
    courses = np.array([[0.1, 0.15, 0.2, 0.2, 0.6, 0.2, 0.2, 0.1], [0.5, 0.5, 0.4, 0.4, 0.1, 0.4, 0.5, 0.5]])
    pixels = np.repeat(courses.T[:, None, None, :], 20, axis=2).repeat(10, axis=3)  # (8, 1, 20, 20)
    pixels = pixels * np.array([1.0, 0.8, 0.6, 0.4])[:, None, None]
    pixels = (pixels + np.random.default_rng(0).normal(0, 0.01, pixels.shape)).astype(np.float32)
    visible = np.ones((8, 20, 20), bool)
    visible[4, 5:15, 5:15] = False
    found = describe(pixels, visible, np.arange(8) * 10, None, np.full(4, 0.3, np.float32), SETTINGS)
    hidden = ~visible[4]
    mixed = found.linear + found.features[:, -4:]
    errors = [np.abs(image[4] - pixels[4])[:, hidden].max(axis=1) for image in (mixed, found.linear)]
    assert (errors[0] < 0.65 * errors[1]).all()


def test_a_mixture_is_without_the_pixels_own_value():
    """As if the cloud had hidden it on the date, with the very same courses."""
    given = observations(dates=6, size=(20, 24), seed=4).s2
    values, known = given.pixels.reshape(6, 4, -1), given.observed.reshape(6, -1)
    values = np.where(known[:, None], values, np.float32(0))
    courses = learn_courses(
        values[..., known.any(axis=0)],
        known[:, known.any(axis=0)],
        given.days,
        rank=8,
        noise=0.02,
        date_pixels=30.0,
        iterations=5,
    )
    found = courses.mixed_from_others(values, known, 0.02)
    for t, pixel in np.argwhere(known)[::97]:
        shown = known[:, [pixel]].copy()
        shown[t] = False
        value = np.where(shown[:, None], values[..., [pixel]], np.float32(0))
        alone = courses.mixed(courses.weights(value, shown, 0.02))
        assert found[t, :, pixel] == pytest.approx(alone[t, :, 0], abs=1e-6)
