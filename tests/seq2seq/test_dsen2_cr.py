"""DSen2-CR: the published network and scaling, its losses, exact resume, and weights of others."""

import io
import sys
from dataclasses import replace
from itertools import pairwise

import h5py
import numpy as np
import pytest
import torch
from quick_engine import observations, with_hidden_values

from seq2seq.bands import L1C
from seq2seq.errors import ConfigError, MissingExtraError, Stopped, WeightsUnavailableError
from seq2seq.methods import find_method
from seq2seq.methods.base import RunContext
from seq2seq.methods.dsen2_cr.fit import Dsen2CrMethod
from seq2seq.methods.dsen2_cr.settings import Dsen2CrSettings
from seq2seq.methods.dsen2_cr.weights import read_network
from seq2seq.methods.image_pairs import Inputs, Pairs, scale_optical, scale_sar, unscale_optical
from seq2seq.nn.dsen2_cr import Dsen2Cr
from seq2seq.nn.losses import cloud_adaptive_l1, masked_l1
from seq2seq.nn.trained import write_trained
from seq2seq.nn.vgg import Perceptual
from seq2seq.validation.holdout import blank

CONTEXT = RunContext(
    seed=2,
    device=torch.device("cpu"),
    threads=1,
    perceptual=Perceptual(None, (), "no perceptual loss"),
    perceptual_weight=0.0,
    check_stop=lambda: None,
)
TINY = Dsen2CrSettings(steps=6, batch=2, crop_px=12, width=6, blocks=2)


@pytest.fixture(scope="module")
def given():
    return observations(dates=5, size=(17, 20), seed=1)


@pytest.fixture(scope="module")
def visible(given):
    return blank(given, given.s2.observed)


def fit(visible, settings=TINY, context=CONTEXT):
    return Dsen2CrMethod(settings).start(visible, context, None)


def losses(fitted, steps=3):
    return [fitted.step() for _ in range(steps)]


def predicted(fitted, visible):
    return fitted.predict(visible)["network"]


@pytest.mark.parametrize(("radar", "parameters"), [(2, 18_947_341), (0, 18_942_733)])
def test_the_network_has_as_many_parameters_as_the_published_one(radar, parameters):
    network = Dsen2Cr(13, radar)
    assert sum(values.numel() for values in network.parameters()) == parameters
    assert network.receptive_field_px == 69


def test_a_pixel_is_made_from_69_by_69_pixels():
    network = Dsen2Cr(1, 0, width=1).double()
    with torch.no_grad():
        for values in network.parameters():
            values.fill_(1.0)  # no sum of positive terms is 0
    image = torch.ones(1, 1, 75, 75, dtype=torch.float64, requires_grad=True)
    x = torch.relu(network.head(image))
    for block in network.blocks:
        x = block(x)
    network.tail(x)[0, 0, 37, 37].backward()
    expected = np.zeros((75, 75), bool)
    expected[3:-3, 3:-3] = True
    assert np.array_equal(image.grad[0, 0].numpy() > 0, expected)


def test_what_the_network_corrects_is_added_to_the_image():
    network = Dsen2Cr(3, 2, width=4, blocks=1)
    with torch.no_grad():
        network.tail.weight.zero_()
    image = torch.rand(2, 3, 5, 7)
    assert torch.equal(network(image, torch.rand(2, 2, 5, 7)), image)


def test_weights_begin_he_uniform_and_biases_at_zero():
    network = Dsen2Cr(4, 2, width=32, blocks=1, generator=torch.Generator().manual_seed(0))
    weight = network.blocks[0].first.weight
    assert weight.abs().max() <= np.sqrt(6 / (9 * 32))
    assert weight.std().item() == pytest.approx(np.sqrt(2 / (9 * 32)), rel=0.05)
    assert not network.tail.bias.any()


