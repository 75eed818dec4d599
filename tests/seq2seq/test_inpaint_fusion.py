"""Inpainting and fusion: what is filled from what, both inpainters, what the network learns, exact resume."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from quick_engine import observations, with_hidden_values

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import ConfigError, MissingExtraError, WeightsUnavailableError
from seq2seq.methods.base import RunContext
from seq2seq.methods.inpaint_fusion.fit import InpaintFusion
from seq2seq.methods.inpaint_fusion.inpainting import Biharmonic, Diffusion, inpaint_dates
from seq2seq.methods.inpaint_fusion.settings import InpaintFusionSettings
from seq2seq.nn.trained import write_trained
from seq2seq.nn.vgg import Perceptual
from seq2seq.run.reconstruction import reconstruct
from seq2seq.validation.holdout import blank

CPU = torch.device("cpu")
CONTEXT = RunContext(2, CPU, 1, Perceptual(None, (), "none"), 0.0, lambda: None)
TINY = InpaintFusionSettings(steps=6, batch=2, crop_px=12, width=6, blocks=1, draws=1)


@pytest.fixture(scope="module")
def given():
    return observations(dates=5, size=(17, 20), seed=1)


@pytest.fixture(scope="module")
def visible(given):
    return blank(given, given.s2.observed)


def fit(visible, settings=TINY, context=CONTEXT):
    return InpaintFusion(settings).start(visible, context, None)


def plane(size=40):
    """A tilted plane, (2, H, W): its bilaplacian is 0, so that it is what a hole in it becomes."""
    row, column = np.mgrid[:size, :size] / size
    return np.stack([0.1 + 0.3 * row + 0.2 * column, 0.5 - 0.2 * row]).astype(np.float32)


def test_a_hole_in_a_plane_becomes_the_plane():
    image, visible = plane(), np.ones((40, 40), bool)
    visible[10:22, 8:24] = False
    filled = Biharmonic().fill(np.where(visible, image, 0), visible)
    assert np.array_equal(filled[:, visible], image[:, visible])
    assert filled == pytest.approx(image, abs=0.01)


def test_a_large_hole_is_solved_on_a_coarser_grid_and_keeps_what_is_visible():
    image, visible = plane(101), np.ones((101, 101), bool)
    visible[5:96, 3:98] = False
    filled = Biharmonic().fill(np.where(visible, image, 0), visible)
    assert np.array_equal(filled[:, visible], image[:, visible])
    assert filled == pytest.approx(image, abs=0.04)


def test_a_date_that_shows_nothing_is_as_its_pixels_were_on_the_nearest_clear_date(given):
    s2 = given.s2
    seen = np.ones_like(s2.observed)
    seen[2] = False
    filled = inpaint_dates(s2, seen, Biharmonic(), lambda: None)
    nearest = 1 if s2.days[2] - s2.days[1] <= s2.days[3] - s2.days[2] else 3
    assert np.array_equal(filled[2], np.clip(s2.pixels[nearest], 0, 1))
    assert np.array_equal(filled[0], np.clip(s2.pixels[0], 0, 1))


def test_the_fit_begins_from_what_was_inpainted_and_learns(visible):
    settings = replace(TINY, steps=60, learning_rate=3e-3)
    fitted = fit(visible, settings)
    predicted = fitted.predict(visible)
    assert np.allclose(predicted["fused"], predicted["inpainted"], atol=1e-6)
    losses = [fitted.step() for _ in range(60)]
    assert np.mean(losses[-10:]) < np.mean(losses[:10])
    changed = fitted.predict(visible)
    assert np.array_equal(changed["inpainted"], predicted["inpainted"])
    assert not np.allclose(changed["fused"], predicted["fused"], atol=1e-4)


def test_a_fit_that_goes_on_is_the_one_that_never_stopped(visible):
    whole, begun, resumed = fit(visible), fit(visible), fit(visible)
    for _ in range(6):
        whole.step()
    for _ in range(3):
        begun.step()
    resumed.load_state_dict(begun.state_dict())
    for _ in range(3):
        resumed.step()
    assert np.array_equal(whole.predict(visible)["fused"], resumed.predict(visible)["fused"])


def test_a_stage_that_was_kept_is_not_inpainted_again(visible):
    kept = {}

    def cached(name, make):
        if name not in kept:
            kept[name] = make()
        return kept[name]

    first = fit(visible, context=replace(CONTEXT, cached=cached))
    again = fit(visible, context=replace(CONTEXT, cached=lambda name, make: kept[name]))
    assert list(kept) == ["inpainting"]
    assert [first.step() for _ in range(2)] == [again.step() for _ in range(2)]


def test_what_is_hidden_is_never_looked_at(given):
    fits = [fit(blank(each, given.s2.observed)) for each in (given, with_hidden_values(given, 0.9))]
    losses = [[each.step() for _ in range(3)] for each in fits]
    assert losses[0] == losses[1]


def test_it_runs_without_radar_and_says_so_where_it_is_demanded(visible):
    alone = replace(visible, s1=None)
    fitted = fit(alone)
    fitted.step()
    assert fitted.predict(alone)["fused"].shape == alone.s2.pixels.shape
    with pytest.raises(ConfigError, match="there is none; use --set sar=auto"):
        fit(alone, replace(TINY, sar="on"))


def test_the_result_says_which_inpainter_ran(given):
    settings = {"steps": 2, "batch": 1, "crop_px": 12, "width": 4, "blocks": 1, "draws": 1}
    config = ReconstructionConfig(method="inpaint-fusion", method_settings=settings, perceptual="off", device="cpu")
    assert "biharmonic" in reconstruct(given, config, progress=False).notes[0]


def test_weights_are_read_and_need_no_step(visible, tmp_path):
    trained = fit(visible)
    trained.step()
    file = tmp_path / "w.safetensors"
    write_trained(file, trained.network.state_dict(), {"method": "inpaint-fusion"})
    loaded = fit(visible, InpaintFusionSettings(weights=str(file)))
    assert loaded.steps_total == 0
    assert np.array_equal(loaded.predict(visible)["fused"], trained.predict(visible)["fused"])
    write_trained(file, {"head.weight": torch.zeros(4, 9, 3, 3)}, {"method": "inpaint-fusion"})
    with pytest.raises(ConfigError, match="see 9 bands; there are 4 of S2 and 2 of S1"):
        fit(visible, InpaintFusionSettings(weights=str(file)))


def test_without_the_package_the_extra_is_named(visible, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    monkeypatch.setitem(sys.modules, "skimage.restoration", None)
    with pytest.raises(MissingExtraError, match=r"decloud\[inpainting\]"):
        fit(visible)


def test_a_model_that_is_not_here_is_named_and_nothing_is_downloaded(visible, tmp_path):
    with pytest.raises(WeightsUnavailableError, match="cannot be loaded"):
        fit(visible, replace(TINY, diffusion=str(tmp_path / "none")))
    with pytest.raises(WeightsUnavailableError, match="cannot be loaded"):
        fit(visible, replace(TINY, diffusion="nobody/nothing-inpainting"))


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """The true classes of an inpainting pipeline, tiny and with random weights, as `diffusers` keeps them."""
    diffusers, transformers = pytest.importorskip("diffusers"), pytest.importorskip("transformers")
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model")
    vocabulary = {"<|startoftext|>": 0, "<|endoftext|>": 1, "a</w>": 2}
    tokenizer = transformers.CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=8)
    text = transformers.CLIPTextConfig(
        hidden_size=8, intermediate_size=8, num_attention_heads=2, num_hidden_layers=1, vocab_size=3,
        max_position_embeddings=8, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    unet = diffusers.UNet2DConditionModel(
        sample_size=8, in_channels=9, out_channels=4, block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=8, attention_head_dim=4,
    )  # fmt: skip
    vae = diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 8, 8), norm_num_groups=4, latent_channels=4, sample_size=16,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    )  # fmt: skip
    pipeline = diffusers.StableDiffusionInpaintPipeline(
        vae=vae, text_encoder=transformers.CLIPTextModel(text), tokenizer=tokenizer, unet=unet,
        scheduler=diffusers.DDIMScheduler(steps_offset=1, clip_sample=False), safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def test_a_diffusion_model_fills_what_is_hidden_and_repeats(model, visible):
    inpainter = Diffusion(str(model), steps=2, seed=3, device=CPU)
    s2 = visible.s2
    seen = s2.observed.copy()
    seen[0] = True
    seen[0, 4:12, 3:15] = False
    date = inpainter.fill(s2.pixels[0], seen[0])
    assert date.shape == s2.pixels[0].shape
    assert np.array_equal(date[:, seen[0]], s2.pixels[0][:, seen[0]])
    assert np.isfinite(date).all()
    assert np.array_equal(date, inpainter.fill(s2.pixels[0], seen[0]))
    fitted = fit(visible, replace(TINY, diffusion=str(model), diffusion_steps=1, steps=1))
    fitted.step()
    assert "diffusion model" in fitted.notes[0]
    assert np.isfinite(fitted.predict(visible)["fused"]).all()
