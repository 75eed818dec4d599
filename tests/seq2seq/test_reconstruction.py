"""From observations to a result: what is hidden decides nothing, stops cost nothing, and linear is the floor."""

import errno
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from quick_engine import observations, use_schedule, with_hidden_values, with_values

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import MissingDataError, OutputError, Stopped
from seq2seq.interpolation import linear_interpolation
from seq2seq.methods.guided.method import GuidedFit
from seq2seq.run.checkpoint import Checkpoint
from seq2seq.run.fitting import REFIT
from seq2seq.run.passing import keep_observed
from seq2seq.run.reconstruction import reconstruct
from seq2seq.validation.holdout import LINEAR, RESULT, choose_holdout

CONFIG = ReconstructionConfig(perceptual="off", device="cpu")
FULL = CONFIG.replace(full_prediction=True)
pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture(scope="module")
def given():
    return observations(dates=6, size=(16, 18), seed=1)


@pytest.fixture(scope="module")
def straight(given):
    """The result that everything else is compared with."""
    with pytest.MonkeyPatch.context() as patched:
        use_schedule(patched)
        result = reconstruct(given, FULL)
    assert result.assessment.gain_db > 0, "nothing but interpolation would make every comparison an empty one"
    return result


def same(one, other):
    return np.array_equal(one.s2.pixels, other.s2.pixels) and np.array_equal(one.sigma, other.sigma)


def test_the_same_seed_gives_the_same_result_bit_for_bit_and_another_seed_another(given, straight):
    assert same(reconstruct(given, FULL), straight)
    assert not np.array_equal(reconstruct(given, FULL.replace(seed=1)).s2.pixels, straight.s2.pixels)


def test_pixels_that_are_not_observed_decide_nothing(given, straight):
    assert same(reconstruct(with_hidden_values(given, 0.87), FULL), straight)


def test_held_out_pixels_change_nothing_that_is_scored_on_them(given, monkeypatch):
    """Candidates of the scored fit, as they enter the blend, with the true and with wrong held-out values."""
    recorded = []
    predict = GuidedFit.predict

    def spy(fit, visible):
        candidates = predict(fit, visible)
        recorded.append(candidates)
        return candidates

    monkeypatch.setattr(GuidedFit, "predict", spy)
    held_out = choose_holdout(given.s2.observed, FULL.seed)
    assert held_out.any()
    scored = []
    for each in (given, replace(given, s2=with_values(given.s2, held_out, 0.77))):
        recorded.clear()
        reconstruct(each, FULL)
        scored.append(recorded[:-1])  # the last are the final fit's, which may see them
    assert len(scored[0]) > 1
    for one, other in zip(*scored, strict=True):
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[name], other[name]) for name in one)


def test_the_assessment_counts_the_held_out_pixels_and_no_kind_of_date_is_worse_than_linear():
    given = observations(dates=6, size=32)
    proof = reconstruct(given, FULL.replace(validation_settings={"min_class_pixels": 100})).assessment
    assert proof.pixels == choose_holdout(given.s2.observed, FULL.seed).sum()
    assert sum(gap.pixels for gap in proof.by_gap) == proof.pixels
    assert set(proof.methods) == {"result", "network", "prior", "linear", "nearest"}
    for dates in {gap.dates for gap in proof.by_gap}:
        kind = [gap for gap in proof.by_gap if gap.dates == dates]
        ours, theirs = (sum(gap.pixels * gap.rmse[name] ** 2 for gap in kind) for name in (RESULT, LINEAR))
        assert ours <= theirs * (1 + 1e-5)


