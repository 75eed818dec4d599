"""Samples to learn from: pixels that were clear, described without themselves, from windows of a large scene; and the
stages that the work is cached in."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from quick_engine import QUICK, observations, with_hidden_values

from seq2seq.interpolation import mean_spectrum
from seq2seq.methods.base import RunContext
from seq2seq.methods.guided import samples as sampling
from seq2seq.methods.guided.features import speckle_filtered
from seq2seq.methods.guided.method import STAGE_SHARES, Guided, expected_stages
from seq2seq.methods.guided.settings import GuidedSettings
from seq2seq.nn.vgg import Perceptual
from seq2seq.validation.holdout import blank

SETTINGS = GuidedSettings(**QUICK)


def never_stop():
    """Nothing to stop for."""


def drawn(given, seed=0, settings=SETTINGS):
    s2 = given.s2
    radar = speckle_filtered(given, s2.observed, never_stop, settings)
    fallback, rng = mean_spectrum(s2.pixels, s2.observed), np.random.default_rng(seed)
    return sampling.draw_samples(s2, radar, fallback, settings, rng=rng, check_stop=never_stop)


def test_a_scene_that_is_larger_than_a_mask_sample_is_sampled_in_different_places(monkeypatch):
    given = observations(dates=5, size=(40, 24))
    windows = []
    real = sampling.describe

    def watched(pixels, *rest, **options):
        windows.append(pixels)
        return real(pixels, *rest, **options)

    monkeypatch.setattr(sampling, "describe", watched)
    features, residuals = drawn(given, settings=replace(SETTINGS, mask_sample_px=16))
    assert all(window.shape[2] == 1 and 0 < window.shape[3] <= 16 * 16 for window in windows)
    assert len({window.tobytes() for window in windows}) > 1
    assert len(features) == len(residuals) > 0
    assert np.isfinite(features).all()


def test_no_more_pixels_are_described_than_the_samples_need(monkeypatch):
    """A pixel is hidden on several dates; describing all of a window took most of the time."""
    given, described = observations(dates=5, size=40), []
    real = sampling.describe
    monkeypatch.setattr(sampling, "describe", lambda pixels, *a, **k: described.append(pixels) or real(pixels, *a, **k))
    few = replace(SETTINGS, max_samples=60 * SETTINGS.mask_samples)
    features, _ = drawn(given, settings=few)
    assert len(features) == pytest.approx(few.max_samples, rel=0.1)
    assert all(pixels.shape[3] < 40 * 40 / 4 for pixels in described)


def test_a_small_scene_is_sampled_whole_and_hidden_values_teach_nothing():
    given = observations(dates=5, size=20)
    features, residuals = drawn(given)
    for again in (drawn(given), drawn(with_hidden_values(given, 7.0))):
        assert np.array_equal(features, again[0])
        assert np.array_equal(residuals, again[1])
    assert not np.array_equal(features[:50], drawn(given, seed=1)[0][:50])


def test_fewer_mask_samples_are_made_where_time_is_short():
    given = observations(dates=5, size=20)
    s2 = given.s2
    arguments = (s2, None, mean_spectrum(s2.pixels, s2.observed), SETTINGS)
    all_of_them, few = (
        sampling.draw_samples(*arguments, rng=np.random.default_rng(0), check_stop=never_stop, until=until)[0]
        for until in (None, 0.0)
    )
    assert 0 < len(few) < len(all_of_them)


def test_samples_do_not_tell_the_exact_day_of_a_date():
    """A date by its exact day is learnt by heart, and goes for all days of a gap that are nearest to it."""
    given = observations(dates=5, size=20)
    bands, in_a_year = given.s2.shape[1], np.exp(2j * np.pi * given.s2.days / 365.25)

    def days_off(share):
        settings = replace(SETTINGS, season_noise_share=share, season_noise_days=4.0, mask_samples=12)
        features = drawn(given, settings=settings)[0]
        season = features[:, 3 * bands + 3] + 1j * features[:, 3 * bands + 2]
        off = np.angle(season[:, None] / in_a_year) * 365.25 / (2 * np.pi)
        return np.abs(off).min(axis=1), features

    exact, known = days_off(0.0)
    some, _ = days_off(0.25)
    each, unknown = days_off(1.0)
    assert exact.max() < 0.01
    assert 0 < np.mean(some > 0.01) < 0.6
    assert np.mean(each > 0.01) > 0.9
    assert each.max() < 20
    others = np.delete(np.arange(known.shape[1]), [3 * bands + 2, 3 * bands + 3])
    assert np.array_equal(known[:, others], unknown[:, others])  # the same pixels, hidden by the same masks


def test_the_expected_stages_are_those_that_are_cached_in_order_and_make_up_the_time_to_prepare():
    given = observations(dates=5, size=20)
    asked, expected = [], []

    def cached(name, make):
        asked.append(name)
        return make()

    context = RunContext(
        seed=0,
        device=torch.device("cpu"),
        threads=1,
        perceptual=Perceptual(None, (), "no perceptual loss"),
        perceptual_weight=0.0,
        check_stop=never_stop,
        cached=cached,
        expect=expected.append,
    )
    settings = replace(SETTINGS, mlps=2)
    Guided(settings).start(blank(given, given.s2.observed), context, None)
    (shares,) = expected
    assert list(shares) == asked
    assert shares == expected_stages(5, 4, settings)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["trees-00"] == shares["trees-01"]
    for kind, share in STAGE_SHARES.items():
        of_kind = [value for name, value in shares.items() if name.split("-")[0] == kind]
        assert sum(of_kind) == pytest.approx(share)
        assert len(set(of_kind)) == 1
