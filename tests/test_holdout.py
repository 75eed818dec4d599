"""The proof is made on pixels that no fit saw, and what follows from it cannot make the result worse than linear."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quick_engine import observations

from seq2seq.holdout import (
    GAP_EDGES,
    LINEAR,
    MIN_CLASS_PIXELS,
    NORMAL_90,
    RESULT,
    Blend,
    assess,
    calibrate,
    choose_holdout,
    few_dates,
    fit_blend,
    gap_class,
    lost_dates,
    pool,
)

DEFAULT = {"one": 0.5, "two": 0.5}
BANDS = ("B02", "B03")


def members(seed=0, *, errors=(1.0, 0.7, 0.8), shape=(6, 2, 30, 40)):
    """Truth, linear and two others with independent errors of given spreads (in 0.02 reflectance), mask and gaps."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0.05, 0.4, shape).astype(np.float32)
    found = {
        name: (truth + rng.normal(0, 0.02 * error, shape)).astype(np.float32)
        for name, error in zip((LINEAR, "one", "two"), errors, strict=True)
    }
    t, _, h, w = shape
    held_out = rng.random((t, h, w)) < 0.6
    gaps = rng.choice(np.float32([10, 30, 60, 120, 300]), (t, h, w))
    return found, truth, held_out, gaps


def rmse(image, truth, where):
    return float(np.sqrt(np.mean(np.moveaxis(image - truth, 1, -1)[where].astype(np.float64) ** 2)))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(1, 9), st.integers(0, 10))
def test_held_out_pixels_are_observed_and_leave_something_to_fit(seed, dates, lost):
    rng = np.random.default_rng(seed)
    observed = rng.random((dates, 9, 11)) < rng.random((dates, 1, 1)) * 1.5
    observed[rng.random(dates) < lost / 10] = False
    held_out = choose_holdout(observed, seed)
    assert not (held_out & ~observed).any()
    assert not observed.any() or (observed & ~held_out).any()
    assert np.array_equal(held_out, choose_holdout(observed, seed))


def test_whole_dates_and_parts_of_dates_are_held_out_by_seed():
    observed = observations(dates=12, size=24, cloud=0.5).s2.observed
    chosen = [choose_holdout(observed, seed) for seed in range(3)]
    assert len({held_out.tobytes() for held_out in chosen}) == 3
    for held_out in chosen:
        whole = (held_out == observed).all(axis=(1, 2)) & observed.any(axis=(1, 2))
        parts = held_out.any(axis=(1, 2)) & ~whole
        assert whole.sum() >= 1
        assert parts.sum() >= 1
        assert held_out.sum() < 0.5 * observed.sum()


@pytest.mark.parametrize("seed", range(20))
def test_two_clear_dates_are_enough_for_a_proof(seed):
    assert choose_holdout(np.full((2, 12, 12), True), seed).any()


def test_a_single_clear_date_is_not_given_away():
    observed = np.zeros((3, 8, 8), bool)
    observed[1] = True
    assert not choose_holdout(observed, 0).any()


def test_gap_classes_begin_at_their_edges():
    assert gap_class(np.float32([0, 19, 20, 44, 45, 80, 160, 9999])).tolist() == [0, 0, 1, 1, 2, 3, 4, 4]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31 - 1), st.floats(0.1, 3), st.floats(0.1, 3))
def test_weights_are_shares_and_no_class_is_worse_than_linear(seed, first, second):
    found, truth, held_out, gaps = members(seed, errors=(1.0, first, second))
    blend = fit_blend(found, truth, held_out, gaps, DEFAULT)
    assert (blend.weights >= 0).all()
    assert np.allclose(blend.weights.sum(axis=1), 1)
    result = blend.apply(found, gaps)
    for k in range(len(GAP_EDGES) - 1):
        inside = held_out & (gap_class(gaps) == k)
        assert inside.sum() >= MIN_CLASS_PIXELS
        assert rmse(result, truth, inside) <= rmse(found[LINEAR], truth, inside) * (1 + 1e-6)