def test_without_time_to_fit_again_the_result_still_starts_from_the_held_out_pixels(given, monkeypatch):
    predict = GuidedFit.predict

    def nothing_better(fit, visible):
        return {name: image + 5 for name, image in predict(fit, visible).items()}

    monkeypatch.setattr(GuidedFit, "predict", nothing_better)
    result = reconstruct(given, FULL, budget_s=0.01)
    assert result.suspected.mean() < 0.01
    linear = linear_interpolation(given.s2.pixels, given.s2.observed & ~result.suspected, given.s2.days)
    hidden = np.broadcast_to(~given.s2.observed[:, None], linear.shape)
    assert np.allclose(result.s2.pixels[hidden], linear[hidden], atol=1e-3)


def test_a_network_and_a_prior_of_garbage_leave_interpolation(given, monkeypatch):
    predict = GuidedFit.predict

    def garbage(fit, visible):
        noise = np.random.default_rng(0).normal(0, 5, visible.s2.shape).astype(np.float32)
        return {name: image + noise for name, image in predict(fit, visible).items()}

    monkeypatch.setattr(GuidedFit, "predict", garbage)
    result = reconstruct(given, FULL)
    assert all(gap.fallback or gap.weights[LINEAR] > 0.99 for gap in result.assessment.by_gap)
    assert result.assessment.gain_db >= 0


@pytest.mark.parametrize("after", [1, 30, 50, 70])
def test_stopped_anywhere_and_called_again_it_ends_as_if_it_had_not_been(given, straight, tmp_path, after):
    """`after` counts the times that the run asks whether to stop: in the prior, in the fit, in the second of both."""
    asked = 0

    def should_stop():
        nonlocal asked
        asked += 1
        return asked == after

    with pytest.raises(Stopped):
        reconstruct(given, FULL, checkpoint=tmp_path, should_stop=should_stop)
    assert asked == after
    assert same(reconstruct(given, FULL, checkpoint=tmp_path), straight)


@pytest.mark.parametrize("again", ["", REFIT])
def test_killed_after_each_stage_of_the_preparation_it_makes_none_twice(given, straight, tmp_path, monkeypatch, again):
    made, killed_at, cached = [], set(), Checkpoint.cached

    def watched(checkpoint, name, make):
        return cached(checkpoint, name, lambda: made.append(name) or make())

    def kill(progress):
        if progress.phase == "preparing" + again and progress.step not in {0, *killed_at}:
            killed_at.add(progress.step)
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "cached", watched)
    result = None
    while result is None:
        with suppress(KeyboardInterrupt):
            result = reconstruct(given, FULL, checkpoint=tmp_path, on_progress=kill)
    assert len(killed_at) == max(killed_at) == 1 + len(given.s2.bands) + 1 + len(given.s2.dates)
    assert len(made) == len(set(made))
    assert same(result, straight)


@pytest.mark.parametrize(("phase", "step"), [("fitting", 3), ("fitting" + REFIT, 1)])
def test_stopped_between_steps_it_goes_on_with_the_next_one(given, straight, tmp_path, phase, step):
    reached = []

    def note(progress):
        reached.append((progress.phase, progress.step))

    with pytest.raises(Stopped, match=f"step {step} of"):
        reconstruct(
            given,
            FULL,
            checkpoint=tmp_path,
            on_progress=note,
            should_stop=lambda: bool(reached) and reached[-1] == (phase, step),
        )
    reached.clear()
    result = reconstruct(given, FULL, checkpoint=tmp_path, on_progress=note)
    assert next(at for name, at in reached if name == phase and at) == step + 1
    assert same(result, straight)
    assert [point.step for point in result.curve] == [point.step for point in straight.curve]
    assert [point.loss for point in result.curve] == [point.loss for point in straight.curve]


def test_a_finished_checkpoint_gives_the_result_without_a_step(given, straight, tmp_path, monkeypatch):
    reconstruct(given, FULL, checkpoint=tmp_path)
    monkeypatch.setattr("seq2seq.methods.guided.residual.ResidualFit.step", lambda *_: pytest.fail("fitted again"))
    assert same(reconstruct(given, FULL, checkpoint=tmp_path), straight)


