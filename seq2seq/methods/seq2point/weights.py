"""Trained weights of the sequence-to-point network, and of DSen2-CR for its trunk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seq2seq.errors import ConfigError, WeightsUnavailableError
from seq2seq.methods.dsen2_cr.weights import read_network
from seq2seq.methods.seq2point.samples import channels
from seq2seq.nn.seq2point import FEWEST_DATES, Seq2Point
from seq2seq.nn.trained import load_state, read_trained, write_trained

METHOD = "seq2point"


@dataclass(frozen=True, eq=False)
class Trained:
    """A network with its radar channels and the bands that it was trained with, () where its file names none."""

    network: Seq2Point
    sar_channels: int
    bands: tuple[str, ...]


def write_weights(network: Seq2Point, path: Path, *, bands: Sequence[str], card: Mapping[str, Any]) -> str:
    """What `read_weights` reads; returns the SHA-256 of the file. card: whatever else is to be said of the training."""
    variant = "verbatim" if network.bounded else "corrected"
    return write_trained(
        path, network.state_dict(), {**card, "method": METHOD, "variant": variant, "bands": list(bands)}
    )


def read_weights(path: Path) -> Trained:
    """The network that `path` holds, of the sizes that its arrays have. Raises WeightsUnavailableError."""
    state, card = read_trained(path, METHOD)
    settings = card.get("settings")
    variant = card.get("variant", settings.get("variant") if isinstance(settings, dict) else None)
    if variant not in ("verbatim", "corrected"):
        raise WeightsUnavailableError(
            f"{METHOD} weights: {path}: variant is {variant!r} in its card, must be corrected or verbatim"
        )
    first, last = (_weight(state, name, axes, path) for name, axes in (("trunk.head", 4), ("tail", 5)))
    (width, inputs), (bands, dates) = first.shape[:2], (last.shape[0], last.shape[2])
    left = inputs - channels(bands, 0, verbatim=variant == "verbatim")
    sar_channels, odd = (left, 0) if variant == "verbatim" else divmod(left, 2)
    if left < 0 or odd or dates < FEWEST_DATES:
        raise WeightsUnavailableError(
            f"{METHOD} weights: {path}: {inputs} inputs, {bands} bands and {dates} dates are of no {variant} network"
        )
    network = Seq2Point(
        inputs,
        bands,
        dates=dates,
        width=width,
        blocks=_count(state, "trunk.blocks."),
        head_blocks=_count(state, "blocks."),
        bounded=variant == "verbatim",
    )
    load_state(network, state, path, METHOD)
    named = card.get("bands")
    return Trained(network, sar_channels, tuple(map(str, named)) if isinstance(named, list) else ())


def load_trunk(network: Seq2Point, path: Path, *, sar_channels: int) -> None:
    """Begins the features of a date with those of DSen2-CR; channels that it has not, add nothing at first.

    Raises WeightsUnavailableError where `path` cannot be used, ConfigError where it is of other sizes.
    """
    given = read_network(path)
    ours = network.trunk
    sizes = [(each.head.out_channels, len(each.blocks)) for each in (given, ours)]
    (width, blocks), (our_width, our_blocks) = sizes
    if sizes[0] != sizes[1]:
        raise ConfigError(
            f"DSen2-CR weights in {path} have width {width} and {blocks} blocks, {METHOD} has {our_width} and "
            f"{our_blocks}; use --set width={width} --set blocks={blocks}"
        )
    if (given.bands, given.sar_channels) != (network.bands, sar_channels):
        raise ConfigError(
            f"DSen2-CR weights in {path} are for {given.bands} bands and {given.sar_channels} of S1, there are "
            f"{network.bands} and {sar_channels}"
        )
    weight = torch.zeros_like(ours.head.weight)
    weight[:, : given.bands + given.sar_channels] = given.head.weight.detach()
    ours.head.load_state_dict({**given.head.state_dict(), "weight": weight})
    ours.blocks.load_state_dict(given.blocks.state_dict())


def _weight(state: Mapping[str, Tensor], layer: str, axes: int, path: Path) -> Tensor:
    given = state.get(f"{layer}.weight")
    if given is None or given.ndim != axes:
        found = "missing" if given is None else f"of shape {tuple(given.shape)}"
        raise WeightsUnavailableError(f"{METHOD} weights: {path}: {layer}.weight is {found}, must have {axes} axes")
    return given


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    return len({name.removeprefix(prefix).split(".")[0] for name in state if name.startswith(prefix)})
