"""The deep image prior: the published method on noise, which neither radar nor perceptual loss can reach."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from quick_engine import observations

from seq2seq.methods.base import RunContext
from seq2seq.methods.dip import DipSettings
from seq2seq.methods.dip.fit import Dip
from seq2seq.methods.ebel2021 import fit as published
from seq2seq.methods.ebel2021.fit import Ebel2021
from seq2seq.methods.ebel2021.settings import Ebel2021Settings
from seq2seq.nn.vgg import Perceptual, Vgg16Features

UNUSED = Perceptual(None, (), "no perceptual loss")
CONTEXT = RunContext(
    seed=2,
    device=torch.device("cpu"),
    threads=1,
    perceptual=UNUSED,
    perceptual_weight=0.01,
    check_stop=lambda: None,
)
SETTINGS = DipSettings(schedule_factor=0.01)


@pytest.fixture(autouse=True)
def small_network(monkeypatch):
    """Two narrow scales in place of six, so that a step takes milliseconds."""
    whole = published.EncoderDecoder3d
    monkeypatch.setattr(
        published, "EncoderDecoder3d", lambda *given, generator: whole(*given, widths=(4, 8), generator=generator)
    )


@pytest.fixture(scope="module")
def given():
    return observations(dates=6, size=16, seed=1)


def after(fitted, visible, steps=3):
    losses = [fitted.step() for _ in range(steps)]
    return losses, fitted.predict(visible)["network"]


def test_it_is_the_published_method_on_noise_without_its_perceptual_loss(given):
    same = Ebel2021Settings(schedule_factor=0.01, network_input="noise", noise_channels=1)
    alone = replace(given, s1=None)
    ours, theirs = Dip(SETTINGS).start(given, CONTEXT, None), Ebel2021(same).start(alone, CONTEXT, None)
    for one, other in zip(after(ours, given), after(theirs, alone), strict=True):
        assert np.array_equal(one, other)


def test_radar_and_the_perceptual_loss_change_nothing(given):
    shapes = {name: value.shape for name, value in Vgg16Features().state_dict().items()}
    features = Vgg16Features.from_state_dict({name: torch.ones(shape) * 0.01 for name, shape in shapes.items()})
    watched = replace(CONTEXT, perceptual=Perceptual(features, ((2, 1, 0),), "for tests"), perceptual_weight=5.0)
    one = after(Dip(SETTINGS).start(given, watched, None), given)
    other = after(Dip(SETTINGS).start(replace(given, s1=None), CONTEXT, None), given)
    assert one[0] == other[0]
    assert np.array_equal(one[1], other[1])


def test_resuming_continues_bit_for_bit_and_a_seed_is_a_result(given):
    straight, first, resumed = (Dip(SETTINGS).start(given, CONTEXT, None) for _ in range(3))
    whole = after(straight, given, 5)
    begun = [first.step() for _ in range(2)]
    resumed.load_state_dict(first.state_dict())
    rest = after(resumed, given, 3)
    assert begun + rest[0] == whole[0]
    assert np.array_equal(rest[1], whole[1])
    other = Dip(SETTINGS).start(given, replace(CONTEXT, seed=3), None)
    assert not np.array_equal(after(other, given, 5)[1], whole[1])


def test_it_is_fitted_to_what_is_visible(given):
    fitted = Dip(DipSettings(schedule_factor=0.2)).start(given, CONTEXT, None)
    losses = [fitted.step() for _ in range(80)]
    assert losses[-1] < 0.3 * losses[0]
