"""Trained weights of DSen2-CR: ours (.safetensors, with a card), or the authors' Keras weights (.hdf5). No pickles."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seq2seq.errors import MissingExtraError, WeightsUnavailableError
from seq2seq.extras import naming_extra
from seq2seq.nn.dsen2_cr import Dsen2Cr
from seq2seq.nn.trained import SUFFIX, load_state, read_trained
from seq2seq.wording import one_line

Convolution = tuple[NDArray[Any], NDArray[Any]]  # kernel (rows, columns, in, out), bias (out,)
NAME = "dsen2-cr"
_OF_KERAS = (".hdf5", ".h5")


def read_network(path: Path) -> Dsen2Cr:
    """The network that `path` holds, of the width, depth, bands and radar channels that its arrays have.

    Raises WeightsUnavailableError naming what is wrong with it, MissingExtraError where h5py is needed and not there.
    """
    if path.suffix not in (SUFFIX, *_OF_KERAS):
        raise WeightsUnavailableError(f"{NAME} weights: {path} is neither {SUFFIX} nor the authors' .hdf5")
    if not path.is_file():
        raise WeightsUnavailableError(f"{NAME} weights: {path} is not a file")
    try:
        state = read_trained(path, NAME)[0] if path.suffix == SUFFIX else _read_keras(path)
        network = _network_for(state)
        load_state(network, state, path, NAME)
        return network
    except (MissingExtraError, WeightsUnavailableError):
        raise
    except Exception as error:  # foreign bytes: the readers fail in a dozen ways, all of them the file's fault
        raise WeightsUnavailableError(f"{NAME} weights: {path} cannot be used ({one_line(error, 160)})") from error


def _read_keras(path: Path) -> dict[str, Tensor]:
    """Names as ours. Keras keeps kernels as (rows, columns, in, out) whatever the order of its images."""
    with naming_extra():
        import h5py
    with h5py.File(path, "r") as file:
        convolutions = _convolutions(file.get("model_weights", file))
    blocks, odd = divmod(len(convolutions) - 2, 2)
    if blocks < 1 or odd:
        raise ValueError(f"it has {len(convolutions)} convolutions; a first, a last and pairs between them are needed")
    inner = [f"blocks.{block}.{name}" for block in range(blocks) for name in ("first", "second")]
    state = {}
    for name, (kernel, bias) in zip(["head", *inner, "tail"], convolutions, strict=True):
        state[f"{name}.weight"] = torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
        state[f"{name}.bias"] = torch.from_numpy(bias)
    return state


def _convolutions(group: Any) -> list[Convolution]:
    """In the order of the numbers in their names (conv2d_1, conv2d_2, ...), which is that of the network's making."""
    found: dict[str, dict[str, NDArray[Any]]] = {}

    def visit(name: str, item: Any) -> None:
        layer, _, array = name.rpartition("/")
        array = array.removesuffix(":0")
        if hasattr(item, "shape") and array in ("kernel", "bias"):
            found.setdefault(layer.rpartition("/")[2], {})[array] = np.asarray(item[()], np.float32)

    group.visititems(visit)
    incomplete = sorted(layer for layer, arrays in found.items() if len(arrays) != 2 or arrays["kernel"].ndim != 4)
    if incomplete or not found:
        raise ValueError(f"{', '.join(incomplete) or 'nothing in it'} is no convolution with kernel and bias")
    ordered = sorted(found, key=lambda layer: int((re.findall(r"\d+$", layer) or ["0"])[0]))
    return [(found[layer]["kernel"], found[layer]["bias"]) for layer in ordered]


def _network_for(state: dict[str, Tensor]) -> Dsen2Cr:
    """Of the sizes that the arrays have. Raises ValueError where they are of no DSen2-CR."""
    for name, values in state.items():
        if not torch.isfinite(values).all():
            raise ValueError(f"{name} holds values that are not finite")
    for name in ("head.weight", "tail.weight"):
        if name not in state or state[name].ndim != 4:
            raise ValueError(f"{name} is missing")
    width, inputs = state["head.weight"].shape[:2]
    bands = state["tail.weight"].shape[0]
    blocks = len({name.split(".")[1] for name in state if name.startswith("blocks.")})
    if inputs < bands:
        raise ValueError(f"it has {inputs} inputs and {bands} outputs")
    return Dsen2Cr(bands, inputs - bands, width=width, blocks=blocks)
