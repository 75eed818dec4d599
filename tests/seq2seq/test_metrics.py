"""Scores: agreement with their definitions, with skimage and with the shared judge."""

import math
import runpy
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from locations import SHARED

from seq2seq.validation import metrics

JUDGE = SHARED / "bench" / "score.py"


def random_case(seed=0, shape=(4, 3, 24, 20), share=0.4, error=0.05):
    rng = np.random.default_rng(seed)
    truth = np.cumsum(np.cumsum(rng.normal(0, 0.004, shape), -1), -2) + 0.3
    truth = np.clip(truth, 0.01, 1).astype(np.float32)
    prediction = np.clip(truth + rng.normal(0, error, shape), 0, 1).astype(np.float32)
    where = rng.random((shape[0], *shape[2:])) < share
    return prediction, truth, where


@given(seed=st.integers(0, 10_000), offset=st.floats(-0.2, 0.2))
@settings(max_examples=20, deadline=None)
def test_a_constant_offset_is_its_own_rmse_and_mae(seed, offset):
    _, truth, where = random_case(seed)
    truth = 0.3 + 0.4 * truth
    prediction = (truth + np.float32(offset)).astype(np.float32)
    assert metrics.rmse(prediction, truth, where=where) == pytest.approx(abs(offset), abs=1e-6)
    assert metrics.mae(prediction, truth, where=where) == pytest.approx(abs(offset), abs=1e-6)


@given(seed=st.integers(0, 10_000), gain=st.floats(0.2, 1.0))
@settings(max_examples=20, deadline=None)
def test_brightness_does_not_change_the_spectral_angle(seed, gain):
    prediction, truth, where = random_case(seed)
    angle = metrics.sam_degrees(prediction, truth, where=where)
    assert metrics.sam_degrees(prediction * np.float32(gain), truth, where=where) == pytest.approx(angle, abs=1e-3)


def test_orthogonal_spectra_are_ninety_degrees_apart():
    truth, prediction = np.zeros((2, 1, 2, 16, 16), np.float32)
    truth[:, 0], prediction[:, 1] = 0.5, 0.2
    assert metrics.sam_degrees(prediction, truth, where=np.ones((1, 16, 16), bool)) == pytest.approx(90)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_pixels_outside_where_change_no_score(seed):
    prediction, truth, where = random_case(seed)
    spoilt = np.where(where[:, None], prediction, np.float32(np.nan))
    assert metrics.score(spoilt, truth, where) == metrics.score(prediction, truth, where)


def test_an_exact_prediction_has_perfect_scores():
    _, truth, where = random_case()
    scores = metrics.score(truth, truth, where)
    assert (scores.psnr, scores.rmse, scores.mae, scores.nrmse) == (math.inf, 0, 0, 0)
    assert scores.ssim == pytest.approx(1, abs=1e-12)
    assert scores.sam == pytest.approx(0, abs=1e-4)
    assert scores.pixels == where.sum()


def test_predictions_are_clipped_to_what_a_product_can_hold():
    prediction, truth, where = random_case()
    wild = prediction.copy()
    wild[prediction > 0.3], wild[prediction < 0.1] = 7.0, -3.0
    assert metrics.score(wild, truth, where) == metrics.score(np.clip(wild, 0, 1), truth, where)


def test_black_pixels_have_no_angle():
    truth = np.full((1, 3, 16, 16), 0.4, np.float32)
    prediction = truth.copy()
    prediction[..., :8] = 0
    everywhere = np.ones((1, 16, 16), bool)
    assert metrics.sam_degrees(prediction, truth, where=everywhere) == pytest.approx(0, abs=1e-4)
    assert metrics.sam_degrees(np.zeros_like(truth), truth, where=everywhere) == 90
    assert metrics.sam_degrees(np.zeros_like(truth), np.zeros_like(truth), where=everywhere) == 0


def test_ssim_map_is_that_of_skimage():
    structural_similarity = pytest.importorskip("skimage.metrics").structural_similarity
    prediction, truth, _ = random_case(shape=(1, 3, 40, 33))
    a, b = prediction[0].astype(np.float64), truth[0].astype(np.float64)
    _, full = structural_similarity(
        a, b, channel_axis=0, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    np.testing.assert_allclose(metrics.ssim_map(a, b), full, atol=1e-5)


def test_ssim_leaves_dates_with_hardly_any_scored_pixel_out():
    prediction, truth, where = random_case(shape=(3, 2, 32, 32))
    where[1] = False
    without = metrics.ssim(prediction, truth, where=where)
    where[1, 3, 3] = True
    assert metrics.ssim(prediction, truth, where=where) == without
    where[[0, 2]] = False
    assert -1 < metrics.ssim(prediction, truth, where=where) < 1


@pytest.mark.parametrize("seed", [0, 1])
def test_score_agrees_with_the_shared_judge(seed):
    if not JUDGE.is_file():
        pytest.skip(f"the shared scorer is not at {JUDGE}")
    pytest.importorskip("skimage")
    prediction, truth, where = random_case(seed, shape=(5, 4, 40, 36))
    where[2] = False
    where[3] = True
    expected = runpy.run_path(str(JUDGE))["metrics"](prediction, truth, where)
    scores = metrics.score(prediction, truth, where)
    for name, value in expected.items():
        assert getattr(scores, name) == pytest.approx(value, rel=1e-5, abs=1e-5), name


def test_nothing_to_score_is_said_clearly():
    prediction, truth, where = random_case()
    for function in (metrics.rmse, metrics.mae, metrics.psnr, metrics.nrmse, metrics.sam_degrees, metrics.ssim):
        with pytest.raises(ValueError, match="no pixel to score"):
            function(prediction, truth, where=np.zeros_like(where))


def test_a_scored_nan_is_refused():
    prediction, truth, where = random_case()
    prediction[0, 0][where[0]] = np.nan
    with pytest.raises(ValueError, match=f"{where[0].sum()} scored values are NaN"):
        metrics.score(prediction, truth, where)


def test_shapes_that_disagree_are_named():
    prediction, truth, where = random_case()
    with pytest.raises(ValueError, match=r"prediction is \(3, 3, 24, 20\)"):
        metrics.rmse(prediction[1:], truth, where=where)
    with pytest.raises(ValueError, match="where is float64"):
        metrics.rmse(prediction, truth, where=where * 1.0)


def test_scoring_a_real_size_takes_under_two_seconds():
    prediction, truth, where = random_case(shape=(20, 9, 101, 101), share=0.6)
    start = time.process_time()
    metrics.score(prediction, truth, where)
    assert time.process_time() - start < 2
