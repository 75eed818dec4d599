"""Candidates on trial: in the blend where held-out dates ask for them, and without a trace where they do not."""

import numpy as np
import pytest
from blend_example import DEFAULT, candidates, one_lost

from seq2seq.validation.blending import fit_blend
from seq2seq.validation.trial import fit_blend_with_trial, passes

SHARES = {name: 0.99 * share for name, share in DEFAULT.items()} | {"third": 0.01}


def with_third(spread, seed=0):
    """The example and a third candidate, with errors of `spread` in 0.02 reflectance."""
    found, truth, held_out, gaps = candidates(seed)
    noise = np.random.default_rng(9).normal(0, 0.02 * spread, truth.shape)
    return {**found, "third": (truth + noise).astype(np.float32)}, truth, held_out, gaps


def blended(found, truth, held_out, gaps, on_trial=("third",)):
    return fit_blend_with_trial(found, truth, held_out, gaps, one_lost(), SHARES, on_trial)


def test_a_good_candidate_is_taken():
    blend = blended(*with_third(0.2))
    assert blend.refused == ()
    assert blend.weights(0, 2)["third"] > 0.3


@pytest.mark.parametrize("times", [4, np.nan])
def test_what_does_not_pass_leaves_the_blend_as_if_it_were_not_there(times):
    found, truth, held_out, gaps = with_third(1.0)
    found["third"] = (truth + times * (found["one"] - truth)).astype(np.float32)
    blend = blended(found, truth, held_out, gaps)
    alone = {name: image for name, image in found.items() if name != "third"}
    assert blend.refused == ("third",)
    assert list(blend.kept(found)) == list(alone)
    expected = fit_blend(alone, truth, held_out, gaps, one_lost(), DEFAULT)
    assert np.allclose(blend.mix_weights, expected.mix_weights)
    weights = blend.weights(0, 2)
    assert weights.pop("third") == 0
    assert weights == pytest.approx(expected.weights(0, 2))


def test_two_dates_prove_nothing():
    found, truth, held_out, gaps = with_third(0.2)
    held_out[2:] = False
    assert blended(found, truth, held_out, gaps).refused == ("third",)


def test_nothing_held_out_or_nothing_on_trial_is_the_blend_as_ever():
    found, truth, held_out, gaps = with_third(0.2)
    assert blended(found, truth, np.zeros_like(held_out), gaps).refused == ("third",)
    usual = fit_blend(found, truth, held_out, gaps, one_lost(), SHARES)
    same = blended(found, truth, held_out, gaps, on_trial=())
    assert same.refused == ()
    assert np.array_equal(same.mix_weights, usual.mix_weights)
    assert np.array_equal(same.blend_weight, usual.blend_weight)


def test_what_helps_on_one_date_alone_does_not_pass():
    assert passes(np.array([1.0, 1.2, 0.8]), 1.0)
    assert not passes(np.array([9.0, -4.0, -3.5]), 0.5)
    assert not passes(np.array([5.0, 0.0, -1.0]), 1.0)
    assert not passes(np.array([9.0, 0.5]), 0.0)
    assert not passes(np.array([9.0, 0.5, -0.4]), 1.0)
    assert not passes(np.zeros(3), 0.0)


def test_each_is_tried_beside_those_that_have_passed():
    found, truth, held_out, gaps = with_third(0.2)
    found["worse"] = (truth + 4 * (found["one"] - truth)).astype(np.float32)
    assert blended(found, truth, held_out, gaps, on_trial=("worse", "third")).refused == ("worse",)
    assert blended(found, truth, held_out, gaps, on_trial=("third", "worse")).refused == ("worse",)
