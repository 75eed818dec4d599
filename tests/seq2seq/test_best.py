"""The method `best`: `guided` as it is, and beside it what the time allows and the held-out dates ask for."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from quick_engine import QUICK, observations, use_schedule, with_defaults, with_hidden_values

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import Stopped
from seq2seq.methods import best, find_method, guided, low_rank, mogpr
from seq2seq.methods.base import Cost, RunContext
from seq2seq.methods.best.method import CHOSEN, Best, affordable, stage_of_member
from seq2seq.methods.best.settings import BestSettings
from seq2seq.methods.guided.method import Guided
from seq2seq.methods.guided.settings import GuidedSettings
from seq2seq.nn.vgg import Perceptual
from seq2seq.progress import never_stop
from seq2seq.run.reconstruction import reconstruct
from seq2seq.validation.holdout import blank, choose_holdout

SETTINGS = BestSettings(**QUICK)
CONFIG = ReconstructionConfig(
    method="best", method_settings=QUICK, perceptual="off", device="cpu", full_prediction=True
)
SHAPE = (5, 4, 20, 20)
JOINT = replace(mogpr.INFO, settings=with_defaults(mogpr.INFO.settings, iterations=3, sample_px=30))


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    use_schedule(monkeypatch)
    for module in ("seq2seq.methods.best", "seq2seq.methods.best.method"):
        monkeypatch.setattr(f"{module}.MEMBERS", (JOINT,))


@pytest.fixture(scope="module")
def given():
    all_of_it = observations(dates=5, size=20)
    return blank(all_of_it, all_of_it.s2.observed)


def context(**changes):
    return RunContext(
        seed=0,
        device=torch.device("cpu"),
        threads=1,
        perceptual=Perceptual(None, (), "no perceptual loss"),
        perceptual_weight=0.0,
        check_stop=never_stop,
        **changes,
    )


def seconds_of(*infos):
    return sum(info.cost(SHAPE, info.settings()).seconds for info in infos)


def test_members_are_chosen_in_order_as_long_as_they_fit_into_the_time(monkeypatch):
    both = seconds_of(JOINT, low_rank.INFO)
    monkeypatch.setattr("seq2seq.methods.best.method.MEMBERS", (JOINT, low_rank.INFO))
    assert affordable(SHAPE, s1=True, seconds=None) == (JOINT, low_rank.INFO)
    assert affordable(SHAPE, s1=True, seconds=both) == (JOINT, low_rank.INFO)
    assert affordable(SHAPE, s1=True, seconds=0.99 * both) == (JOINT,)
    assert affordable(SHAPE, s1=True, seconds=0.0) == ()
    costly = replace(JOINT, cost=lambda shape, settings: Cost(seconds=2 * both, memory_gb=1.0))
    monkeypatch.setattr("seq2seq.methods.best.method.MEMBERS", (costly, low_rank.INFO))
    assert affordable(SHAPE, s1=True, seconds=both) == (low_rank.INFO,)


def test_without_radar_there_is_no_member_that_needs_it(monkeypatch):
    needy = replace(JOINT, needs_s1=True)
    monkeypatch.setattr("seq2seq.methods.best.method.MEMBERS", (needy, low_rank.INFO))
    assert affordable(SHAPE, s1=False, seconds=None) == (low_rank.INFO,)
    assert affordable(SHAPE, s1=True, seconds=None) == (needy, low_rank.INFO)


def test_its_candidates_are_those_of_guided_as_they_are_and_those_of_members(given):
    predicted = Best(SETTINGS).start(given, context(), None).predict(given)
    alone = Guided(GuidedSettings(**QUICK)).start(given, context(), None).predict(given)
    assert set(predicted) == set(best.INFO.candidates)
    assert all(np.array_equal(predicted[name], image) for name, image in alone.items())
    expected = JOINT.load()(JOINT.settings()).start(given, context(), None).predict(given)
    assert np.array_equal(predicted["mogpr"], expected["mogpr"])


def test_a_member_that_there_was_no_time_for_says_nothing(given):
    limit = seconds_of(JOINT) / SETTINGS.members_share
    enough, too_little = (
        Best(SETTINGS).start(given, context(seconds=share * limit), None).predict(given) for share in (1.0, 0.9)
    )
    assert np.isfinite(enough["mogpr"]).all()
    assert np.isnan(too_little["mogpr"]).all()
    assert np.isfinite(too_little["network"]).all()


def test_the_expected_stages_are_those_that_are_cached_and_make_up_the_time_to_prepare(given):
    asked, expected = [], []

    def cached(name, make):
        asked.append(name)
        return make()

    Best(SETTINGS).start(given, context(cached=cached, expect=expected.append), None)
    (shares,) = expected
    of_members = [name for name in asked if name.startswith("mogpr-")]
    assert asked[0] == CHOSEN
    assert list(shares) == [name for name in asked[1:] if name not in of_members]
    assert list(shares)[-1] == stage_of_member(JOINT)
    assert sum(shares.values()) == pytest.approx(1)


def test_a_second_fit_keeps_the_choice_and_what_members_have_learnt(given, monkeypatch):
    limit = seconds_of(JOINT) / SETTINGS.members_share
    first = Best(SETTINGS).start(given, context(seconds=limit), None)
    monkeypatch.setattr("seq2seq.methods.gaussian.method.Gp.start", None)  # nothing is learnt again
    second = Best(SETTINGS).start(given, context(), first)
    assert list(second.members) == list(first.members) == ["mogpr"]
    assert np.array_equal(second.predict(given)["mogpr"], first.predict(given)["mogpr"])


def test_it_is_guided_itself_where_nothing_passes_the_trial(monkeypatch):
    given = observations(dates=6, size=(16, 18), seed=1)
    monkeypatch.setattr("seq2seq.validation.trial.passes", lambda gains, standard_errors: False)
    ours = reconstruct(given, CONFIG)
    theirs = reconstruct(given, CONFIG.replace(method="guided"))
    np.testing.assert_allclose(ours.s2.pixels, theirs.s2.pixels, atol=1e-6)
    np.testing.assert_allclose(ours.sigma, theirs.sigma, atol=1e-6)
    assert ours.assessment.gain_db == pytest.approx(theirs.assessment.gain_db, abs=1e-4)
    assert all(gap.weights["mogpr"] == 0 for gap in ours.assessment.by_gap)


def test_members_that_pass_are_in_the_result(monkeypatch):
    given = observations(dates=6, size=(16, 18), seed=1)
    monkeypatch.setattr("seq2seq.validation.trial.passes", lambda gains, standard_errors: True)
    ours = reconstruct(given, CONFIG)
    assert sum(gap.weights["mogpr"] for gap in ours.assessment.by_gap) > 0
    assert np.isfinite(ours.s2.pixels).all()
    assert np.isfinite(ours.sigma).all()


def test_a_run_that_was_stopped_goes_on_to_the_same_result(tmp_path):
    given = observations(dates=6, size=(16, 18), seed=1)
    whole = reconstruct(given, CONFIG)
    looks = 0

    def should_stop():
        nonlocal looks
        looks += 1
        return looks > 150

    with pytest.raises(Stopped):
        reconstruct(given, CONFIG, checkpoint=tmp_path, should_stop=should_stop)
    resumed = reconstruct(given, CONFIG, checkpoint=tmp_path)
    assert np.array_equal(resumed.s2.pixels, whole.s2.pixels)
    assert np.array_equal(resumed.sigma, whole.sigma)


def test_hidden_pixels_are_in_no_candidate():
    given = observations(dates=6, size=(16, 18), seed=1)
    hidden = choose_holdout(given.s2.observed, 0)
    assert hidden.any()
    visible = blank(given, given.s2.observed & ~hidden)
    other = blank(with_hidden_values(given, 0.87), given.s2.observed & ~hidden)
    ours, theirs = (Best(SETTINGS).start(each, context(), None).predict(each) for each in (visible, other))
    assert all(np.array_equal(ours[name], theirs[name], equal_nan=True) for name in ours)


def test_it_needs_no_radar():
    given = observations(dates=6, size=(16, 18), seed=1)
    given = replace(given, s1=None, s1_dates=np.full_like(given.s1_dates, "NaT"))
    assert not find_method("best").needs_s1
    assert np.isfinite(reconstruct(given, CONFIG).s2.pixels).all()


def test_it_costs_what_all_of_its_parts_do():
    parts = [guided.INFO, *best.MEMBERS]
    cost = best.INFO.cost(SHAPE, SETTINGS)
    assert cost.seconds == pytest.approx(sum(info.cost(SHAPE, info.settings()).seconds for info in parts))
