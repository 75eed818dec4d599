"""All that the next steps depend on, in one file of safetensors: networks, their optimisers, how far they got."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seq2seq.errors import ConfigError
from seq2seq.methods.base import Learner
from seq2seq.nn.trained import load_state, read_trained, write_trained

_NETWORK, _OPTIMIZER, _GROUPS, _NUMBERS = "network.", "optimizer.", "groups", "numbers"


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training in one file. key: what has to be the same for a training to go on, by name."""

    path: Path
    method: str
    key: dict[str, Any]

    def save(self, learners: Sequence[Learner], facts: dict[str, Any]) -> None:
        """Writes all of it in one rename; facts: plain values, such as the steps done. Raises `OutputError`."""
        arrays: dict[str, Tensor] = {}
        card: dict[str, Any] = {"method": self.method, "key": self.key, "facts": facts}
        for learner in learners:
            of_learner, values = _state_of(learner)
            arrays |= _under(learner, of_learner)
            card |= _under(learner, values)
        write_trained(self.path, arrays, card)

    def load(self, learners: Sequence[Learner]) -> dict[str, Any]:
        """Puts all of it back and returns the facts. Raises `ConfigError` where it is of another training."""
        arrays, card = read_trained(self.path, self.method)
        for name, value in self.key.items():
            kept = card.get("key", {}).get(name)
            if kept != value:
                raise ConfigError(
                    f"{self.path}: its training has {name} {kept}, this one {value}; --overwrite for anew"
                )
        for learner in learners:
            prefix = _prefix(learner)
            self._put_back(learner, _below(prefix, arrays), _below(prefix, card))
        facts: dict[str, Any] = card["facts"]
        return facts

    def _put_back(self, learner: Learner, arrays: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        load_state(learner.network, _below(_NETWORK, arrays), self.path, self.method)
        state: dict[int, dict[str, Any]] = {}
        for name, value in {**_below(_OPTIMIZER, arrays), **values[_NUMBERS]}.items():
            number, _, word = name.partition(".")
            state.setdefault(int(number), {})[word] = value
        learner.optimizer.load_state_dict({"state": state, "param_groups": values[_GROUPS]})


def _state_of(learner: Learner) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Arrays, and plain values."""
    arrays = {f"{_NETWORK}{name}": value for name, value in learner.network.state_dict().items()}
    state, numbers = learner.optimizer.state_dict(), {}
    for number, values in state["state"].items():
        for name, value in values.items():
            if isinstance(value, torch.Tensor):
                arrays[f"{_OPTIMIZER}{number}.{name}"] = value
            else:
                numbers[f"{number}.{name}"] = value
    return arrays, {_GROUPS: state["param_groups"], _NUMBERS: numbers}


def _prefix(learner: Learner) -> str:
    return f"{learner.name}." if learner.name else ""


def _under(learner: Learner, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{_prefix(learner)}{name}": value for name, value in values.items()}


def _below(prefix: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