def test_reflectance_becomes_0_to_5_and_backscatter_0_to_2(given):
    assert scale_optical(np.float32([-0.1, 0, 0.2, 1, 1.4])).tolist() == [0, 0, 1, 5, 5]
    values = np.float32([0, 0.3, 1])
    assert unscale_optical(scale_optical(values)) == pytest.approx(values)
    shape = given.s1.pixels.shape
    db = np.zeros(shape, np.float32)
    db[0, 0], db[1, 0], db[0, 1], db[1, 1] = -30, -12.5, -40, -16.25
    scaled = scale_sar(replace(given.s1, pixels=db))
    assert scaled[:3, :, 0, 0].tolist() == [[0, 0], [1, 1], [2, 2]]


def test_where_there_is_no_radar_stands_the_mean_of_its_date_or_of_all(given):
    observed = given.s1.observed.copy()
    observed[0, :5], observed[1] = False, False
    pixels = np.where(observed[:, None], given.s1.pixels, np.float32(np.nan))
    scaled = scale_sar(replace(given.s1, observed=observed, pixels=pixels))
    assert np.isfinite(scaled).all()
    assert scaled[0, :, :5] == pytest.approx(np.broadcast_to(scaled[0, :, 5:].mean((1, 2))[:, None, None], (2, 5, 20)))
    assert np.ptp(scaled[1], axis=(1, 2)).tolist() == [0, 0]
    nowhere = scale_sar(replace(given.s1, observed=np.zeros_like(observed)))
    assert np.isfinite(nowhere).all()


def test_carl_keeps_what_is_clear_and_fits_what_is_not():
    image, target = torch.full((1, 1, 1, 3), 1.0), torch.full((1, 1, 1, 3), 3.0)
    clear, known = torch.tensor([[[True, False, True]]]), torch.tensor([[[True, True, False]]])
    prediction = torch.tensor([[[[1.5, 2.0, float("nan")]]]], requires_grad=True)
    loss = cloud_adaptive_l1(prediction, image, target, clear, known)
    assert loss.item() == pytest.approx((0.5 + 1) / 2 + (1.5 + 1) / 2)
    loss.backward()
    assert prediction.grad.flatten().tolist() == [0.0, -1.0, 0.0]
    assert masked_l1(prediction, target, ~known & False).item() == 0


def test_with_pasted_clouds_image_and_target_agree_where_both_are_known(visible):
    inputs = Inputs.of(visible, with_sar=True)
    pairs = Pairs.of(visible, inputs, kind="pasted", whole_share=0.2)
    batch = pairs.draw(np.random.default_rng(0), batch=40, crop_px=12)
    assert batch.image.shape == batch.target.shape == (40, 4, 12, 12)
    clear = np.broadcast_to(batch.clear[:, None], batch.image.shape)
    assert np.array_equal(batch.image[clear], batch.target[clear])
    assert not batch.image[~clear].any()
    assert not (batch.clear & ~batch.known).any()
    assert (batch.known & ~batch.clear).any()
    assert (~batch.clear.any(axis=(1, 2))).any(), "some are hidden whole"


def test_pairs_of_dates_have_another_dates_value_for_a_target(visible):
    inputs = Inputs.of(visible, with_sar=True)
    pairs = Pairs.of(visible, inputs, kind="dates", whole_share=0.0)
    date, row, column = (int(each[0]) for each in np.nonzero(visible.s2.observed & pairs.known))
    others = [t for t in np.flatnonzero(visible.s2.observed[:, row, column]) if t != date]
    values = [inputs.optical[t, :, row, column].tolist() for t in others]
    assert pairs.target[date, :, row, column].tolist() in values
    assert (pairs.known & ~visible.s2.observed).any(), "what a cloud hides has a target too"


@pytest.mark.parametrize("pairs", ["pasted", "dates"])
def test_values_that_are_not_observed_change_nothing(given, pairs):
    settings = replace(TINY, pairs=pairs)
    seen = [with_hidden_values(given, value) for value in (0.0, 0.9)]
    one, other = (fit(each, settings) for each in seen)
    assert losses(one) == losses(other)
    assert np.array_equal(predicted(one, seen[0]), predicted(other, seen[1]))


