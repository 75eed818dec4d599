"""Whatever stands in the table of methods can be run, described, stopped and gone on with; and none can cheat."""

from dataclasses import replace

import numpy as np
import pytest
from composite_method import INFO as COMPOSITE
from quick_engine import QUICK, observations, use_schedule, with_hidden_values

from seq2seq import methods
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import ConfigError, Stopped
from seq2seq.interpolation import interpolate_from_others
from seq2seq.methods.base import CandidateInfo, MethodInfo, NoSettings
from seq2seq.methods.closed_form import ClosedForm, closed_form_cost
from seq2seq.run.reconstruction import reconstruct
from seq2seq.settings import settings_of
from seq2seq.validation.holdout import blank, choose_holdout
from seq2seq.validation.metrics import psnr

FULL = ReconstructionConfig(perceptual="off", device="cpu", full_prediction=True)
SHORT = {
    "best": QUICK,
    "ebel2021": {"schedule_factor": 1e-6},
    "trees": {"mask_samples": 3, "fewest_mask_samples": 2, "max_samples": 3000, "tree_rounds": 6, "guide_radius_px": 3},
    "dip": {"schedule_factor": 1e-6},
    "dsen2-cr": {"steps": 3, "batch": 2, "crop_px": 12, "width": 6, "blocks": 2},
    "pix2pix": {"steps": 3, "batch": 2, "crop_px": 32, "width": 2, "downs": 5},
    "inpaint-fusion": {"steps": 3, "batch": 2, "crop_px": 12, "width": 6, "blocks": 1, "draws": 1},
    "seq2point": {"steps": 3, "batch": 2, "crop_px": 12, "width": 6, "blocks": 1},
    "gp": {"iterations": 5},
    "mogpr": {"iterations": 5},
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    use_schedule(monkeypatch)


@pytest.fixture(scope="module")
def given():
    return observations(dates=6, size=(16, 18), seed=1)


def config_of(info):
    return FULL.replace(method=info.name, method_settings=SHORT.get(info.name, {}))


@pytest.mark.parametrize("info", methods.METHODS, ids=lambda info: info.name)
def test_every_method_gives_every_date_and_is_nowhere_below_linear(given, info, tmp_path):
    result = reconstruct(given, config_of(info), checkpoint=tmp_path)
    assert result.s2.shape == given.s2.shape
    assert np.isfinite(result.s2.pixels).all()
    assert np.isfinite(result.sigma).all()
    assert set(result.assessment.methods) == {"result", "linear", "nearest", *info.shown}
    assert result.assessment.gain_db >= -1e-6
    again = reconstruct(given, config_of(info), checkpoint=tmp_path)
    assert np.array_equal(again.s2.pixels, result.s2.pixels)


@pytest.mark.parametrize("info", methods.METHODS, ids=lambda info: info.name)
def test_every_method_stops_where_it_is_asked_to(given, info):
    with pytest.raises(Stopped):
        reconstruct(given, config_of(info), should_stop=lambda: True)


@pytest.mark.parametrize("info", methods.METHODS, ids=lambda info: info.name)
def test_what_the_table_says_of_a_method_holds(given, info):
    if info.candidates:
        assert sum(info.blended.values()) == pytest.approx(1)
    small, large = (info.cost((20, 10, side, side), info.settings()) for side in (64, 128))
    assert 0 < small.seconds <= large.seconds
    assert 0 < small.memory_gb < large.memory_gb
    for each in settings_of(info.settings):
        each.check(each.default)
        assert each.about.endswith(".")
    assert len([candidate for candidate in info.candidates.values() if candidate.followed]) <= 1


@pytest.mark.parametrize("info", methods.METHODS, ids=lambda info: info.name)
def test_values_that_are_not_observed_decide_nothing(given, info):
    one, other = (reconstruct(each, config_of(info)).s2.pixels for each in (given, with_hidden_values(given, 0.87)))
    assert np.array_equal(one, other)


def test_linear_is_the_floor_itself(given):
    result = reconstruct(given, FULL.replace(method="linear"))
    trusted = given.s2.observed & ~result.suspected
    assert np.array_equal(result.s2.pixels, interpolate_from_others(given.s2.pixels, trusted, given.s2.days))
    assert result.assessment.gain_db == 0
    assert result.curve == ()


class Cheat(ClosedForm):
    """Returns whatever it is shown, with the hidden pixels of every array that it can reach."""

    shown: list = []  # noqa: RUF012

    def predict(self, visible):
        """What lies under the mask."""
        Cheat.shown.append(visible)
        return {"cheat": visible.s2.pixels.copy()}


CHEAT = MethodInfo(
    name="cheat",
    title="Cheat",
    about="Delivers what it was shown.",
    settings=NoSettings,
    cost=closed_form_cost,
    load=lambda: Cheat,
    candidates={"cheat": CandidateInfo("Cheat", share=1.0, followed=True)},
)


def test_a_method_that_looks_under_the_mask_finds_nothing_there(given, monkeypatch):
    """The engine blanks what is hidden before a method sees anything, so there is nothing to cheat with."""
    monkeypatch.setattr(methods, "METHODS", (*methods.METHODS, CHEAT))
    Cheat.shown.clear()
    result = reconstruct(given, FULL.replace(method="cheat"))
    held_out = choose_holdout(given.s2.observed, FULL.seed)
    assert held_out.any()
    scored, delivered = Cheat.shown[0], Cheat.shown[-1]
    assert not (scored.s2.observed & held_out).any()
    for each in (scored, delivered):
        assert (each.s2.pixels[np.broadcast_to(~each.s2.observed[:, None], each.s2.shape)] == 0).all()
    assert (scored.cloud_mask == given.cloud_mask).all()
    # it would score without any error; it scores as zeros do
    zeros = psnr(np.zeros_like(given.s2.pixels), given.s2.pixels, where=held_out & ~result.suspected)
    assert result.assessment.methods["cheat"].psnr == pytest.approx(zeros)


def test_blanking_keeps_what_is_visible_and_nothing_else(given):
    visible = given.s2.observed & (np.indices(given.s2.observed.shape).sum(axis=0) % 2 == 0)
    seen = blank(given, visible)
    inside = np.broadcast_to(visible[:, None], given.s2.shape)
    assert np.array_equal(seen.s2.pixels[inside], given.s2.pixels[inside])
    assert not seen.s2.pixels[~inside].any()
    assert np.array_equal(seen.s2.observed, visible)
    assert given.s2.pixels[~inside].any(), "the original stays as it was"


def test_a_method_that_promises_a_candidate_and_predicts_none_is_our_bug(given, monkeypatch):
    promising = replace(COMPOSITE, candidates={**COMPOSITE.candidates, "more": CandidateInfo("not there")})
    monkeypatch.setattr(methods, "METHODS", (promising,))
    with pytest.raises(AssertionError, match="method composite predicts no more"):
        reconstruct(given, FULL.replace(method="composite"))


def test_a_method_that_needs_s1_says_so_where_there_is_none(given):
    with pytest.raises(ConfigError, match="method ebel2021 needs S1 and there is none; use --set network_input=noise"):
        reconstruct(replace(given, s1=None), config_of(methods.find_method("ebel2021")))


def test_hyperparameters_are_varied_without_touching_a_module(given):
    one, other = (
        reconstruct(given, FULL.replace(method_settings=values)).s2.pixels
        for values in ({}, {"tree_learning_rate": 0.5})
    )
    assert not np.array_equal(one, other)
