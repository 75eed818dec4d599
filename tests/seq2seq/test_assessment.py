"""Scores are those of their pixels, and tiles pooled are the whole."""

from dataclasses import asdict

import numpy as np
import pytest
from blend_example import BANDS, DEFAULT, candidates, one_lost, rmse

from seq2seq.validation.assessment import assess, pool
from seq2seq.validation.blending import Blend, fit_blend
from seq2seq.validation.holdout import FULLY_CLOUDED, GAP_EDGES, LINEAR, RESULT


def assessment(found, truth, held_out, gaps, rows=slice(None)):
    """Of some rows of the scene, blended as the whole is."""
    blend = fit_blend(found, truth, held_out, gaps, one_lost(), DEFAULT)
    result = blend.apply(found, gaps, one_lost())
    methods = {RESULT: result, LINEAR: found[LINEAR]}
    cut = {name: image[:, :, rows] for name, image in methods.items()}
    sigma = np.full_like(truth, 0.02)[:, :, rows]
    return assess(cut, sigma, truth[:, :, rows], held_out[:, rows], gaps[:, rows], one_lost(), BANDS, blend)


def test_tiles_pooled_are_the_whole():
    given_all = candidates()
    whole, parts = assessment(*given_all), [assessment(*given_all, rows) for rows in (slice(0, 11), slice(11, 30))]
    pooled = pool(parts)
    assert pooled is not None
    assert pooled.pixels == whole.pixels
    for name, scores in whole.methods.items():
        for score in ("rmse", "psnr", "mae", "sam"):
            assert getattr(pooled.methods[name], score) == pytest.approx(getattr(scores, score), rel=1e-5)
        assert pooled.methods[name].nrmse == pytest.approx(scores.nrmse, rel=1e-3)
        for band in BANDS:
            assert pooled.by_band[band][name] == pytest.approx(whole.by_band[band][name], rel=1e-5)
    for one, other in zip(pooled.by_gap, whole.by_gap, strict=True):
        assert (one.dates, one.gap_days, one.pixels, one.fallback) == (
            other.dates,
            other.gap_days,
            other.pixels,
            other.fallback,
        )
        assert one.rmse == pytest.approx(other.rmse, rel=1e-5)
    assert pooled.coverage_90 == pytest.approx(whole.coverage_90)


def test_one_tile_pooled_is_itself_and_none_is_nothing():
    whole = assessment(*candidates())
    pooled = pool([whole])
    assert asdict(pooled.methods[RESULT]) == pytest.approx(asdict(whole.methods[RESULT]))
    assert pooled.by_gap[0].weights == whole.by_gap[0].weights
    assert pool([]) is None


def test_without_held_out_pixels_there_is_no_assessment():
    _, truth, held_out, gaps = candidates()
    blend = Blend((), np.ones((2, 0)), np.zeros((2, len(GAP_EDGES) - 1)))
    nothing = np.zeros_like(held_out)
    assert assess({RESULT: truth, LINEAR: truth}, truth, truth, nothing, gaps, one_lost(), BANDS, blend) is None


def test_scores_by_gap_are_those_of_their_pixels():
    found, truth, held_out, gaps = candidates()
    for entry in assessment(found, truth, held_out, gaps).by_gap:
        kind = (one_lost() if entry.dates == FULLY_CLOUDED else ~one_lost())[:, None, None]
        inside = held_out & kind & (gaps >= entry.gap_days[0]) & (gaps < (entry.gap_days[1] or np.inf))
        assert entry.pixels == inside.sum()
        assert entry.rmse[LINEAR] == pytest.approx(rmse(found[LINEAR], truth, inside), rel=1e-6)