def test_resuming_continues_bit_for_bit(visible):
    straight, first, resumed = fit(visible), fit(visible), fit(visible)
    whole = losses(straight, 5)
    begun = losses(first, 2)
    saved = io.BytesIO()
    state = first.state_dict()
    first.step()  # a saved state does not follow the fit it came from
    torch.save(state, saved)
    saved.seek(0)
    resumed.load_state_dict(torch.load(saved, weights_only=True))
    assert begun + losses(resumed, 3) == whole
    assert np.array_equal(predicted(resumed, visible), predicted(straight, visible))


def test_a_batch_in_parts_is_the_same_batch(visible, monkeypatch):
    whole = fit(visible, replace(TINY, batch=5))
    expected = losses(whole)
    monkeypatch.setattr("seq2seq.methods.dsen2_cr.settings.REMEMBERED_BYTES", 2 * TINY.plan.remembered_bytes(12 * 12))
    parts = fit(visible, replace(TINY, batch=5))
    assert parts._plan.crops_at_once(12 * 12) == 2
    assert losses(parts) == pytest.approx(expected, rel=1e-3)


def test_with_pasted_clouds_carl_is_l1_times_one_and_the_targets_weight(visible):
    carl, l1 = (fit(visible, replace(TINY, loss=loss, target_weight=0.5)).step() for loss in ("carl", "l1"))
    assert carl == pytest.approx(1.5 * l1, rel=1e-5)


def test_the_same_seed_is_the_same_fit_whatever_else_draws_and_another_is_another(visible):
    calm, disturbed, other = fit(visible), fit(visible), fit(visible, context=replace(CONTEXT, seed=3))
    got = []
    for _ in range(3):
        torch.rand(3)
        np.random.default_rng(0).random(2)
        got.append(disturbed.step())
        predicted(disturbed, visible)
    assert got == losses(calm) != losses(other)


def test_it_stops_between_two_dates_of_a_prediction(visible):
    def stop():
        raise Stopped("now")

    fitted = fit(visible)
    fitted._check_stop = stop
    with pytest.raises(Stopped):
        fitted.predict(visible)


def test_it_learns_the_land_from_radar_and_what_is_visible(visible):
    fitted = fit(visible, replace(TINY, steps=60, width=16, learning_rate=3e-3))
    first = np.mean(losses(fitted, 5))
    losses(fitted, 50)
    assert np.mean(losses(fitted, 5)) < 0.5 * first
    result = predicted(fitted, visible)
    assert result.min() >= 0
    assert result.max() <= 1


def test_with_pairs_of_dates_carl_keeps_clear_pixels_better_than_l1(visible):
    settings = replace(TINY, steps=80, width=16, learning_rate=3e-3, pairs="dates")

    def error(loss):
        fitted = fit(visible, replace(settings, loss=loss))
        losses(fitted, 80)
        return np.abs(predicted(fitted, visible) - visible.s2.pixels).transpose(0, 2, 3, 1)[visible.s2.observed].mean()

    assert error("carl") < error("l1")


def test_radar_is_used_where_it_is_there_and_wanted(visible):
    alone = replace(visible, s1=None)
    assert fit(visible).network.sar_channels == fit(visible, replace(TINY, sar="on")).network.sar_channels == 2
    assert fit(visible, replace(TINY, sar="off")).network.sar_channels == fit(alone).network.sar_channels == 0
    without = fit(alone)
    assert losses(without) == losses(fit(visible, replace(TINY, sar="off")))
    assert np.isfinite(predicted(without, alone)).all()
    with pytest.raises(ConfigError, match="there is none; use --set sar=auto"):
        fit(alone, replace(TINY, sar="on"))


def test_scenes_of_one_row_or_one_visible_pixel_are_fitted_too(given):
    observed = np.zeros_like(given.s2.observed)
    observed[2, 0, 3] = True
    for pairs in ("pasted", "dates"):
        row = blank(given, observed).crop(slice(0, 1), slice(0, 20))
        fitted = fit(row, replace(TINY, pairs=pairs))
        assert np.isfinite(losses(fitted, 2)).all()
        assert np.isfinite(predicted(fitted, row)).all()