def test_garbage_is_given_up_for_linear_and_said_so():
    found, truth, held_out, gaps = members(errors=(1.0, 90.0, 90.0))
    blend = fit_blend(found, truth, held_out, gaps, DEFAULT)
    assert all(blend.fallback) or blend.weights[:, 0].min() > 0.99
    assert rmse(blend.apply(found, gaps), truth, held_out) <= rmse(found[LINEAR], truth, held_out)


def test_members_that_agree_with_linear_fall_back_to_it():
    found, truth, held_out, gaps = members()
    same = dict.fromkeys(found, found[LINEAR])
    blend = fit_blend(same, truth, held_out, gaps, DEFAULT)
    assert all(blend.fallback)
    assert np.array_equal(blend.apply(same, gaps), found[LINEAR])


def test_each_class_weighs_by_its_own_errors():
    found, truth, held_out, gaps = members()
    short = (gap_class(gaps) == 1)[:, None]
    found["one"] = np.where(short, truth + (found["one"] - truth) * 0.1, truth + (found["one"] - truth) * 20)
    blend = fit_blend(found, truth, held_out, gaps, DEFAULT)
    weight = blend.weights[:, blend.names.index("one")]
    assert np.delete(weight, 1).max() < 0.1 < 0.3 < weight[1]


def test_independent_errors_are_averaged_away():
    found, truth, held_out, gaps = members(errors=(1.5, 0.7, 0.7))
    result = fit_blend(found, truth, held_out, gaps, DEFAULT).apply(found, gaps)
    assert rmse(result, truth, held_out) < 0.8 * rmse(found["one"], truth, held_out)


def test_without_held_out_pixels_it_is_linear():
    found, truth, held_out, gaps = members()
    blend = fit_blend(found, truth, np.zeros_like(held_out), gaps, DEFAULT)
    assert all(blend.fallback)
    assert np.array_equal(blend.apply(found, gaps), found[LINEAR])


def one_lost_date(held_out):
    """(T, H, W) what was seen: nothing on the first date, everything on the others."""
    seen = np.full(held_out.shape, True)
    seen[0] = False
    return seen


def test_a_small_class_is_never_worse_than_interpolation_on_its_pixels():
    found, truth, held_out, gaps = members()
    few = held_out & (gap_class(gaps) == 0)
    few &= np.cumsum(few.ravel()).reshape(few.shape) <= 50
    held_out = (held_out & (gap_class(gaps) != 0)) | few
    found["one"] = np.where(few[:, None], truth + 0.5, found["one"])
    blend = fit_blend(found, truth, held_out, gaps, DEFAULT)
    result, inside = blend.apply(found, gaps), np.moveaxis(truth, 1, -1)[few]
    errors = {
        name: np.square(np.moveaxis(i, 1, -1)[few] - inside).sum()
        for name, i in (("mix", result), (LINEAR, found[LINEAR]))
    }
    assert errors["mix"] <= errors[LINEAR] * 1.0001


def test_a_candidate_that_is_not_finite_is_left_out():
    found, truth, held_out, gaps = members()
    found["broken"] = np.full_like(truth, np.nan)
    blend = fit_blend(found, truth, held_out, gaps, DEFAULT)
    assert "broken" not in blend.names
    assert np.isfinite(blend.apply(found, gaps)).all()


def test_what_is_not_held_out_decides_nothing():
    found, truth, held_out, gaps = members()
    other = np.where(held_out[:, None], truth, np.float32(5))
    one, two = (fit_blend(found, t, held_out, gaps, DEFAULT) for t in (truth, other))
    assert np.array_equal(one.weights, two.weights)
    seen = one_lost_date(held_out)
    sigmas = [calibrate(found, found["one"], t, held_out, seen).sigma(found, seen) for t in (truth, other)]
    assert np.array_equal(*sigmas)


