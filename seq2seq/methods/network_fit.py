"""The fit of one network by one optimiser: what it counts and keeps, and an update on a batch that goes in parts."""

import copy
from collections.abc import Callable, Iterable
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from seq2seq.nn.devices import deterministic
from seq2seq.sequence import Bool

NetworkT = TypeVar("NetworkT", bound=nn.Module)


class Part(Protocol):
    """Some examples of a batch. known: (B, h, w), where the target is."""

    @property
    def known(self) -> Bool:
        """See the class."""


PartT = TypeVar("PartT", bound=Part)


def as_tensor(values: Any, device: torch.device) -> Tensor:
    """An array on the device."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(device)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Gives all that an optimiser updates one learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def rate_at(done: float, rate: float) -> float:
    """The learning rate where the share `done` of the schedule is over: constant in its first half, then linearly down
    to 0."""
    return rate * min(1.0, 2 * (1 - done))


class NetworkFit(Generic[NetworkT]):
    """What `Fit` asks for beside steps and predictions, which are the method's.

    steps: of the whole schedule. Each step draws by `seed` and its number alone.
    """

    def __init__(
        self,
        network: NetworkT,
        optimizer: torch.optim.Optimizer,
        *,
        steps: int,
        seed: int,
        device: torch.device,
        check_stop: Callable[[], None],
    ) -> None:
        self.network, self.optimizer = network, optimizer
        self._seed, self._device, self._check_stop = seed, device, check_stop
        self.steps_total, self.steps_done = steps, 0

    def state_dict(self) -> dict[str, Any]:
        """A copy of all that the next steps depend on besides the arguments of the constructor."""
        state = {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}
        return copy.deepcopy({**state, "steps_done": self.steps_done})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self.steps_done = int(state["steps_done"])

    def _generator(self) -> np.random.Generator:
        """For what the next step draws."""
        return np.random.default_rng((self._seed, self.steps_done))

    def _update(self, known: Bool, parts: Iterable[PartT], loss: Callable[[PartT], Tensor]) -> float:
        """One update; returns the loss before it. known: of the whole batch; `loss` is a mean over that of a part."""
        count, total = max(1, int(np.count_nonzero(known))), 0.0
        self.optimizer.zero_grad()
        with deterministic():
            for part in parts:
                self._check_stop()
                share = loss(part) * (int(np.count_nonzero(part.known)) / count)
                torch.autograd.backward(share)
                total += share.item()
            self.optimizer.step()
        self.steps_done += 1
        return total