def write_keras(path, *, bands=13, radar=2, width=8, blocks=16, whole=False, change=None):
    """A file as Keras 2 writes the published model: layers conv2d_1 to conv2d_34, kernels rows x columns x in x out."""
    rng = np.random.default_rng(0)
    channels = [bands + radar, *[width] * (2 * blocks + 1), bands]
    arrays = {}
    for number, (inputs, outputs) in enumerate(pairwise(channels), 1):
        arrays[f"conv2d_{number}"] = {
            "kernel:0": rng.normal(size=(3, 3, inputs, outputs)).astype(np.float32) * 0.05,
            "bias:0": rng.normal(size=outputs).astype(np.float32),
        }
    if change:
        change(arrays)
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if whole else file
        layers = ["input_1", "input_2", "concatenate_1", *arrays, "add_1", "lambda_1"]
        root.attrs["layer_names"] = [name.encode() for name in layers]
        for layer in layers:
            group = root.create_group(layer)
            values = arrays.get(layer, {})
            group.attrs["weight_names"] = [f"{layer}/{name}".encode() for name in values]
            for name, value in values.items():
                group.create_dataset(f"{layer}/{name}", data=value)
    return arrays


@pytest.mark.parametrize("whole", [False, True])
def test_the_authors_keras_weights_are_read_by_their_names(tmp_path, whole):
    path = tmp_path / "model_SARcarl.hdf5"
    arrays = write_keras(path, whole=whole)
    network = read_network(path)
    assert (network.bands, network.sar_channels, len(network.blocks)) == (13, 2, 16)
    for layer, ours in {"conv2d_1": "head", "conv2d_2": "blocks.0.first", "conv2d_34": "tail"}.items():
        kernel, state = arrays[layer]["kernel:0"], network.state_dict()
        assert np.array_equal(state[f"{ours}.weight"].numpy(), kernel.transpose(3, 2, 0, 1))
        assert np.array_equal(state[f"{ours}.bias"].numpy(), arrays[layer]["bias:0"])


@pytest.mark.slow
def test_a_keras_file_of_the_published_size_is_read(tmp_path):
    write_keras(tmp_path / "w.hdf5", width=256)
    assert sum(values.numel() for values in read_network(tmp_path / "w.hdf5").parameters()) == 18_947_341


def test_keras_correlates_as_torch_does(tmp_path):
    """A kernel with one value moves the image as Keras defines it: output at p from input at p + offset - 1."""
    write_keras(tmp_path / "w.hdf5", bands=1, radar=0, width=1, blocks=1)
    with h5py.File(tmp_path / "w.hdf5", "r+") as file:
        for number in range(1, 5):
            group = file[f"conv2d_{number}/conv2d_{number}"]
            group["kernel:0"][...], group["bias:0"][...] = 0, 0
        file["conv2d_1/conv2d_1/kernel:0"][0, 1, 0, 0] = 1  # from the row above
        file["conv2d_4/conv2d_4/kernel:0"][1, 1, 0, 0] = 1
    image = torch.rand(1, 1, 4, 4)
    with torch.no_grad():
        moved = read_network(tmp_path / "w.hdf5")(image, None) - image
    assert torch.allclose(moved[0, 0, 1:], image[0, 0, :-1])
    assert not moved[0, 0, 0].any()


def test_weights_are_written_and_read_back_and_need_no_steps(visible, tmp_path):
    path = tmp_path / "weights.safetensors"
    fitted = fit(visible)
    losses(fitted)
    write_trained(path, fitted.network.state_dict(), {"method": "dsen2-cr", "bands": visible.s2.bands})
    again = fit(visible, Dsen2CrSettings(weights=str(path)))
    assert again.steps_total == 0
    assert np.array_equal(predicted(again, visible), predicted(fitted, visible))
    assert fit(visible, Dsen2CrSettings(weights=str(path), steps=2)).steps_total == 2


