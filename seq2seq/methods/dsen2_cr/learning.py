"""A step of DSen2-CR, whatever it learns from: the network in the precision of the device, its loss and optimiser."""

from pathlib import Path

import torch
from torch import Tensor, nn

from seq2seq.bands import L1C
from seq2seq.errors import ConfigError
from seq2seq.methods.dsen2_cr.settings import Dsen2CrSettings
from seq2seq.methods.dsen2_cr.weights import read_network
from seq2seq.methods.image_pairs import Batch
from seq2seq.methods.network_fit import as_tensor
from seq2seq.model_card import read_card
from seq2seq.nn.devices import autocast
from seq2seq.nn.dsen2_cr import Dsen2Cr
from seq2seq.nn.losses import cloud_adaptive_l1, masked_l1


def make_network(settings: Dsen2CrSettings, bands: tuple[str, ...], sar_channels: int, seed: int) -> Dsen2Cr:
    """A new network for these bands and radar channels, or the one of the weights that were named.

    Raises ConfigError and WeightsUnavailableError.
    """
    if settings.sar == "on" and not sar_channels:
        raise ConfigError("method dsen2-cr is to use S1 and there is none; use --set sar=auto")
    if settings.weights is not None:
        network = read_network(Path(settings.weights))
        _check(network, settings, bands, sar_channels)
        return network
    generator, plan = torch.Generator().manual_seed(seed), settings.plan
    channels = sar_channels if settings.sar != "off" else 0
    return Dsen2Cr(len(bands), channels, width=plan.width, blocks=plan.blocks, generator=generator)


def make_optimizer(network: nn.Module, settings: Dsen2CrSettings) -> torch.optim.Optimizer:
    """Nadam as Keras has it: its decay of the momentum is torch's momentum_decay."""
    return torch.optim.NAdam(network.parameters(), lr=settings.plan.learning_rate, eps=1e-8, momentum_decay=4e-3)


def loss_of(network: nn.Module, batch: Batch, settings: Dsen2CrSettings, device: torch.device) -> Tensor:
    """A mean over the known pixels."""
    image, target, clear, known = (
        as_tensor(each, device) for each in (batch.image, batch.target, batch.clear, batch.known)
    )
    prediction = apply(network, image, None if batch.sar is None else as_tensor(batch.sar, device))
    if settings.loss == "l1":
        return masked_l1(prediction, target, known)
    return cloud_adaptive_l1(prediction, image, target, clear, known, target_weight=settings.target_weight)


def apply(network: nn.Module, image: Tensor, sar: Tensor | None) -> Tensor:
    """(B, C, H, W) in 0..5, in bfloat16 where the device multiplies it in hardware."""
    with autocast(image.device):
        output: Tensor = network(image, sar)
    return output


def _check(network: Dsen2Cr, settings: Dsen2CrSettings, bands: tuple[str, ...], sar_channels: int) -> None:
    """Weights fit bands and radar. Raises ConfigError."""
    what = f"DSen2-CR weights in {settings.weights}"
    trained = tuple(read_card(Path(str(settings.weights))).get("bands", ()))
    if trained and trained != bands:
        raise ConfigError(f"{what} are for {len(trained)} bands, {' '.join(trained)}; S2 has {' '.join(bands)}")
    if network.bands != len(bands) or (network.bands == len(L1C) and bands != L1C):
        raise ConfigError(f"{what} are for {network.bands} bands, S2 has {len(bands)}: {' '.join(bands)}")
    if network.sar_channels not in (0, sar_channels):
        raise ConfigError(f"{what} need S1 with {network.sar_channels} bands, there are {sar_channels}")
    if (settings.sar == "off") != (network.sar_channels == 0) and settings.sar != "auto":
        raise ConfigError(f"{what} have {network.sar_channels} channels for S1, and sar is {settings.sar}")
