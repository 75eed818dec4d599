"""Dates whose clear pixels contradict all others are named, and nothing else is."""

import json
from dataclasses import replace

import numpy as np
import pytest
from report_example import example_report, example_thumbnails

from seq2seq.bands import BAND_SETS, S2_BANDS
from seq2seq.config import ReconstructionConfig
from seq2seq.report.contradictions import contradiction_lines, pool_contradictions
from seq2seq.report.html_report import render
from seq2seq.run.reconstruction import reconstruct
from seq2seq.sequence import Observations
from seq2seq.simulation.simulate import simulate
from seq2seq.validation.contradictions import contradicting_dates, deviations, kind_of

BANDS = BAND_SETS["L2A_10"]
SEEDS = range(20)


def scene(seed, bands=BANDS, **more):
    return simulate(**{"dates": 16, "size": 48, "bands": bands, "cloud": 0.5, "s1": False, "seed": seed, **more})


def named(s2, pixels=None, observed=None):
    pixels, observed = s2.pixels if pixels is None else pixels, s2.observed if observed is None else observed
    return contradicting_dates(pixels, observed, s2.days, s2.bands)


def hazy(s2, date, blue):
    """Path reflectance that falls off with the square of the wavelength, and what it takes of the ground."""
    path = np.array([blue * (S2_BANDS[band].wavelength_nm / 490) ** -2 for band in s2.bands], np.float32)
    pixels = s2.pixels.copy()
    pixels[date] = pixels[date] * (1 - path[:, None, None]) + path[:, None, None]
    return pixels


def clear_date(s2, seed):
    shares = s2.observed.mean(axis=(1, 2))
    return int(np.random.default_rng(seed).choice([t for t in range(2, len(shares) - 2) if shares[t] > 0.3]))


@pytest.mark.parametrize("name", ["10m", "L2A_10", "L1C"])
def test_haze_is_found_in_every_scene_and_clean_scenes_give_no_alarm(name):
    for seed in SEEDS:
        s2 = scene(seed, BAND_SETS[name]).s2
        assert named(s2) == ()
        date = clear_date(s2, seed)
        found = named(s2, hazy(s2, date, 0.08))
        assert [(one.date, one.kind) for one in found] == [(date, "haze")]
        assert found[0].ratio > 1
        assert found[0].deviation["B02"] == pytest.approx(0.08, abs=0.04)


def test_deviations_are_the_haze_and_nothing_where_nothing_contradicts():
    s2 = scene(0).s2
    date = clear_date(s2, 0)
    assert not deviations(named(s2), s2.shape).any()
    pixels = hazy(s2, date, 0.1)
    levels = deviations(named(s2, pixels), s2.shape)
    assert set(np.flatnonzero(levels.any(axis=(1, 2, 3)))) == {date}
    before = np.abs((pixels[date] - s2.pixels[date])[:, s2.observed[date]]).mean()
    after = np.abs((pixels[date] - levels[date] - s2.pixels[date])[:, s2.observed[date]]).mean()
    assert after < 0.5 * before


def test_nothing_that_is_not_observed_is_looked_at():
    s2 = scene(1).s2
    pixels = hazy(s2, clear_date(s2, 1), 0.1)
    nonsense = np.where(s2.observed[:, None], pixels, np.float32(7))
    assert named(s2, pixels) == named(s2, nonsense)


def test_a_change_that_stays_is_believed():
    s2 = scene(2, cloud=0.2).s2
    pixels = s2.pixels.copy()
    pixels[7:] += 0.15
    assert named(s2, pixels) == ()


def test_two_bad_dates_do_not_excuse_each_other():
    s2 = scene(3, cloud=0.3).s2
    pixels = hazy(s2, 6, 0.15)
    pixels[7] = hazy(s2, 7, 0.15)[7]
    assert {one.date for one in named(s2, pixels)} == {6, 7}


def test_one_band_alone_is_no_date():
    s2 = scene(4, cloud=0.3).s2
    pixels = s2.pixels.copy()
    pixels[6, BANDS.index("B08")] += 0.2
    assert named(s2, pixels) == ()