@pytest.mark.parametrize("seed", range(3))
def test_ninety_percent_of_the_held_out_pixels_lie_in_the_interval(seed):
    found, truth, held_out, gaps = members(seed)
    result = fit_blend(found, truth, held_out, gaps, DEFAULT).apply(found, gaps)
    seen = one_lost_date(held_out)
    sigma = calibrate(found, result, truth, held_out, seen).sigma(found, seen)
    assert (sigma > 0).all()
    lost = lost_dates(seen)
    assert lost.tolist() == [True] + [False] * (len(lost) - 1)
    for kind in (lost, ~lost):
        inside = held_out & kind[:, None, None]
        narrow = sigma / few_dates(np.nonzero(inside)[0])
        within = np.moveaxis(np.abs(result - truth) <= NORMAL_90 * narrow, 1, -1)[inside]
        assert within.mean(axis=0) == pytest.approx([0.9, 0.9], abs=0.02)


def test_the_fewer_dates_an_interval_was_measured_on_the_wider_it_is():
    widths = [few_dates(np.repeat(np.arange(dates), 400)) for dates in (1, 2, 10, 1000)]
    assert widths == pytest.approx([3.84, 1.78, 1.10, 1.0], abs=0.01)
    assert few_dates(np.repeat([0, 1], [400, 3])) == pytest.approx(3.84, abs=0.01)


def test_too_few_held_out_pixels_leave_a_finite_sigma():
    found, truth, held_out, _ = members()
    few = np.zeros_like(held_out)
    few[0, 0, :3] = True
    seen = one_lost_date(held_out)
    sigma = calibrate(found, found["one"], truth, few, seen).sigma(found, seen)
    assert np.isfinite(sigma).all()
    assert (sigma > 0).all()


def assessment(found, truth, held_out, gaps, rows=slice(None)):
    """Of some rows of the scene, blended as the whole is."""
    blend = fit_blend(found, truth, held_out, gaps, DEFAULT)
    result = blend.apply(found, gaps)
    methods = {RESULT: result, LINEAR: found[LINEAR]}
    cut = {name: image[:, :, rows] for name, image in methods.items()}
    sigma = np.full_like(truth, 0.02)[:, :, rows]
    return assess(cut, sigma, truth[:, :, rows], held_out[:, rows], gaps[:, rows], BANDS, blend)


def test_tiles_pooled_are_the_whole():
    given_all = members()
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
        assert (one.gap_days, one.pixels, one.fallback) == (other.gap_days, other.pixels, other.fallback)
        assert one.rmse == pytest.approx(other.rmse, rel=1e-5)
    assert pooled.coverage_90 == pytest.approx(whole.coverage_90)


def test_one_tile_pooled_is_itself_and_none_is_nothing():
    whole = assessment(*members())
    pooled = pool([whole])
    assert asdict(pooled.methods[RESULT]) == pytest.approx(asdict(whole.methods[RESULT]))
    assert pooled.by_gap[0].weights == whole.by_gap[0].weights
    assert pool([]) is None


def test_without_held_out_pixels_there_is_no_assessment():
    _, truth, held_out, gaps = members()
    blend = Blend((LINEAR,), np.ones((len(GAP_EDGES) - 1, 1)), (True,) * (len(GAP_EDGES) - 1))
    nothing = np.zeros_like(held_out)
    assert assess({RESULT: truth, LINEAR: truth}, truth, truth, nothing, gaps, BANDS, blend) is None


def test_scores_by_gap_are_those_of_their_pixels():
    found, truth, held_out, gaps = members()
    for entry in assessment(found, truth, held_out, gaps).by_gap:
        inside = held_out & (gaps >= entry.gap_days[0]) & (gaps < (entry.gap_days[1] or np.inf))
        assert entry.pixels == inside.sum()
        assert entry.rmse[LINEAR] == pytest.approx(rmse(found[LINEAR], truth, inside), rel=1e-6)


def test_a_candidate_that_is_worse_than_interpolation_but_errs_differently_still_helps():
    _, truth, held_out, gaps = members()
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.05, (2, *truth.shape)).astype(np.float32)
    pair = {LINEAR: truth + noise[0], "one": truth + 2 * noise[1]}
    blend = fit_blend(pair, truth, held_out, gaps, {"one": 1.0})
    mixed, linear = (
        np.square(np.moveaxis(image - truth, 1, -1)[held_out]).mean()
        for image in (blend.apply(pair, gaps), pair[LINEAR])
    )
    assert mixed < 0.9 * linear
