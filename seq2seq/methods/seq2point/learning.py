"""A step of the sequence-to-point network, whatever it learns from: the network, its loss and optimiser."""

from pathlib import Path

import torch
from torch import Tensor

from seq2seq.errors import ConfigError
from seq2seq.methods.network_fit import as_tensor
from seq2seq.methods.seq2point.samples import Batch, channels
from seq2seq.methods.seq2point.settings import Seq2PointSettings
from seq2seq.methods.seq2point.weights import Trained, load_trunk, read_weights
from seq2seq.nn.devices import autocast
from seq2seq.nn.losses import masked_l1
from seq2seq.nn.seq2point import Seq2Point, draw_normal
from seq2seq.sequence import Float32


def make_network(settings: Seq2PointSettings, bands: tuple[str, ...], sar_channels: int, seed: int) -> Trained:
    """A new network for these bands and radar channels, or the one of the weights that were named.

    Raises ConfigError and WeightsUnavailableError.
    """
    if settings.sar == "on" and not sar_channels:
        raise ConfigError("method seq2point is to use S1 and there is none; use --set sar=auto")
    if settings.weights is None:
        return _new_network(settings, bands, sar_channels if settings.sar != "off" else 0, seed)
    if settings.trunk_weights is not None:
        raise ConfigError("method seq2point is given weights and trunk_weights; weights hold the trunk too")
    trained = read_weights(Path(settings.weights))
    _check(trained, settings, bands, sar_channels)
    return trained


def make_optimizer(network: Seq2Point, settings: Seq2PointSettings) -> torch.optim.Optimizer:
    """Adam, with the momentum of networks that learn against a judge, as published."""
    return torch.optim.Adam(network.parameters(), lr=settings.plan.learning_rate, betas=(0.5, 0.999))


def loss_of(network: Seq2Point, batch: Batch, settings: Seq2PointSettings, device: torch.device) -> Tensor:
    """A mean over the known pixels."""
    target, known = as_tensor(batch.target, device), as_tensor(batch.known, device)
    return settings.l1_weight * masked_l1(apply(network, batch.images, device), target, known)


def apply(network: Seq2Point, images: Float32, device: torch.device) -> Tensor:
    """(B, T, I, h, w) -> (B, C, h, w) in 0..5, in bfloat16 where the device multiplies it in hardware."""
    with autocast(device):
        output: Tensor = network(as_tensor(images, device))
    return output


def _new_network(settings: Seq2PointSettings, bands: tuple[str, ...], sar_channels: int, seed: int) -> Trained:
    plan, generator = settings.plan, torch.Generator().manual_seed(seed)
    network = Seq2Point(
        channels(len(bands), sar_channels, verbatim=settings.verbatim),
        len(bands),
        dates=settings.dates,
        width=plan.width,
        blocks=plan.blocks,
        head_blocks=plan.head_blocks,
        bounded=settings.verbatim,
        generator=generator,
    )
    if plan.initial_std is not None:
        draw_normal(network, plan.initial_std, generator)
    if settings.trunk_weights is not None:
        load_trunk(network, Path(settings.trunk_weights), sar_channels=sar_channels)
    return Trained(network, sar_channels, bands)


def _check(trained: Trained, settings: Seq2PointSettings, bands: tuple[str, ...], sar_channels: int) -> None:
    """Weights fit variant, dates, bands and radar. Raises ConfigError."""
    network, what = trained.network, f"seq2point weights in {settings.weights}"
    variant = "verbatim" if network.bounded else "corrected"
    if variant != settings.variant:
        raise ConfigError(f"{what} are {variant}, variant is {settings.variant}; use --set variant={variant}")
    if network.dates != settings.dates:
        raise ConfigError(
            f"{what} make a date from {network.dates} others, dates is {settings.dates}; use --set "
            f"dates={network.dates}"
        )
    if network.bands != len(bands) or (trained.bands and trained.bands != bands):
        named = f": {' '.join(trained.bands)}" if trained.bands else ""
        raise ConfigError(f"{what} are for {network.bands} bands{named}; S2 has {len(bands)}: {' '.join(bands)}")
    if trained.sar_channels not in (0, sar_channels):
        raise ConfigError(f"{what} need S1 with {trained.sar_channels} bands, there are {sar_channels}")
    if (settings.sar == "off") != (trained.sar_channels == 0) and settings.sar != "auto":
        raise ConfigError(f"{what} have {trained.sar_channels} channels for S1, and sar is {settings.sar}")
