"""Missed clouds and shadows are found where masks miss them, and the land's own changes are left alone."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.bands import BAND_SETS
from seq2seq.simulation.simulate import simulate
from seq2seq.validation.screening import suspected_clouds
from seq2seq.validation.settings import DEFAULTS

BANDS = ("B02", "B04", "B08")
DAYS = np.array([0, 10, 20, 30, 40])


def field(width=20):
    """Five dates of even land; the third is masked on its left half."""
    pixels = np.full((5, 3, 20, width), 0.1, np.float32)
    observed = np.ones((5, 20, width), bool)
    observed[2, :, :10] = False
    return pixels, observed


def test_a_bright_rim_beside_a_mask_is_suspected_and_nothing_else():
    pixels, observed = field()
    pixels[2, :, :, 10:12] = 0.4
    found = suspected_clouds(pixels, observed, DAYS, BANDS)
    assert found[2, :, 10:12].all()
    assert found.sum() == 40


def test_a_shadow_beside_a_mask_is_suspected():
    pixels, observed = field()
    pixels[2, :, :, 10:12] = 0.03
    assert suspected_clouds(pixels, observed, DAYS, BANDS).sum() == 40


def test_dark_land_beside_a_bright_date_is_not_taken_for_shadow():
    pixels = np.stack([np.full((3, 6, 6), value, np.float32) for value in (0.6, 0.1)])
    observed = np.zeros((2, 6, 6), bool)
    observed[:, 0, 0] = True
    found = suspected_clouds(pixels, observed, np.array([0, 5]), BANDS)
    assert found[0, 0, 0]
    assert not found[1].any()


def test_far_from_a_mask_a_bright_change_is_believed():
    pixels, observed = field()
    pixels[2, :, :, 16:] = 0.4
    assert not suspected_clouds(pixels, observed, DAYS, BANDS).any()


def test_a_change_that_is_as_frequent_far_from_masks_is_the_lands():
    pixels, observed = field(width=100)
    pixels[2, :, ::2] = 0.4  # every second row: snow, or bare soil
    assert not suspected_clouds(pixels, observed, DAYS, BANDS).any()
    pixels[2, :, :, 10:12] = 0.4  # and all that is beside the mask
    strict = replace(DEFAULTS, rim_excess=1.5)
    assert not suspected_clouds(pixels, observed, DAYS, BANDS, replace(DEFAULTS, rim_excess=2.5)).any()
    found = suspected_clouds(pixels, observed, DAYS, BANDS, strict)
    assert found[2, :, 10:12].all()
    assert found.sum() == 40


def test_all_dates_tell_how_the_land_changes_where_one_shows_nothing_far_from_its_masks():
    pixels, observed = field()
    observed[2, :, 15:] = False
    pixels[2, :, ::2] = 0.4
    assert suspected_clouds(pixels, observed, DAYS, BANDS)[2].any(), "nothing says that land changes so"
    pixels[1, :, ::2] = 0.9  # a date without masks: as many of its pixels
    pixels[0], pixels[3:] = 0.1, 0.1
    assert not suspected_clouds(pixels, observed, DAYS, BANDS).any()


def test_what_little_a_lost_date_shows_is_suspected_anywhere():
    pixels, observed = field()
    observed[2] = False
    observed[2, 5:8, 5:8] = True
    pixels[2] = 0.5
    assert (suspected_clouds(pixels, observed, DAYS, BANDS) == observed & (np.arange(5) == 2)[:, None, None]).all()


def test_a_lasting_change_is_believed():
    pixels, observed = field()
    pixels[2:, :, :, 10:12] = 0.4
    assert not suspected_clouds(pixels, observed, DAYS, BANDS).any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_every_pixel_that_was_seen_keeps_a_date_that_is_trusted(seed):
    rng = np.random.default_rng(seed)
    pixels = rng.uniform(0, 1, (4, 3, 8, 8)).astype(np.float32)
    observed = rng.random((4, 8, 8)) < 0.5
    found = suspected_clouds(pixels, observed, DAYS[:4], BANDS)
    assert not (found & ~observed).any()
    assert ((observed & ~found).any(axis=0) == observed.any(axis=0)).all()


@pytest.mark.parametrize("name", ["10m", "L2A_10", "L1C"])
def test_simulated_mask_errors_are_found_and_clear_land_is_not_suspected(name):
    scene = {"dates": 14, "size": 64, "bands": BAND_SETS[name], "cloud": 0.5, "seed": 5}
    clean, wrong = simulate(**scene).s2, simulate(**scene, mask_errors=0.05)
    found = suspected_clouds(clean.pixels, clean.observed, clean.days, clean.bands)
    assert found.sum() < 0.003 * clean.observed.sum()
    missed = wrong.cloud_mask & ~wrong.user_mask
    missed &= np.abs(wrong.s2.pixels - wrong.truth.pixels).max(axis=1) > 0.1
    found = suspected_clouds(wrong.s2.pixels, wrong.s2.observed, wrong.s2.days, wrong.s2.bands)
    assert (found & missed).sum() > 0.7 * missed.sum()
