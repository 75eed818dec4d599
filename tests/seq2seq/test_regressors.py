"""Each regressor learns what it can learn, repeats itself, and says nothing wild about what it has never seen."""

import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from quick_engine import QUICK

from seq2seq.errors import Stopped
from seq2seq.methods.base import uncached
from seq2seq.methods.guided.mlp import MlpRegressor, RowDropout, Standardised
from seq2seq.methods.guided.regressors import (
    TreeRegressor,
    fit_regressors,
    predict_image,
    principal_components,
    tree_stages,
)
from seq2seq.methods.guided.settings import GuidedSettings
from seq2seq.run.checkpoint import Checkpoint

CPU = torch.device("cpu")
SETTINGS = GuidedSettings(**QUICK)
MANY_STEPS = replace(SETTINGS, mlp_steps=400, fewest_mlp_steps=10)


def never_stop():
    """Nothing to stop for."""


def samples(count=1500, *, seed=0):
    """Six features, of which two matter, and residuals of two bands."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 6)).astype(np.float32)
    features[:, 5] = 3.0  # a constant one
    residuals = np.stack([0.05 * np.tanh(features[:, 0]), 0.03 * features[:, 1]], axis=1)
    return features, (residuals + rng.normal(0, 0.005, residuals.shape)).astype(np.float32)


def fitted(seed=0, given=None, cached=uncached):
    return fit_regressors(
        given or samples(), SETTINGS, seed=seed, device=CPU, threads=1, check_stop=never_stop, cached=cached
    )


def fitted_mlp(settings, check_stop, until=None):
    return MlpRegressor(*samples(), settings, seed=0, device=CPU, threads=1, check_stop=check_stop, until=until)


def test_both_learn_residuals_of_samples_they_have_not_seen():
    features, residuals = samples(seed=1)
    for regressor in fitted():
        error = regressor.predict(features) - residuals
        assert error.std() < 0.75 * residuals.std(), type(regressor).__name__


def test_the_same_seed_repeats_bit_for_bit_and_another_differs():
    features, _ = samples(seed=1)
    one, again, other = ([r.predict(features) for r in fitted(seed)] for seed in (0, 0, 1))
    for a, b, c in zip(one, again, other, strict=True):
        assert np.array_equal(a, b)
        assert not np.array_equal(a, c)


def test_fitting_leaves_torchs_own_random_state_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fitted()
    assert torch.equal(torch.rand(3), expected)


def test_predictions_do_not_depend_on_what_stands_beside_them():
    features, _ = samples(count=64, seed=1)
    for regressor in fitted():
        halves = np.concatenate([regressor.predict(features[:20]), regressor.predict(features[20:])])
        assert np.allclose(halves, regressor.predict(features), atol=1e-6), type(regressor).__name__


def many_bands(count=3000, *, seed=0):
    """Eight bands of two causes."""
    features, causes = samples(count, seed=seed)
    mix = np.random.default_rng(9).normal(size=(2, 8)).astype(np.float32)
    return features, causes @ mix


def trees(given, settings=SETTINGS, cached=uncached):
    return TreeRegressor(*given, settings, seed=0, threads=1, check_stop=never_stop, cached=cached)


def test_trees_of_the_components_say_as_much_of_the_bands_as_trees_of_each_band():
    features, residuals = many_bands(seed=1)
    few, each = (trees(many_bands(), replace(SETTINGS, tree_components=count)) for count in (2, 8))
    of_few, of_each = (np.square(fit.predict(features) - residuals).mean() for fit in (few, each))
    assert of_few < 1.02 * of_each < np.square(residuals).mean()


def test_as_many_ensembles_are_grown_as_there_are_components_or_bands():
    settings = replace(SETTINGS, tree_components=4)
    for bands, expected in ((1, 1), (3, 3), (8, 4)):
        asked = []
        trees(
            (many_bands()[0], many_bands()[1][:, :bands]),
            settings,
            lambda name, make, asked=asked: [asked.append(name), make()][1],
        )
        assert asked == tree_stages(bands, settings)
        assert len(asked) == expected


def test_the_components_are_those_that_hold_most_of_the_squares():
    rng = np.random.default_rng(0)
    residuals = rng.normal(size=(4000, 5)).astype(np.float32) * np.float32([1, 9, 3, 0.1, 2])
    basis = principal_components(residuals, 2)
    assert np.allclose(np.abs(basis), np.eye(5)[[1, 2]], atol=0.03)
    assert np.allclose(basis @ basis.T, np.eye(2), atol=1e-6)


def test_trees_grown_elsewhere_are_read_with_their_own_directions():
    """Which way a principal component points is the linear algebra's choice, and another machine's may be the other."""
    kept = {}
    given = many_bands()
    here = trees(given, cached=lambda name, make: kept.setdefault(name, make())).predict(given[0])
    elsewhere = (given[0], -given[1][:, ::-1])  # other directions than these
    assert np.array_equal(trees(elsewhere, cached=lambda name, make: kept[name]).predict(given[0]), here)


def test_nothing_explodes_beyond_the_samples():
    features, residuals = samples()
    for regressor in fitted():
        assert np.abs(regressor.predict(features * 1e4)).max() < 20 * np.abs(residuals).max()


@pytest.mark.parametrize("count", [0, 1, 2, 20, 30])
def test_any_number_of_samples_is_enough_to_answer(count):
    for regressor in fitted(given=samples(count)):
        answer = regressor.predict(samples(40)[0])
        assert answer.shape == (40, 2)
        assert np.isfinite(answer).all()


def test_too_few_samples_to_learn_from_leave_interpolation_as_it_is():
    assert all((regressor.predict(samples(40)[0]) == 0).all() for regressor in fitted(given=samples(19)))


def test_standardised_samples_have_mean_zero_std_one_and_constants_vanish():
    features, _ = samples()
    scaled = Standardised(features)(features)
    assert np.allclose(scaled.mean(axis=0), 0, atol=1e-2)
    assert np.allclose(scaled.std(axis=0)[:5], 1, atol=1e-2)
    assert (scaled[:, 5] == 0).all()
    assert np.abs(Standardised(features)(features * 1e6)).max() == 6


def test_dropout_drops_a_tenth_keeps_the_mean_and_does_nothing_in_evaluation():
    torch.manual_seed(0)
    values, dropout = torch.ones(1000, 37), RowDropout(SETTINGS.mlp_kept, torch.Generator())
    dropped = dropout(values)
    assert abs((dropped == 0).float().mean() - 26 / 256) < 0.005
    assert abs(dropped.mean() - 1) < 0.01
    assert not torch.equal(dropped, dropout(values))
    assert torch.equal(dropout.eval()(values), values)


def test_images_are_predicted_pixel_by_pixel():
    image = np.random.default_rng(0).normal(size=(6, 5, 7)).astype(np.float32)
    for regressor in fitted():
        predicted = predict_image(regressor, image, never_stop)
        assert predicted.shape == (2, 5, 7)
        assert np.allclose(predicted[:, 3, 4], regressor.predict(image[:, 3, 4][None])[0], atol=1e-6)


def test_images_larger_than_a_chunk_are_predicted_alike(monkeypatch):
    regressors = fitted()
    image = np.random.default_rng(0).normal(size=(6, 9, 7)).astype(np.float32)
    whole = [predict_image(regressor, image, never_stop) for regressor in regressors]
    monkeypatch.setattr("seq2seq.methods.guided.regressors.CHUNK", 10)
    for one, regressor in zip(whole, regressors, strict=True):
        assert np.allclose(one, predict_image(regressor, image, never_stop), atol=1e-6)


def test_cached_stages_give_the_same_regressors_without_fitting_anything(tmp_path, monkeypatch):
    cached = Checkpoint(tmp_path).cached
    features, _ = samples(seed=1)
    expected = [regressor.predict(features) for regressor in fitted()]
    fitted(cached=cached)
    monkeypatch.setattr("lightgbm.train", lambda *_, **__: pytest.fail("grown again"))
    monkeypatch.setattr(MlpRegressor, "_fit", lambda *_: pytest.fail("learnt again"))
    for regressor, predicted in zip(fitted(cached=cached), expected, strict=True):
        assert np.array_equal(regressor.predict(features), predicted), type(regressor).__name__


@pytest.mark.parametrize(
    "fit",
    [
        lambda check_stop: TreeRegressor(*samples(), SETTINGS, seed=0, threads=1, check_stop=check_stop),
        lambda check_stop: fitted_mlp(SETTINGS, check_stop),
    ],
    ids=["trees", "mlp"],
)
def test_each_can_be_stopped_in_the_middle(fit):
    calls = 0

    def check_stop():
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Stopped("now")

    with pytest.raises(Stopped):
        fit(check_stop)
    assert calls == 3


@pytest.mark.parametrize("slowed_after", [0, 30])
def test_an_mlp_is_done_in_time_on_a_machine_that_is_slow_or_becomes_so(slowed_after, monkeypatch):
    """A clock that counts steps: of 0.1 s each on the machine, and ten times that when it is busy."""
    now, steps = [0.0], [0]

    def step():
        steps[0] += 1
        now[0] += 1.0 if steps[0] > slowed_after else 0.1

    monkeypatch.setattr("seq2seq.methods.guided.mlp.time.monotonic", lambda: now[0])
    fitted_mlp(MANY_STEPS, step, until=40.0)
    assert 38 <= now[0] <= 42
    assert steps[0] < 100


def test_however_short_the_time_an_mlp_makes_its_fewest_steps():
    steps = []
    fitted_mlp(MANY_STEPS, lambda: steps.append(1), until=0.0)
    assert len(steps) == 10


def test_an_mlps_steps_are_made_in_one_thread():
    seen = []
    fitted_mlp(SETTINGS, lambda: seen.append(torch.get_num_threads()))
    assert set(seen) == {1}


def test_networks_that_learn_side_by_side_learn_what_they_would_alone():
    settings = replace(SETTINGS, mlps=3)
    features, residuals = samples()
    alone, beside, crowded = (
        MlpRegressor(features, residuals, settings, seed=1, device=CPU, threads=threads, check_stop=never_stop)
        for threads in (1, 3, 2)
    )
    assert np.array_equal(alone.predict(features), beside.predict(features))
    assert np.array_equal(alone.predict(features), crowded.predict(features))


def refitted(warm, given, **settings):
    settings = replace(SETTINGS, mlps=2, **settings)
    return fit_regressors(given, settings, seed=0, device=CPU, threads=1, check_stop=never_stop, warm=warm)


def test_the_second_fit_begins_where_the_first_ended():
    """After one step on other samples the networks still know what they had learnt; those begun anew know nothing."""
    features, residuals = samples(seed=1)
    first = refitted(None, samples(), mlp_steps=300)[1]
    warm, cold = (
        refitted(begun, samples(seed=2), mlp_steps=1, refit_mlp_steps=1)[1] for begun in ([None, first], None)
    )
    error, error_warm, error_cold = (np.std(m.predict(features) - residuals) for m in (first, warm, cold))
    assert error_warm < 1.2 * error
    assert error_cold > 2 * error_warm


def test_trees_of_the_second_fit_are_averaged_with_those_of_the_first():
    features, _ = samples(seed=1)
    first = refitted(None, samples())[0]
    alone = refitted(None, samples(seed=2), tree_samples=700)[0]
    both = refitted([first, None], samples(seed=2), refit_tree_samples=700)[0]
    expected = (first.predict(features) + alone.predict(features)) / 2
    assert np.allclose(both.predict(features), expected, atol=1e-7)


def test_a_first_fit_that_had_too_little_to_learn_from_leaves_the_second_to_begin_anew():
    few = tuple(values[:5] for values in samples())
    first = refitted(None, few)
    one, other = (refitted(begun, samples()) for begun in (first, None))
    features, _ = samples(seed=1)
    trees, trees_anew = (regressors[0].predict(features) for regressors in (one, other))
    assert np.allclose(trees, trees_anew, atol=0.01)
    assert one[1].predict(features).std() > 0


def test_one_network_that_is_stopped_stops_those_beside_it():
    calls = []

    def stop_once():
        calls.append(None)
        if len(calls) == 5:
            raise Stopped("here")

    settings = replace(SETTINGS, mlps=2, mlp_steps=100_000)
    began = time.monotonic()
    with pytest.raises(Stopped):
        MlpRegressor(*samples(), settings, seed=1, device=CPU, threads=2, check_stop=stop_once)
    assert time.monotonic() - began < 5