def test_a_stop_is_heeded_by_the_very_next_step(given):
    stop, after = [], []

    def note(progress):
        if stop:
            after.append(progress)
        if progress.step == 2:
            stop.append(True)

    with pytest.raises(Stopped):
        reconstruct(given, FULL, on_progress=note, should_stop=lambda: bool(stop))
    assert after == []


@pytest.mark.parametrize("failing", ["numpy.savez", "torch.save"])
def test_a_full_disk_is_one_line_that_names_the_checkpoint(given, tmp_path, monkeypatch, failing):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(failing, full)
    with pytest.raises(OutputError, match="No space left on device") as caught:
        reconstruct(given, FULL, checkpoint=tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_torchs_own_words_for_a_full_disk_are_one_line_too(tmp_path, monkeypatch):
    def full(_: object, path: Path) -> None:
        path.touch()
        raise RuntimeError("PytorchStreamWriter failed\nwriting file data/0")

    monkeypatch.setattr("torch.save", full)
    with pytest.raises(OutputError, match="failed writing file"):
        Checkpoint(tmp_path).save_state("fit", {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"dates": 2},
        {"size": (17, 23), "dates": 3},
        {"size": 8, "dates": 4},
        {"cloud": 0.0, "dates": 4},
        {"cloud": 0.9, "dates": 5, "seed": 1},
    ],
    ids=str,
)
def test_any_sequence_gets_a_finite_result(changes):
    given = observations(**{"size": 16, **changes})
    result = reconstruct(given, CONFIG)
    assert result.s2.shape == given.s2.shape
    assert result.s2.observed.all()
    assert np.isfinite(result.s2.pixels).all()
    assert np.isfinite(result.sigma).all()
    assert np.array_equal(result.s2.pixels[:, 0][given.s2.observed], given.s2.pixels[:, 0][given.s2.observed])


def test_one_band_is_enough():
    given = observations(dates=4, size=16)
    one = replace(given, s2=replace(given.s2, pixels=given.s2.pixels[:, :1], bands=given.s2.bands[:1]))
    assert np.isfinite(reconstruct(one, CONFIG).s2.pixels).all()


@pytest.mark.parametrize("shown", [1, 16 * 16])
def test_a_single_date_with_some_clear_pixels_is_enough(shown):
    given = observations(dates=3, size=16)
    observed = np.zeros_like(given.s2.observed)
    observed[1].flat[:shown] = True
    fully_clouded = replace(given, s2=replace(given.s2, observed=observed), cloud_mask=~observed)
    result = reconstruct(fully_clouded, CONFIG)
    assert result.assessment is None
    assert np.array_equal(
        result.s2.pixels, linear_interpolation(fully_clouded.s2.pixels, observed, fully_clouded.s2.days)
    )
    assert np.isfinite(result.sigma).all()


def test_without_s1_it_works_from_optical_data_alone(given):
    result = reconstruct(replace(given, s1=None), CONFIG)
    assert result.assessment.gain_db >= 0


def test_without_a_clear_pixel_it_says_so(given):
    nothing = replace(given.s2, observed=np.zeros_like(given.s2.observed))
    with pytest.raises(MissingDataError, match="no pixel of 6 dates is observed"):
        reconstruct(replace(given, s2=nothing), CONFIG)


@pytest.mark.parametrize("seconds", [0.0, 0.5])
def test_no_time_at_all_still_gives_a_result_that_is_not_below_linear(given, seconds):
    result = reconstruct(given, FULL, budget_s=seconds)
    assert np.isfinite(result.s2.pixels).all()
    assert result.assessment.gain_db >= 0


def test_how_long_it_will_take_is_said_from_the_first_piece_on_and_never_beyond_the_budget(given):
    told = []
    reconstruct(given, FULL, on_progress=told.append, budget_s=5.0)
    working = [progress for progress in told if progress.of]
    assert working[0].phase == "preparing"
    assert all(progress.eta_s is not None and 0 <= progress.eta_s <= 5 for progress in working)
    pieces = 1 + len(given.s2.bands) + 1 + len(given.s2.dates)
    steps = [progress.step for progress in working if progress.phase == "preparing"]
    assert steps == list(range(pieces + 1))


