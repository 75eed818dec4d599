"""One process, or several that torchrun has started, each on a device of its own: what they share."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn

from seq2seq.nn.devices import available_devices, choose_device


@dataclass(frozen=True)
class Processes:
    """This process and how many there are. The first one writes files."""

    device: torch.device
    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """True in the one that writes and reports."""
        return self.rank == 0

    def sum(self, *values: float) -> list[float]:
        """Adds up each value over all processes. To be called by all of them."""
        if self.count == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        found: list[float] = total.tolist()
        return found

    def add_gradients(self, network: nn.Module) -> None:
        """Replaces each gradient by its sum over all processes. To be called by all of them, with the same ones set.

        One message for all arrays, after the backward pass: so that it does not matter how many networks a step
        updates, which of them a loss goes through, and what is frozen.
        """
        if self.count == 1:
            return
        gradients = [each.grad for each in network.parameters() if each.grad is not None]
        together = torch.cat([each.flatten() for each in gradients])
        dist.all_reduce(together)
        totals = torch.split_with_sizes(together, [each.numel() for each in gradients])
        for gradient, total in zip(gradients, totals, strict=True):
            gradient.copy_(total.view_as(gradient))


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Joins the processes of torchrun, where it has started us. Raises `ConfigError` where the device is not there."""
    count, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    if count == 1:
        yield Processes(choose_device(device))
        return
    on_gpu = device in ("auto", "cuda") and "cuda:0" in available_devices()
    own = choose_device(f"cuda:{os.environ.get('LOCAL_RANK', rank)}" if on_gpu else device)
    if own.type == "cuda":
        torch.cuda.set_device(own)
    dist.init_process_group("nccl" if own.type == "cuda" else "gloo")
    try:
        yield Processes(own, rank, count)
    finally:
        dist.destroy_process_group()
