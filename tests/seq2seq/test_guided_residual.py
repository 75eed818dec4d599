"""The network's fit: hidden pixels never teach it, it resumes bit for bit, and it starts from the prior."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from quick_engine import QUICK, observations

from seq2seq.methods.guided.residual import ResidualFit, Scaling
from seq2seq.methods.guided.settings import GuidedSettings
from seq2seq.nn.encoder_decoders import GuidedEncoderDecoder3d
from seq2seq.nn.vgg import Perceptual, Vgg16Features

CPU = torch.device("cpu")
UNUSED = Perceptual(None, (), "no perceptual loss")
SETTINGS = GuidedSettings(**QUICK)


@pytest.fixture(scope="module")
def sequence():
    """Pixels, what is observed of them, a poor prior and radar."""
    given = observations(dates=4, size=(17, 20), seed=1)
    prior = np.broadcast_to(given.s2.pixels.mean(axis=0), given.s2.shape).astype(np.float32)
    radar = ((given.s1.pixels + 15) / 5).astype(np.float32)
    return given.s2.pixels, given.s2.observed, prior, radar


def fit(sequence, *, settings=SETTINGS, seed=0, perceptual=UNUSED, weight=0.01, warm=None, radar=True):
    pixels, observed, prior, s1 = sequence
    return ResidualFit(
        pixels,
        observed,
        prior,
        s1 if radar else None,
        settings,
        seed=seed,
        device=CPU,
        perceptual=perceptual,
        perceptual_weight=weight,
        warm=warm,
    )


def losses(fitted, steps=3):
    return [fitted.step() for _ in range(steps)]


def predicted(fitted, sequence, *, radar=True):
    return fitted.predict(sequence[2], sequence[3] if radar else None, lambda: None)


def seeded_perceptual():
    generator = torch.Generator().manual_seed(0)
    shapes = {name: value.shape for name, value in Vgg16Features().state_dict().items()}
    state = {name: torch.randn(shape, generator=generator) * 0.05 for name, shape in shapes.items()}
    return Perceptual(Vgg16Features.from_state_dict(state), ((2, 1, 0),), "for tests")


def test_before_the_first_step_it_is_the_prior(sequence):
    assert np.array_equal(predicted(fit(sequence), sequence), sequence[2])


@pytest.mark.parametrize("perceptual", [UNUSED, "vgg16"])
def test_hidden_pixels_change_neither_loss_nor_result(sequence, perceptual):
    term = seeded_perceptual() if perceptual == "vgg16" else perceptual
    pixels, observed, *rest = sequence
    clouded = (np.where(observed[:, None], pixels, np.float32(0.9)), observed, *rest)
    one, other = fit(sequence, perceptual=term), fit(clouded, perceptual=term)
    assert losses(one, 2) == losses(other, 2)
    assert np.array_equal(predicted(one, sequence), predicted(other, sequence))


def test_the_perceptual_term_adds_its_weight_times_its_distance(sequence):
    without = fit(sequence).step()
    one, two = (fit(sequence, perceptual=seeded_perceptual(), weight=weight).step() for weight in (1.0, 2.0))
    assert one > without
    assert two - without == pytest.approx(2 * (one - without), rel=1e-4)


def test_resuming_continues_bit_for_bit(sequence):
    straight, first, resumed = fit(sequence), fit(sequence), fit(sequence)
    whole = losses(straight, 5)
    again = losses(first, 2)
    saved = io.BytesIO()
    torch.save(first.state_dict(), saved)
    saved.seek(0)
    resumed.load_state_dict(torch.load(saved, weights_only=True))
    assert again + losses(resumed, 3) == whole
    assert resumed.steps_done == 5
    assert np.array_equal(predicted(resumed, sequence), predicted(straight, sequence))


def test_what_else_draws_random_numbers_changes_nothing(sequence):
    torch.manual_seed(1)
    calm, disturbed = fit(sequence), fit(sequence)
    expected, got = [], []
    for _ in range(3):
        expected.append(calm.step())
        torch.rand(7)
        np.random.default_rng(0).random(3)
        got.append(disturbed.step())
    assert got == expected


def test_another_seed_is_another_fit(sequence):
    assert losses(fit(sequence, seed=0)) != losses(fit(sequence, seed=1))


def test_looking_at_a_prediction_does_not_change_the_fit(sequence):
    watched, alone = fit(sequence), fit(sequence)
    got = []
    for _ in range(3):
        got.append(watched.step())
        predicted(watched, sequence)
    assert got == losses(alone)


def test_a_warm_fit_starts_from_the_averaged_network_of_the_first(sequence):
    first = fit(sequence)
    losses(first)
    warm = fit(sequence, warm=first)
    assert np.array_equal(predicted(warm, sequence), predicted(first, sequence))
    assert warm.steps_total < first.steps_total
    warm.step()
    assert not np.array_equal(predicted(warm, sequence), predicted(first, sequence))


def test_it_learns_what_the_prior_lacks(sequence):
    fitted = fit(sequence, settings=replace(SETTINGS, steps=40))
    losses(fitted, 40)
    pixels, observed, prior, _ = sequence
    before, after = (
        np.sqrt(np.mean(np.moveaxis(image - pixels, 1, -1)[observed] ** 2))
        for image in (prior, predicted(fitted, sequence))
    )
    assert after < 0.8 * before


def test_without_radar_it_fits_too(sequence):
    fitted = fit(sequence, radar=False)
    assert np.isfinite(losses(fitted, 2)).all()
    assert np.isfinite(predicted(fitted, sequence, radar=False)).all()


def test_windows_of_a_prediction_meet_without_a_seam(sequence):
    """The step across a seam between windows is no larger than that between any two pixels."""
    at_once, windowed = fit(sequence), fit(sequence, settings=replace(SETTINGS, window_px=14, window_overlap_px=6))
    assert losses(at_once) == losses(windowed), "the same network"
    whole, cut = (predicted(fitted, sequence) - sequence[2] for fitted in (at_once, windowed))
    assert not np.array_equal(cut, whole), "in windows"
    assert cut.shape == whole.shape
    assert np.abs(np.diff(cut, axis=3)).max() < 1.5 * np.abs(np.diff(whole, axis=3)).max()


def test_scaling_is_that_of_the_observed_pixels():
    pixels = np.array([1, 3, 100], np.float32).reshape(1, 1, 1, 3)
    observed = np.array([[[True, True, False]]])
    scaling = Scaling.of(pixels, observed, np.array([0, 0, 100], np.float32).reshape(1, 1, 1, 3))
    assert (scaling.mean.item(), scaling.std.item(), scaling.residual_std.item()) == (2, 1, 1)


@pytest.mark.parametrize(("dates", "height", "width"), [(2, 1, 1), (2, 5, 3), (3, 17, 23)])
def test_the_network_takes_any_size(dates, height, width):
    network = GuidedEncoderDecoder3d(2, 3, 3, generator=torch.Generator().manual_seed(0)).eval()
    radar, prior = torch.rand(1, 2, dates, height, width), torch.rand(1, 3, dates, height, width)
    assert network(radar, prior).shape == (1, 3, dates, height, width)


def test_the_prior_of_one_date_says_nothing_about_another():
    """Else the network could copy: another date's prior was made from this date's values. Radar may say it."""
    network = GuidedEncoderDecoder3d(2, 3, 3, generator=torch.Generator().manual_seed(0)).eval()
    torch.nn.init.ones_(network.output.weight)
    for module in network.modules():
        if isinstance(module, torch.nn.GroupNorm):  # normalises over all dates: its statistics are no copy of a pixel
            module.forward = lambda x: x
    radar, prior = torch.rand(1, 2, 4, 8, 8), torch.rand(1, 3, 4, 8, 8, requires_grad=True)
    network(radar, prior)[:, :, 1].sum().backward()
    moved = prior.grad.abs().sum(dim=(0, 1, 3, 4))
    assert moved[1] > 0
    assert moved[[0, 2, 3]].tolist() == [0, 0, 0]
