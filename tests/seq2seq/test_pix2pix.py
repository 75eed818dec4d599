"""pix2pix: the published networks, what they learn from, exact resume, and weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from quick_engine import observations, with_hidden_values

from seq2seq.errors import ConfigError, WeightsUnavailableError
from seq2seq.methods import find_method
from seq2seq.methods.base import RunContext
from seq2seq.methods.pix2pix.fit import Pix2Pix
from seq2seq.methods.pix2pix.learning import inputs_of, scale_radar
from seq2seq.methods.pix2pix.settings import PRESETS, Pix2PixSettings
from seq2seq.nn.pix2pix import PatchGan, UNet
from seq2seq.nn.trained import write_trained
from seq2seq.nn.vgg import Perceptual
from seq2seq.validation.holdout import blank

CONTEXT = RunContext(2, torch.device("cpu"), 1, Perceptual(None, (), "none"), 0.0, lambda: None)
TINY = Pix2PixSettings(steps=6, batch=1, crop_px=32, width=2, downs=5)


@pytest.fixture(scope="module")
def given():
    return observations(dates=5, size=(33, 40), seed=1)


@pytest.fixture(scope="module")
def visible(given):
    return blank(given, given.s2.observed)


def fit(visible, settings=TINY, context=CONTEXT):
    return Pix2Pix(settings).start(visible, context, None)


def parameters(network):
    return sum(values.numel() for values in network.parameters())


@pytest.mark.parametrize(
    ("inputs", "outputs", "downs", "count"),
    [
        (3, 3, 8, 54_413_955),  # colour images: 54.414 M, as its authors' program prints
        (15, 13, 8, 54_446_733),
        (13, 13, 8, 54_444_685),
        (15, 13, 7, 41_861_773),
    ],
)
def test_the_generator_has_as_many_parameters_as_the_published_one(inputs, outputs, downs, count):
    network = UNet(inputs, outputs, downs=downs)
    assert parameters(network) == count
    assert network.multiple_px == 2**downs


@pytest.mark.parametrize(("inputs", "count"), [(6, 2_768_705), (28, 2_791_233), (26, 2_789_185)])
def test_the_judge_has_as_many_parameters_as_the_published_one(inputs, count):
    judge = PatchGan(inputs)
    assert parameters(judge) == count
    assert judge.receptive_field_px == 70


def test_one_logit_judges_70_by_70_pixels():
    judge = PatchGan(1, width=1).double().eval()
    with torch.no_grad():
        for values in judge.parameters():
            values.fill_(1.0)
    image = torch.rand(1, 1, 160, 160, dtype=torch.float64, requires_grad=True)
    x = judge.first(image)
    for convolution in judge.convolutions:  # without norms, which look at the whole image
        x = convolution(x)
    logits = judge.last(x)
    assert logits.shape[2:] == (18, 18)  # 30 at 256 px, as published
    logits[0, 0, 9, 9].backward()
    touched = np.argwhere(image.grad[0, 0].numpy() > 0)
    assert (np.ptp(touched, axis=0) + 1).tolist() == [70, 70]


def test_images_become_minus_one_to_one(given):
    shape = given.s1.pixels.shape
    db = np.full(shape, -12.5, np.float32)
    db[0], db[1] = -40, 3
    observed = given.s1.observed.copy()
    observed[2], observed[3] = False, True
    scaled = scale_radar(replace(given.s1, pixels=db, observed=observed))
    assert scaled[:2, 0, 0, 0].tolist() == [-1, 1]
    assert not scaled[2].any()
    assert scaled[3] == pytest.approx(0)


def test_halvings_are_as_many_as_the_scene_has_room_for():
    paper = PRESETS["paper"]
    assert [paper.downs_for(*size) for size in ((300, 256), (255, 400), (101, 101), (20, 500))] == [8, 7, 6, 5]


def test_loss_falls_and_predictions_cover_every_pixel_of_odd_sizes(visible):
    settings = replace(TINY, steps=60, width=4, learning_rate=2e-3)
    fitted = fit(visible, settings)
    losses = [fitted.step() for _ in range(60)]
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:5])
    predicted = fitted.predict(visible)["generator"]
    assert predicted.shape == visible.s2.pixels.shape
    assert predicted.min() >= 0
    assert predicted.max() <= 1


def test_a_fit_that_goes_on_is_the_one_that_never_stopped(visible):
    whole, begun, resumed = fit(visible), fit(visible), fit(visible)
    for _ in range(6):
        whole.step()
    for _ in range(3):
        begun.step()
    resumed.load_state_dict(begun.state_dict())
    assert resumed.steps_done == 3
    for _ in range(3):
        resumed.step()
    assert np.array_equal(whole.predict(visible)["generator"], resumed.predict(visible)["generator"])


def test_predictions_repeat_in_spite_of_dropout(visible):
    fitted = fit(visible, replace(TINY, downs=6, crop_px=32))
    assert any(module.dropout for module in UNet(2, 2, width=1, downs=8).modules() if hasattr(module, "dropout"))
    first = fitted.predict(visible)["generator"]
    assert np.array_equal(first, fitted.predict(visible)["generator"])


def test_what_is_hidden_is_never_looked_at(given):
    seen = blank(given, given.s2.observed)
    other = blank(with_hidden_values(given, 0.9), given.s2.observed)
    fits = [fit(each) for each in (seen, other)]
    losses = [[each.step() for _ in range(3)] for each in fits]
    assert losses[0] == losses[1]


def test_it_runs_without_radar_and_says_so_where_it_is_demanded(visible):
    alone = replace(visible, s1=None)
    fitted = fit(alone)
    assert fitted.generator.inputs == fitted.generator.outputs
    fitted.step()
    assert fitted.predict(alone)["generator"].shape == alone.s2.pixels.shape
    with pytest.raises(ConfigError, match="there is none; use --set sar=auto"):
        fit(alone, replace(TINY, sar="on"))
    assert inputs_of(visible, with_sar=False).sar is None


def test_a_scene_that_is_too_small_is_refused():
    small = observations(dates=4, size=(15, 40), seed=1)
    with pytest.raises(ConfigError, match="needs 16 x 16 px at least, the scene has 15 x 40"):
        fit(blank(small, small.s2.observed))


def test_weights_are_read_and_need_no_step(visible, tmp_path):
    trained = fit(visible)
    trained.step()
    file = tmp_path / "w.safetensors"
    write_trained(file, trained.generator.state_dict(), {"method": "pix2pix"})
    loaded = fit(visible, Pix2PixSettings(weights=str(file)))
    assert loaded.steps_total == 0
    assert np.array_equal(loaded.predict(visible)["generator"], trained.predict(visible)["generator"])


def test_weights_that_do_not_fit_are_refused_in_words(visible, tmp_path):
    bands = len(visible.s2.bands)
    cases = {
        "more": (
            UNet(bands + 3, bands + 1, width=2, downs=5),
            ConfigError,
            f"are for {bands + 1} bands, S2 has {bands}",
        ),
        "radar": (UNet(bands + 1, bands, width=2, downs=5), ConfigError, "need S1 with 1 bands, there are 2"),
    }
    for name, (network, kind, words) in cases.items():
        file = tmp_path / f"{name}.safetensors"
        write_trained(file, network.state_dict(), {"method": "pix2pix"})
        with pytest.raises(kind, match=words):
            fit(visible, Pix2PixSettings(weights=str(file)))
    state = UNet(bands, bands, width=2, downs=5).state_dict()
    state["up.bias"] = torch.zeros(bands + 4)
    write_trained(tmp_path / "odd.safetensors", state, {"method": "pix2pix"})
    with pytest.raises(WeightsUnavailableError, match=r"up\.bias is of shape"):
        fit(visible, Pix2PixSettings(weights=str(tmp_path / "odd.safetensors")))
    write_trained(tmp_path / "other.safetensors", {"a": torch.zeros(1)}, {"method": "dsen2-cr"})
    with pytest.raises(WeightsUnavailableError, match="holds those of dsen2-cr"):
        fit(visible, Pix2PixSettings(weights=str(tmp_path / "other.safetensors")))


def test_larger_networks_cost_more():
    info = find_method("pix2pix")
    small, large = (info.cost((10, 4, 256, 256), Pix2PixSettings(preset=name)) for name in ("sequence", "paper"))
    assert large.seconds > 20 * small.seconds
    assert large.memory_gb > small.memory_gb
