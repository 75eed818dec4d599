"""The blend is never worse than interpolation on the held-out pixels, and takes what helps by kind of date and gap."""

import numpy as np
import pytest
from blend_example import DEFAULT, candidates, one_lost, rmse
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.validation.blending import fit_blend
from seq2seq.validation.holdout import LINEAR, gap_class

PARTLY, FULLY_CLOUDED = 0, 1


def fit(found, truth, held_out, gaps, fully_clouded=None):
    return fit_blend(found, truth, held_out, gaps, one_lost() if fully_clouded is None else fully_clouded, DEFAULT)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31 - 1), st.floats(0.1, 3), st.floats(0.1, 3))
def test_shares_add_up_and_no_kind_of_date_is_worse_than_linear(seed, first, second):
    found, truth, held_out, gaps = candidates(seed, errors=(1.0, first, second))
    blend = fit(found, truth, held_out, gaps)
    assert (blend.mix_weights >= 0).all()
    assert np.allclose(blend.mix_weights.sum(axis=1), 1)
    assert ((blend.blend_weight >= 0) & (blend.blend_weight <= 1)).all()
    assert sum(blend.weights(PARTLY, 2).values()) == pytest.approx(1)
    result = blend.apply(found, gaps, one_lost())
    for kind in (one_lost(), ~one_lost()):
        inside = held_out & kind[:, None, None]
        assert rmse(result, truth, inside) <= rmse(found[LINEAR], truth, inside) * (1 + 1e-6)


def test_garbage_is_given_up_for_linear():
    found, truth, held_out, gaps = candidates(errors=(1.0, 90.0, 90.0))
    blend = fit(found, truth, held_out, gaps)
    assert blend.blend_weight.max() < 0.01
    assert rmse(blend.apply(found, gaps, one_lost()), truth, held_out) <= rmse(found[LINEAR], truth, held_out)


def test_candidates_that_agree_with_linear_leave_it_as_it_is():
    found, truth, held_out, gaps = candidates()
    same = dict.fromkeys(found, found[LINEAR])
    assert np.array_equal(fit(same, truth, held_out, gaps).apply(same, gaps, one_lost()), found[LINEAR])


def test_what_fails_on_lost_dates_is_still_used_on_the_others():
    found, truth, held_out, gaps = candidates(errors=(1.0, 0.2, 0.2))
    fully_clouded = np.array([True, True, True, False, False, False])
    for name in DEFAULT:
        found[name] = np.where(fully_clouded[:, None, None, None], truth + (found[name] - truth) * 40, found[name])
    blend = fit(found, truth, held_out, gaps, fully_clouded)
    assert blend.blend_weight[FULLY_CLOUDED].max() < 0.05
    assert blend.blend_weight[PARTLY].min() > 0.9
    assert np.array_equal(blend.apply(found, gaps, np.ones(6, bool)).argmax(), found[LINEAR].argmax())


def test_trust_grows_with_the_gap():
    found, truth, held_out, gaps = candidates()
    short = (gap_class(gaps) <= 1)[:, None]
    for name in DEFAULT:
        spread = np.where(short, 20, 0.1)
        found[name] = (truth + (found[name] - truth) * spread).astype(np.float32)
    blend_weight = fit(found, truth, held_out, gaps).blend_weight
    assert (np.diff(blend_weight) >= -1e-12).all()
    assert blend_weight[PARTLY, :2].max() < 0.1
    assert blend_weight[PARTLY, 3:].min() > 0.4


def test_between_the_nodes_trust_is_interpolated_so_that_no_seam_shows():
    found, truth, held_out, gaps = candidates()
    far = (gap_class(gaps) >= 2)[:, None]
    for name in DEFAULT:
        found[name] = (truth + (found[name] - truth) * np.where(far, 0.1, 20)).astype(np.float32)
    blend = fit(found, truth, held_out, gaps)
    steps = np.linspace(5, 300, 1200, dtype=np.float32).reshape(1, 30, 40)
    flat = {LINEAR: np.zeros((1, 2, 30, 40), np.float32)} | {n: np.ones((1, 2, 30, 40), np.float32) for n in DEFAULT}
    image = blend.apply(flat, steps, np.array([False]))[0, 0].ravel()
    assert image[-1] - image[0] > 0.3
    assert np.abs(np.diff(image)).max() < 0.02


def test_independent_errors_are_averaged_away():
    found, truth, held_out, gaps = candidates(errors=(1.5, 0.7, 0.7))
    result = fit(found, truth, held_out, gaps).apply(found, gaps, one_lost())
    assert rmse(result, truth, held_out) < 0.8 * rmse(found["one"], truth, held_out)


def test_without_held_out_pixels_it_is_linear():
    found, truth, held_out, gaps = candidates()
    blend = fit(found, truth, np.zeros_like(held_out), gaps)
    assert not blend.blend_weight.any()
    assert np.array_equal(blend.apply(found, gaps, one_lost()), found[LINEAR])


def test_lost_dates_are_interpolated_where_none_was_held_out():
    found, truth, held_out, gaps = candidates(errors=(1.0, 0.2, 0.2))
    held_out[0] = False
    blend = fit(found, truth, held_out, gaps)
    assert not blend.blend_weight[FULLY_CLOUDED].any()
    assert blend.blend_weight[PARTLY].min() > 0.9


def test_partly_seen_dates_do_as_lost_ones_where_only_those_were_held_out():
    found, truth, held_out, gaps = candidates(errors=(1.0, 0.2, 0.2))
    held_out[1:] = False
    blend_weight = fit(found, truth, held_out, gaps).blend_weight
    assert blend_weight[FULLY_CLOUDED].min() > 0.5
    assert np.array_equal(blend_weight[PARTLY], blend_weight[FULLY_CLOUDED])


def test_one_date_convinces_less_than_many():
    found, truth, held_out, gaps = candidates(errors=(1.0, 0.1, 0.1))
    fully_clouded = np.ones(6, bool)
    few = held_out.copy()
    few[1:] = False
    one, many = (
        fit(found, truth, pixels, gaps, fully_clouded).blend_weight[FULLY_CLOUDED] for pixels in (few, held_out)
    )
    assert one.max() < many.min()


def test_a_candidate_that_is_not_finite_is_left_out():
    found, truth, held_out, gaps = candidates()
    found["broken"] = np.full_like(truth, np.nan)
    blend = fit(found, truth, held_out, gaps)
    assert "broken" not in blend.names
    assert np.isfinite(blend.apply(found, gaps, one_lost())).all()


def test_interpolation_alone_is_interpolation():
    found, truth, held_out, gaps = candidates()
    only = {LINEAR: found[LINEAR]}
    assert np.array_equal(fit(only, truth, held_out, gaps).apply(only, gaps, one_lost()), found[LINEAR])


def test_what_is_not_held_out_decides_nothing():
    found, truth, held_out, gaps = candidates()
    other = np.where(held_out[:, None], truth, np.float32(5))
    one, two = (fit(found, t, held_out, gaps) for t in (truth, other))
    assert np.array_equal(one.blend_weight, two.blend_weight)
    assert np.array_equal(one.mix_weights, two.mix_weights)


def test_a_candidate_that_is_worse_than_interpolation_but_errs_differently_still_helps():
    _, truth, held_out, gaps = candidates()
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.05, (2, *truth.shape)).astype(np.float32)
    pair = {LINEAR: truth + noise[0], "one": truth + 2 * noise[1]}
    mixed = fit(pair, truth, held_out, gaps).apply(pair, gaps, one_lost())
    assert rmse(mixed, truth, held_out) < 0.95 * rmse(pair[LINEAR], truth, held_out)
