"""The regressors' radar from all acquisitions: less noise, the levels of the nearest, nothing of what is hidden."""

from dataclasses import fields, replace

import numpy as np
import pytest
from quick_engine import QUICK, observations, with_hidden_values

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import Stopped
from seq2seq.methods.guided.features import speckle_filtered
from seq2seq.methods.guided.settings import GuidedSettings, TreeSettings
from seq2seq.radar_series import RadarSeries
from seq2seq.run.reconstruction import reconstruct
from seq2seq.sequence import ImageSequence

# A small window, so that speckle is left for time to average.
ALL, NEAREST = (GuidedSettings(radar_dates=dates, guide_radius_px=1) for dates in ("all", "nearest"))
QUICK_TREES = {name: value for name, value in QUICK.items() if name in {each.name for each in fields(TreeSettings)}}


def backscatter(day, shape):
    """(2, H, W) dB of a scene that greens slowly, one half of it more."""
    rise = 4 / (1 + np.exp(-(np.asarray(day, dtype=float) - 60) / 15))
    return np.stack([np.full(shape, level + rise) for level in (-12.0, -18.0)]) + np.linspace(0, 2, shape[1])


@pytest.fixture(scope="module")
def truth_and_given():
    """S1 every third day from two orbits that are 2 dB apart, S2 of other days; the nearest of each date is paired."""
    base = observations(dates=8, size=(20, 24), seed=2)
    shape, rng = base.s2.shape[2:], np.random.default_rng(0)
    last = int(base.s2.days[-1])
    days = np.array(sorted({*range(-5, last + 6, 6), *range(-3, last + 6, 6)}))
    noise = rng.normal(0, 1.5, (len(days), 2, *shape))
    level = np.where((days + 5) % 6 == 0, 1.0, -1.0)[:, None, None, None]
    pixels = (np.stack([backscatter(day, shape) for day in days]) + level + noise).astype(np.float32)
    everywhere = np.ones((len(days), *shape), dtype=bool)
    series = ImageSequence(pixels, base.s2.dates[0] + days, ("VV", "VH"), base.s2.geobox, everywhere)
    orbits = tuple("A015" if (day + 5) % 6 == 0 else "A088" for day in days)
    nearest = np.abs(base.s2.days[:, None] - days[None]).argmin(axis=1)
    paired = ImageSequence(pixels[nearest], base.s2.dates, ("VV", "VH"), base.s2.geobox, everywhere[nearest])
    given = replace(base, s1=paired, s1_dates=series.dates[nearest], s1_series=RadarSeries.of(series, orbits))
    return np.stack([backscatter(day, shape) for day in base.s2.days]), given


def filtered(given, settings):
    return speckle_filtered(given, given.s2.observed, lambda: None, settings)


def test_change_is_nearer_to_the_truth_than_that_of_the_nearest_acquisitions(truth_and_given):
    truth, given = truth_and_given
    error = {}
    for settings in (NEAREST, ALL):
        smooth = filtered(given, settings).smooth
        error[settings.radar_dates] = np.sqrt(np.mean((np.diff(smooth, axis=0) - np.diff(truth, axis=0)) ** 2))
    assert error["all"] < 0.6 * error["nearest"]


def test_the_level_of_a_date_and_the_raw_values_stay_those_of_the_nearest(truth_and_given):
    _, given = truth_and_given
    near, every = filtered(given, NEAREST), filtered(given, ALL)
    assert np.array_equal(near.raw, every.raw)
    assert np.array_equal(near.of_date, every.of_date)


def test_radar_of_the_s2_dates_alone_is_taken_as_ever(truth_and_given):
    _, given = truth_and_given
    alone = replace(given, s1_series=None)
    near, every = filtered(alone, NEAREST), filtered(alone, ALL)
    assert np.array_equal(near.smooth, every.smooth)


def test_what_clouds_hide_steers_it_not(truth_and_given):
    _, given = truth_and_given
    assert np.array_equal(filtered(given, ALL).smooth, filtered(with_hidden_values(given, 7.0), ALL).smooth)


def test_where_an_orbit_or_none_reaches_there_are_values_all_the_same(truth_and_given):
    _, given = truth_and_given
    series = given.s1_series.read()
    observed = series.observed.copy()
    observed[given.s1_series.classes == 0, :, :8] = False
    observed[:, :3] = False
    gaps = RadarSeries.of(replace(series, observed=observed), given.s1_series.orbits)
    smooth = filtered(replace(given, s1_series=gaps), ALL).smooth
    assert np.isfinite(smooth).all()
    whole = filtered(given, ALL).smooth
    # of one orbit 1 dB above or below the mean of both
    assert np.abs(smooth[:, :, 6:, :6] - whole[:, :, 6:, :6]).mean() < 1.6
    assert np.abs(smooth[:, :, 6:, 12:] - whole[:, :, 6:, 12:]).mean() < 0.3


@pytest.mark.parametrize("after", [3, 12])
def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(truth_and_given, tmp_path, after):
    _, given = truth_and_given
    config = ReconstructionConfig(method="trees", method_settings={**QUICK_TREES, "radar_dates": "all"})
    asked = 0

    def should_stop():
        nonlocal asked
        asked += 1
        return asked == after

    with pytest.raises(Stopped):
        reconstruct(given, config, checkpoint=tmp_path, should_stop=should_stop)
    again, straight = reconstruct(given, config, checkpoint=tmp_path), reconstruct(given, config)
    assert np.array_equal(again.s2.pixels, straight.s2.pixels)
    nearest = reconstruct(given, replace(config, method_settings={**QUICK_TREES, "radar_dates": "nearest"}))
    assert not np.array_equal(nearest.s2.pixels, straight.s2.pixels)
