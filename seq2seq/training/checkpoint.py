"""All that the next steps depend on, in one file of safetensors: the network, its optimiser, how far it got."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seq2seq.errors import ConfigError
from seq2seq.nn.trained import load_state, read_trained, write_trained

_NETWORK, _OPTIMIZER = "network.", "optimizer."


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training in one file. key: what has to be the same for a training to go on, by name."""

    path: Path
    method: str
    key: dict[str, Any]

    def save(self, network: nn.Module, optimizer: torch.optim.Optimizer, facts: dict[str, Any]) -> None:
        """Writes all of it in one rename; facts: plain values, such as the steps done. Raises `OutputError`."""
        arrays = {f"{_NETWORK}{name}": value for name, value in network.state_dict().items()}
        state, numbers = optimizer.state_dict(), {}
        for number, values in state["state"].items():
            for name, value in values.items():
                if isinstance(value, Tensor):
                    arrays[f"{_OPTIMIZER}{number}.{name}"] = value
                else:
                    numbers[f"{number}.{name}"] = value
        card = {"method": self.method, "key": self.key, "facts": facts}
        write_trained(self.path, arrays, {**card, "groups": state["param_groups"], "numbers": numbers})

    def load(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """Puts all of it back and returns the facts. Raises `ConfigError` where it is of another training."""
        arrays, card = read_trained(self.path, self.method)
        for name, value in self.key.items():
            kept = card.get("key", {}).get(name)
            if kept != value:
                raise ConfigError(
                    f"{self.path}: its training has {name} {kept}, this one {value}; --overwrite for anew"
                )
        load_state(network, _below(_NETWORK, arrays), self.path, self.method)
        state: dict[int, dict[str, Any]] = {}
        for name, value in {**_below(_OPTIMIZER, arrays), **card["numbers"]}.items():
            number, _, word = name.partition(".")
            state.setdefault(int(number), {})[word] = value
        optimizer.load_state_dict({"state": state, "param_groups": card["groups"]})
        facts: dict[str, Any] = card["facts"]
        return facts


def _below(prefix: str, arrays: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