def test_the_first_and_last_date_and_short_sequences_are_not_judged():
    s2 = scene(5, cloud=0.2).s2
    assert named(s2, hazy(s2, 0, 0.2)) == ()
    assert contradicting_dates(s2.pixels[:2], s2.observed[:2], s2.days[:2], s2.bands) == ()
    assert named(s2, observed=np.zeros_like(s2.observed)) == ()


@pytest.mark.parametrize(
    ("excess", "kind"),
    [
        ({"B02": 0.3, "B03": 0.28, "B04": 0.27, "B08": 0.2, "B11": -0.1}, "snow"),
        ({"B02": 0.06, "B03": 0.045, "B04": 0.03, "B08": 0.01, "B11": 0.0}, "haze"),
        ({"B02": 0.2, "B03": 0.2, "B04": 0.21, "B08": 0.2, "B11": 0.15}, "cloud"),
        ({"B02": -0.02, "B03": -0.03, "B04": -0.04, "B08": -0.1, "B11": -0.1}, "dark"),
        ({"B02": -0.02, "B03": 0.0, "B04": -0.04, "B08": 0.1, "B11": 0.1}, "other"),
    ],
)
def test_what_a_date_looks_like(excess, kind):
    assert kind_of(np.array(list(excess.values()), np.float32), np.full(5, 0.1, np.float32), tuple(excess)) == kind


def observations(s2):
    return Observations(s2, None, ~s2.observed, np.full(len(s2.dates), np.datetime64("NaT", "D")))


def test_a_run_names_the_date_delivers_it_as_it_is_and_fills_the_others_better():
    simulated = scene(6, dates=14)
    s2 = simulated.s2
    date = clear_date(s2, 6)
    pixels = hazy(s2, date, 0.15)
    others = ~s2.observed & (np.arange(len(s2.dates)) != date)[:, None, None]
    errors = {}
    for most in (0.0, 0.2):
        config = ReconstructionConfig(method="linear", device="cpu", validation_settings={"most_contradicting": most})
        result = reconstruct(observations(replace(s2, pixels=pixels)), config, progress=False)
        errors[most] = np.square(np.moveaxis(result.s2.pixels - simulated.truth.pixels, 1, -1)[others]).mean()
        observed = np.moveaxis(result.s2.pixels - pixels, 1, -1)[s2.observed]
        assert not observed.any()
    assert [one.date for one in result.contradictions] == [date]
    assert errors[0.2] < 0.9 * errors[0.0]


def test_what_is_held_out_has_no_say_in_what_a_date_is_said_to_be():
    s2 = scene(7).s2
    pixels = hazy(s2, clear_date(s2, 7), 0.1)
    hidden = s2.observed & (np.random.default_rng(0).random(s2.observed.shape) < 0.3)
    visible = s2.observed & ~hidden
    assert named(s2, pixels, visible) == named(s2, np.where(hidden[:, None], np.float32(0.9), pixels), visible)


def test_tiles_are_pooled_by_date():
    one = {"date": 1, "kind": "haze", "deviation": {"B02": 0.06}, "ratio": 1.5, "pixels": 100}
    two = {**one, "kind": "cloud", "deviation": {"B02": 0.1}, "ratio": 3.0, "pixels": 300}
    (pooled,) = pool_contradictions([[one], [], [two]], ["2021-01-01", "2021-01-06"])
    assert (pooled.date, pooled.kind, pooled.ratio, pooled.pixels, pooled.tiles) == ("2021-01-06", "cloud", 3.0, 400, 2)
    assert pooled.deviation == {"B02": pytest.approx(0.09)}
    (line,) = contradiction_lines([json.loads(json.dumps(vars(pooled)))])
    assert line.startswith("2021-01-06 contradicts the others, 3.0 times what is believed: B02 +0.090; looks like thin")


def test_the_page_says_which_why_by_how_much_and_what_was_done():
    report = example_report()
    assert "contradict" not in render(report, example_thumbnails())
    found = {"date": "2021-01-11", "kind": "haze", "deviation": {"B02": 0.06}, "ratio": 2.5, "pixels": 4321, "tiles": 1}
    page = render({**report, "contradictions": [found]}, example_thumbnails())
    for words in ("Dates that contradict the others", "haze or smoke", "B02 +0.060", "2.5", "their pattern counts"):
        assert words in page
