"""Trained weights as files: safetensors with a model card inside. No pickles are read, ever."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seq2seq.errors import MissingExtraError, OutputError, WeightsUnavailableError
from seq2seq.extras import naming_extra
from seq2seq.model_card import CARD, SUFFIX
from seq2seq.wording import one_line

__all__ = ["SUFFIX", "load_state", "read_trained", "write_trained"]
_LONGEST_REASON = 160


def write_trained(path: Path, state: Mapping[str, Tensor], card: Mapping[str, Any]) -> str:
    """Writes arrays by name with their card, in one rename; returns the SHA-256 of the file.

    card: plain JSON values; `method` is what it belongs to. Raises `OutputError`.
    """
    with naming_extra():
        from safetensors.torch import save
    # The header of safetensors holds text by name, nothing deeper.
    data = save({name: value.detach().cpu().contiguous() for name, value in state.items()}, {CARD: json.dumps(card)})
    temporary = path.with_name(f".new-{path.name}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    return hashlib.sha256(data).hexdigest()


def read_trained(path: Path, method: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads arrays by name, and the card. Raises `WeightsUnavailableError` where they are none, or of another method,
    or hold values that are not finite; `MissingExtraError` where safetensors is not there."""
    if not path.is_file():
        raise WeightsUnavailableError(f"{method} weights: {path} is not a file")
    try:
        with naming_extra():
            from safetensors import safe_open
        with safe_open(str(path), framework="pt") as file:
            card = json.loads((file.metadata() or {}).get(CARD, "{}"))
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no mapping
    except MissingExtraError:
        raise
    except Exception as error:  # foreign bytes: whatever is wrong is the file's fault
        raise WeightsUnavailableError(
            f"{method} weights: {path} cannot be used ({one_line(error, _LONGEST_REASON)})"
        ) from error
    if card.get("method", method) != method:
        raise WeightsUnavailableError(f"{method} weights: {path} holds those of {card['method']}")
    bad = next((name for name, value in state.items() if not torch.isfinite(value).all()), None)
    if bad is not None:
        raise WeightsUnavailableError(f"{method} weights: {path}: {bad} holds values that are not finite")
    return state, card


def load_state(network: torch.nn.Module, state: Mapping[str, Tensor], path: Path, method: str) -> None:
    """Puts arrays into `network`. Raises `WeightsUnavailableError` naming the first that is missing, or of a wrong
    shape, with both shapes."""
    for name, value in network.state_dict().items():
        given = state.get(name)
        if given is None or given.shape != value.shape:
            found = "missing" if given is None else f"of shape {tuple(given.shape)}"
            raise WeightsUnavailableError(
                f"{method} weights: {path}: {name} is {found}, must be of shape {tuple(value.shape)}"
            )
    network.load_state_dict({name: state[name].to(value.dtype) for name, value in network.state_dict().items()})
