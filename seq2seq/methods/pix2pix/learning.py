"""A step of pix2pix, whatever it learns from: both networks, what they see, their losses and optimisers."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from seq2seq.errors import ConfigError
from seq2seq.methods.image_pairs import Batch, Inputs
from seq2seq.methods.network_fit import as_tensor
from seq2seq.methods.pix2pix.settings import Pix2PixSettings
from seq2seq.methods.pix2pix.weights import NAME, read_generator
from seq2seq.nn.devices import autocast
from seq2seq.nn.losses import masked_l1
from seq2seq.nn.pix2pix import PatchGan, UNet
from seq2seq.sequence import Bool, Float32, ImageSequence, Observations

LEAST_PX = 16
# dB that become -1 and 1, of both polarisations.
RADAR_DB = (-25.0, 0.0)
_BETAS = (0.5, 0.999)


def make_generator(
    settings: Pix2PixSettings, bands: tuple[str, ...], sar_channels: int, seed: int, *, downs: int
) -> UNet:
    """A new generator for these bands and radar channels, or the one of the weights that were named.

    Raises ConfigError and WeightsUnavailableError.
    """
    if settings.sar == "on" and not sar_channels:
        raise ConfigError(f"method {NAME} is to use S1 and there is none; use --set sar=auto")
    if settings.weights is not None:
        return read_generator(Path(settings.weights), bands, sar_channels)
    radar = sar_channels if settings.sar != "off" else 0
    random = torch.Generator().manual_seed(seed)
    return UNet(len(bands) + radar, len(bands), width=settings.plan.width, downs=downs, generator=random)


def make_judge(generator: UNet, settings: Pix2PixSettings, seed: int) -> PatchGan:
    """A new judge of what the generator sees and makes."""
    random = torch.Generator().manual_seed(seed + 1)
    return PatchGan(generator.inputs + generator.outputs, width=settings.plan.width, generator=random)


def make_optimizer(network: nn.Module, settings: Pix2PixSettings) -> torch.optim.Optimizer:
    """Adam, as published."""
    return torch.optim.Adam(network.parameters(), lr=settings.plan.learning_rate, betas=_BETAS)


def losses(
    generator: UNet, judge: PatchGan, batch: Batch, settings: Pix2PixSettings, device: torch.device
) -> Iterator[Tensor]:
    """Yields the judge's loss, then the generator's, which is to be asked for when the judge is updated.

    batch: reflectance in 0..1. L1 counts where the target is known; elsewhere neither image may be told by it.
    """
    arrays = (stacked(batch.image, batch.sar), 2 * batch.target - 1, batch.known)
    given, target, known = (as_tensor(padded(each, generator), device) for each in arrays)
    made = generate(generator, given)
    real, fake = (torch.where(known[:, None], image, -torch.ones_like(image)) for image in (target, made))
    judge.requires_grad_(True)
    yield (_verdict(judge, given, real, real=True) + _verdict(judge, given, fake.detach(), real=False)) / 2
    judge.requires_grad_(False)  # a gradient for the generator alone
    yield _verdict(judge, given, fake, real=True) + settings.l1_weight * masked_l1(made, target, known)


def generate(generator: UNet, given: Tensor) -> Tensor:
    """(B, C + S, h, w) -> (B, C, h, w), both in [-1, 1]."""
    with _precision(given.device):
        output: Tensor = generator(given)
    return output


@torch.no_grad()
def translate(generator: UNet, image: Float32, sar: Float32 | None, device: torch.device) -> Float32:
    """(B, C, H, W) reflectance in 0..1 of images of any size, without dropout: so that a prediction repeats."""
    height, width = image.shape[2:]
    was_learning = generator.training
    generator.eval()
    output = generate(generator, as_tensor(padded(stacked(image, sar), generator), device))
    generator.train(was_learning)
    return np.asarray((output[:, :, :height, :width].cpu().numpy() + 1) / 2, dtype=np.float32)


def side_px(crop_px: int, generator: UNet) -> int:
    """The side of crops: what the generator can halve."""
    return max(crop_px // generator.multiple_px, 1) * generator.multiple_px


def padded(values: NDArray[Any], generator: UNet) -> NDArray[Any]:
    """Rows and columns mirrored at their ends up to what the generator can halve."""
    around = [(0, -length % generator.multiple_px) for length in values.shape[-2:]]
    return np.pad(values, [(0, 0)] * (values.ndim - 2) + around, mode="reflect")


def stacked(image: Float32, sar: Float32 | None) -> Float32:
    """(B, C + S, h, w) in [-1, 1], of reflectance in 0..1 and radar."""
    scaled = 2 * image - 1
    return scaled if sar is None else np.concatenate([scaled, sar], axis=1)


def inputs_of(visible: Observations, *, with_sar: bool) -> Inputs:
    """optical: (T, C, H, W) reflectance in 0..1, 0 where hidden; sar: (T, S, H, W) in [-1, 1], or None."""
    s2, s1 = visible.s2, visible.s1
    optical = np.where(s2.observed[:, None], clipped(s2.pixels), np.float32(0))
    return Inputs(optical, scale_radar(s1) if with_sar and s1 is not None else None)


def clipped(reflectance: Float32) -> Float32:
    """Reflectance in 0..1."""
    return np.clip(reflectance, 0, 1).astype(np.float32)


def scale_radar(s1: ImageSequence) -> Float32:
    """(T, S, H, W) dB in [-1, 1]; where there is none, the mean of the date's image, else 0."""
    return scale_backscatter(s1.pixels, s1.observed)


def scale_backscatter(db: Float32, observed: Bool) -> Float32:
    """(T, S, H, W) dB, observed (T, H, W): what `scale_radar` makes of them."""
    low, high = RADAR_DB
    seen = observed[:, None]
    scaled = (np.clip(np.where(seen, db, low), low, high) - low) / (high - low) * 2 - 1
    count = observed.sum(axis=(1, 2))[:, None]
    mean = np.where(seen, scaled, 0).sum(axis=(2, 3)) / np.maximum(count, 1)
    return np.where(seen, scaled, mean[:, :, None, None]).astype(np.float32)


def _verdict(judge: PatchGan, given: Tensor, image: Tensor, *, real: bool) -> Tensor:
    """How far the judge is from saying so: binary cross entropy over its patches."""
    with _precision(given.device):
        logits = judge(torch.cat([given, image], 1))
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))


def _precision(device: torch.device) -> AbstractContextManager[object]:
    """CPUs have no fast kernels for transposed convolutions in bfloat16: float32 takes a seventh less there."""
    return nullcontext() if device.type == "cpu" else autocast(device)