def test_weights_for_other_bands_or_radar_are_refused(visible, tmp_path):
    path = tmp_path / "w.hdf5"
    write_keras(path, blocks=1)
    with pytest.raises(ConfigError, match="are for 13 bands, S2 has 4: B02 B03 B04 B08"):
        fit(visible, Dsen2CrSettings(weights=str(path)))
    trained, state = tmp_path / "w.safetensors", Dsen2Cr(4, 2, width=4, blocks=1).state_dict()
    write_trained(trained, state, {"method": "dsen2-cr", "bands": ["B04", "B03", "B02", "B08"]})
    settings = Dsen2CrSettings(weights=str(trained))
    with pytest.raises(ConfigError, match="are for 4 bands, B04 B03 B02 B08; S2 has B02 B03 B04 B08"):
        fit(visible, settings)
    write_trained(trained, state, {"method": "dsen2-cr"})
    with pytest.raises(ConfigError, match="need S1 with 2 bands, there are 0"):
        fit(replace(visible, s1=None), settings)
    with pytest.raises(ConfigError, match="have 2 channels for S1, and sar is off"):
        fit(visible, replace(settings, sar="off"))


def test_weights_of_thirteen_bands_serve_a_sequence_of_all_bands(tmp_path):
    thirteen = observations(dates=3, size=12, bands="L1C", seed=1)
    assert thirteen.s2.bands == L1C
    write_keras(tmp_path / "w.hdf5", blocks=1)
    shown = blank(thirteen, thirteen.s2.observed)
    assert np.isfinite(predicted(fit(shown, Dsen2CrSettings(weights=str(tmp_path / "w.hdf5"))), shown)).all()


def _without_bias(arrays):
    del arrays["conv2d_3"]["bias:0"]


def _narrow(arrays):
    arrays["conv2d_3"]["kernel:0"] = arrays["conv2d_3"]["kernel:0"][..., :-1]


def _one_fewer(arrays):
    del arrays["conv2d_3"]


def _not_finite(arrays):
    arrays["conv2d_3"]["bias:0"][0] = np.nan


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_without_bias, "conv2d_3 is no convolution with kernel and bias"),
        (_narrow, r"blocks.0.second.weight is of shape \(7, 8, 3, 3\), must be of shape \(8, 8, 3, 3\)"),
        (_one_fewer, "it has 5 convolutions"),
        (_not_finite, "blocks.0.second.bias holds values that are not finite"),
    ],
)
def test_a_keras_file_of_another_network_is_refused_in_one_line(tmp_path, change, said):
    path = tmp_path / "w.hdf5"
    write_keras(path, blocks=2, change=change)
    with pytest.raises(WeightsUnavailableError, match=said):
        read_network(path)


def test_files_that_are_no_weights_are_refused_in_one_line(tmp_path):
    for name in ("w.npz", "w.pkl"):
        with pytest.raises(WeightsUnavailableError, match=r"is neither \.safetensors nor the authors' \.hdf5"):
            read_network(tmp_path / name)
    for name in ("w.hdf5", "w.safetensors"):
        path = tmp_path / name
        with pytest.raises(WeightsUnavailableError, match="is not a file"):
            read_network(path)
        path.write_bytes(b"no weights")
        with pytest.raises(WeightsUnavailableError, match="cannot be used"):
            read_network(path)
    write_trained(tmp_path / "other.safetensors", {"a": torch.ones(1)}, {"method": "pix2pix"})
    with pytest.raises(WeightsUnavailableError, match="holds those of pix2pix"):
        read_network(tmp_path / "other.safetensors")


def test_without_h5py_the_extra_is_named(tmp_path, monkeypatch):
    write_keras(tmp_path / "w.hdf5", blocks=1)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'decloud\[keras\]'"):
        read_network(tmp_path / "w.hdf5")


def test_the_paper_is_a_preset_and_each_number_may_be_set():
    paper = Dsen2CrSettings(preset="paper").plan
    assert (paper.width, paper.blocks, paper.batch, paper.crop_px, paper.learning_rate) == (256, 16, 16, 128, 7e-5)
    assert Dsen2CrSettings(preset="paper", width=8).plan == replace(paper, width=8)
    cost = find_method("dsen2-cr").cost
    shape = (10, 13, 128, 128)
    assert cost(shape, Dsen2CrSettings(preset="paper")).seconds > 100 * cost(shape, Dsen2CrSettings()).seconds