def test_beyond_a_budget_it_never_says_that_nothing_is_left_while_pieces_are_being_made(given):
    told = []
    reconstruct(given, FULL, on_progress=told.append, budget_s=1e-6)
    prior = [progress for progress in told if progress.phase == "preparing" and progress.step < progress.of]
    assert prior
    assert all(progress.eta_s > 0 for progress in prior)


def test_on_a_slow_machine_more_time_is_said_to_be_left(given, monkeypatch):
    """A clock that runs five times as fast is a machine that takes five times as long."""

    def left_after_the_prior(faster):
        told, monotonic = [], time.monotonic
        with monkeypatch.context() as patch:
            patch.setattr("seq2seq.run.fitting.time.monotonic", lambda: faster * monotonic())
            patch.setattr("seq2seq.run.clock.USUAL_S", 1e-3)
            reconstruct(given, FULL, on_progress=told.append)
        return [progress.eta_s for progress in told if progress.phase == "preparing"][-1]

    assert left_after_the_prior(20) > 4 * left_after_the_prior(1)


def test_a_budget_is_kept(given):
    many = FULL.replace(method_settings={"steps": 10_000})
    result = reconstruct(given, many, budget_s=3.0)
    assert sum(result.seconds.values()) < 4.5
    assert 0 < len(result.curve) < 10_000


def test_the_published_method_goes_the_same_way(given, tmp_path):
    config = FULL.replace(method="ebel2021", method_settings={"schedule_factor": 1e-6})
    result = reconstruct(given, config, checkpoint=tmp_path)
    assert set(result.assessment.methods) == {"result", "network", "linear", "nearest"}
    assert result.assessment.gain_db >= 0
    assert same(reconstruct(given, config, checkpoint=tmp_path), result)


def test_observed_pixels_pass_through_with_no_doubt_and_hidden_ones_do_not(given, straight):
    pixels, sigma = keep_observed(given.s2, straight.s2.pixels, straight.sigma, CONFIG)
    visible = np.broadcast_to(given.s2.observed[:, None], pixels.shape)
    assert np.array_equal(pixels[visible], given.s2.pixels[visible])
    assert np.array_equal(pixels[~visible], straight.s2.pixels[~visible])
    assert (sigma[visible] == 0).all()
    assert np.array_equal(sigma[~visible], straight.sigma[~visible])
    assert (straight.sigma > 0).all()


def test_feathering_mixes_on_the_observed_side_only_and_ends_where_it_says():
    given = observations(dates=2, size=(8, 24))
    observed = np.zeros_like(given.s2.observed)
    observed[:, :, 8:] = True
    s2 = replace(given.s2, observed=observed, pixels=np.ones_like(given.s2.pixels))
    zeros = np.zeros_like(s2.pixels)
    pixels, _ = keep_observed(s2, zeros, zeros, CONFIG.replace(feather_px=4))
    assert pixels[0, 0, 0, :8].tolist() == [0] * 8
    assert pixels[0, 0, 0, 12:].tolist() == [1] * 12
    assert np.allclose(np.diff(pixels[0, 0, 0, 7:13]), 1 / 5)  # no step larger than the ramp's


def test_a_feathered_date_without_clouds_is_left_alone(given):
    clear = replace(given.s2, observed=np.ones_like(given.s2.observed))
    zeros = np.zeros_like(clear.pixels)
    pixels, sigma = keep_observed(clear, zeros, zeros + 1, CONFIG.replace(feather_px=4))
    assert np.array_equal(pixels, clear.pixels)
    assert not sigma.any()


def test_fitting_leaves_torchs_random_state_alone(given, straight):
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    assert same(reconstruct(given, FULL), straight)
    assert torch.equal(torch.rand(2), expected)
