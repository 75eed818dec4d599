"""Samples to learn from: pixels that were clear, described without themselves, from windows of a large scene."""

import numpy as np
import pytest
from quick_engine import observations

from seq2seq.interpolation import mean_spectrum
from seq2seq.methods.guided import method as internal
from seq2seq.methods.guided.features import despeckled

pytestmark = pytest.mark.usefixtures("quick")


def no_tick():
    """Nothing to stop for."""


def drawn(given, seed=0):
    s2 = given.s2
    radar = despeckled(given, s2.observed, no_tick)
    fallback = mean_spectrum(s2.pixels, s2.observed)
    return internal._draw_samples(s2, s2.observed, radar, fallback, np.random.default_rng(seed), no_tick)


def test_a_scene_that_is_larger_than_a_draw_is_drawn_from_in_different_places(monkeypatch):
    given = observations(dates=5, size=(40, 24))
    windows = []
    real = internal.describe

    def watched(pixels, *rest):
        windows.append(pixels)
        return real(pixels, *rest)

    monkeypatch.setattr(internal, "describe", watched)
    monkeypatch.setattr(internal, "DRAW_PX", 16)
    features, corrections = drawn(given)
    assert {window.shape[2:] for window in windows} == {(16, 16)}
    assert len({window.tobytes() for window in windows}) > 1
    assert len(features) == len(corrections) > 0
    assert np.isfinite(features).all()


def test_a_small_scene_is_drawn_from_whole_and_hidden_values_teach_nothing(monkeypatch):
    given = observations(dates=5, size=20)
    features, corrections = drawn(given)
    again = drawn(given)
    assert np.array_equal(features, again[0])
    assert np.array_equal(corrections, again[1])
    assert not np.array_equal(features[:50], drawn(given, seed=1)[0][:50])


def test_fewer_draws_are_made_where_time_is_short():
    given = observations(dates=5, size=20)
    s2 = given.s2
    arguments = (s2, s2.observed, None, mean_spectrum(s2.pixels, s2.observed))
    all_of_them, _ = internal._draw_samples(*arguments, np.random.default_rng(0), no_tick)
    few, _ = internal._draw_samples(*arguments, np.random.default_rng(0), no_tick, until=0.0)
    assert 0 < len(few) < len(all_of_them)
