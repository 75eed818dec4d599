"""The trees of `guided` as a method of their own: the same trees, without the rest."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from quick_engine import QUICK, observations

from seq2seq.interpolation import interpolate_from_others
from seq2seq.methods import find_method
from seq2seq.methods.base import RunContext
from seq2seq.methods.guided.features import speckle_filtered
from seq2seq.methods.guided.method import TREES, fit_prior
from seq2seq.methods.guided.settings import GuidedSettings, TreeSettings
from seq2seq.methods.trees.method import Trees, expected_stages
from seq2seq.nn.vgg import Perceptual
from seq2seq.progress import never_stop
from seq2seq.validation.holdout import blank

SETTINGS = {name: value for name, value in QUICK.items() if name in {each.name for each in fields(TreeSettings)}}


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


@pytest.fixture(scope="module")
def given():
    all_of_it = observations(dates=5, size=20)
    return blank(all_of_it, all_of_it.s2.observed)


def test_they_are_those_of_the_default_method(given):
    alone = Trees(TreeSettings(**SETTINGS)).start(given, context(), None).predict(given)
    settings = GuidedSettings(**QUICK)
    radar = speckle_filtered(given, given.s2.observed, never_stop, settings)
    together = fit_prior(given.s2, radar, settings, context()).predict(given.s2, never_stop)
    assert list(alone) == list(find_method("trees").candidates)
    assert np.array_equal(alone["trees"], together[TREES])


def test_the_expected_stages_are_those_that_are_cached_and_make_up_the_time_to_prepare(given):
    asked, expected = [], []

    def cached(name, make):
        asked.append(name)
        return make()

    Trees(TreeSettings(**SETTINGS)).start(given, context(cached=cached, expect=expected.append), None)
    (shares,) = expected
    assert list(shares) == asked
    assert shares == expected_stages(4, TreeSettings(**SETTINGS))
    assert sum(shares.values()) == pytest.approx(1)


def test_without_anything_to_learn_from_they_are_the_interpolation(given):
    settings = TreeSettings(**{**SETTINGS, "max_samples": 20, "min_samples": 1000})
    s2 = given.s2
    predicted = Trees(settings).start(given, context(), None).predict(given)["trees"]
    np.testing.assert_allclose(predicted, interpolate_from_others(s2.pixels, s2.observed, s2.days), atol=1e-6)


def test_they_offer_no_setting_that_only_a_prior_of_more_has():
    names = {each.name for each in fields(TreeSettings)}
    assert "tree_rounds" in names
    assert not names & {"trees_by", "trees_share", "mlps", "steps"}
