"""Trained weights of the generator; the judge is of no use once it has learnt."""

from pathlib import Path

from seq2seq.errors import ConfigError, WeightsUnavailableError
from seq2seq.nn.pix2pix import UNet
from seq2seq.nn.trained import load_state, read_trained

NAME = "pix2pix"


def read_generator(path: Path, bands: tuple[str, ...], sar_channels: int) -> UNet:
    """The generator that `path` holds, of the width, depth and channels of its arrays.

    Raises ConfigError where it is for other bands or radar, WeightsUnavailableError where it is none.
    """
    state, card = read_trained(path, NAME)
    first, last = (state.get(f"{name}.weight") for name in ("down", "up"))
    if first is None or last is None or first.ndim != 4 or last.ndim != 4:
        raise WeightsUnavailableError(f"{NAME} weights: {path}: down.weight or up.weight is missing, or no convolution")
    (width, inputs), outputs = first.shape[:2], last.shape[1]
    downs = 1 + sum(name.endswith(".down.weight") for name in state)
    named = card.get("bands")
    trained = tuple(map(str, named)) if isinstance(named, list) else bands
    if outputs != len(bands) or trained != bands:
        of_card = f": {' '.join(trained)}" if trained != bands else ""
        raise ConfigError(
            f"{NAME} weights in {path} are for {outputs} bands{of_card}, S2 has {len(bands)}: {' '.join(bands)}"
        )
    if inputs - outputs not in (0, sar_channels):
        raise ConfigError(f"{NAME} weights in {path} need S1 with {inputs - outputs} bands, there are {sar_channels}")
    if not 5 <= downs <= 16:
        raise WeightsUnavailableError(f"{NAME} weights: {path} has {downs} halvings, must be from 5 to 16")
    network = UNet(inputs, outputs, width=width, downs=downs)
    load_state(network, state, path, NAME)
    return network
