"""The fit: a residual network learns from pairs of the sequence itself, or comes with weights of others."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seq2seq.bands import L1C
from seq2seq.errors import ConfigError
from seq2seq.methods.base import RunContext
from seq2seq.methods.dsen2_cr.settings import Dsen2CrSettings
from seq2seq.methods.dsen2_cr.weights import read_network
from seq2seq.methods.image_pairs import Batch, Inputs, Pairs, unscale_optical
from seq2seq.nn.devices import autocast, deterministic, share_steps
from seq2seq.nn.dsen2_cr import Dsen2Cr
from seq2seq.nn.losses import cloud_adaptive_l1, masked_l1
from seq2seq.sequence import Float32, Observations


class Dsen2CrFit:
    """The fit of one sequence, step by step; see `Fit`."""

    def __init__(
        self,
        pairs: Pairs,
        network: Dsen2Cr,
        settings: Dsen2CrSettings,
        *,
        seed: int,
        device: torch.device,
        check_stop: Callable[[], None],
    ) -> None:
        self._pairs, self._settings, self._plan = pairs, settings, settings.plan
        self._seed, self._device, self._check_stop = seed, device, check_stop
        self.network = network.to(device)
        # Nadam as Keras has it: its decay of the momentum is torch's momentum_decay.
        self.optimizer = torch.optim.NAdam(
            self.network.parameters(), lr=self._plan.learning_rate, eps=1e-8, momentum_decay=4e-3
        )
        self.steps_total, self.steps_done = self._plan.steps, 0

    def step(self, elapsed_share: float | None = None) -> float:
        """One update on a batch of crops at the same learning rate throughout; returns the loss before it."""
        rng = np.random.default_rng((self._seed, self.steps_done))
        batch = self._pairs.draw(rng, batch=self._plan.batch, crop_px=self._plan.crop_px)
        known, total = max(1, int(np.count_nonzero(batch.known))), 0.0
        self.optimizer.zero_grad()
        with deterministic():
            for part in batch.parts(self._plan.crops_at_once(batch.known[0].size)):
                self._check_stop()
                loss = self._loss(part) * (int(np.count_nonzero(part.known)) / known)
                torch.autograd.backward(loss)
                total += loss.item()
            self.optimizer.step()
        self.steps_done += 1
        return total

    @torch.no_grad()
    def predict(self, visible: Observations) -> dict[str, Float32]:
        """network: (T, C, H, W) reflectance in 0..1, each date from what is visible of it and from its radar."""
        inputs = Inputs.of(visible, with_sar=self.network.sar_channels > 0)
        predicted = np.empty_like(inputs.optical)
        for date, image in enumerate(inputs.optical):
            self._check_stop()
            sar = None if inputs.sar is None else self._tensor(inputs.sar[date][None])
            with deterministic():
                output = self._run(self._tensor(image[None]), sar)[0].cpu().numpy()
            predicted[date] = np.clip(unscale_optical(output), 0, 1)
        return {"network": predicted}

    def state_dict(self) -> dict[str, Any]:
        """A copy of all that the next steps depend on besides the arguments of the constructor."""
        state = {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}
        return copy.deepcopy({**state, "steps_done": self.steps_done})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self.steps_done = int(state["steps_done"])

    def _loss(self, batch: Batch) -> Tensor:
        """A mean over the known pixels."""
        image, target, clear, known = map(self._tensor, (batch.image, batch.target, batch.clear, batch.known))
        prediction = self._run(image, None if batch.sar is None else self._tensor(batch.sar))
        if self._settings.loss == "l1":
            return masked_l1(prediction, target, known)
        return cloud_adaptive_l1(prediction, image, target, clear, known, target_weight=self._settings.target_weight)

    def _run(self, image: Tensor, sar: Tensor | None) -> Tensor:
        with autocast(self._device):
            output: Tensor = self.network(image, sar)
        return output

    def _tensor(self, values: Any) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self._device)


class Dsen2CrMethod:
    """DSen2-CR, behind the face of all methods.

    The published network, losses, scaling, optimiser and augmentation. What differs: it learns from the sequence alone
    unless it is given weights (`Pairs` says how), hidden pixels of its input are 0, and by default it is small enough
    for minutes (`PRESETS`). It looks at one date at a time: no other date helps it.
    """

    def __init__(self, settings: Dsen2CrSettings) -> None:
        self._settings = settings

    def start(self, visible: Observations, context: RunContext, warm: Any) -> Dsen2CrFit:
        """Builds or reads the network. Raises ConfigError and WeightsUnavailableError, before any step."""
        context.check_stop()
        settings, plan = self._settings, self._settings.plan
        network = self._network(visible, context.seed)
        inputs = Inputs.of(visible, with_sar=network.sar_channels > 0)
        pairs = Pairs.of(visible, inputs, kind=settings.pairs, whole_share=settings.whole_share)
        share_steps(plan.batch * min(plan.crop_px, *visible.s2.shape[2:]) ** 2, context.threads)
        return Dsen2CrFit(
            pairs, network, settings, seed=context.seed, device=context.device, check_stop=context.check_stop
        )

    def _network(self, visible: Observations, seed: int) -> Dsen2Cr:
        settings, bands, s1 = self._settings, visible.s2.bands, visible.s1
        if settings.sar == "on" and s1 is None:
            raise ConfigError("method dsen2-cr is to use S1 and there is none; use --set sar=auto")
        if settings.weights is None:
            sar_channels = len(s1.bands) if s1 is not None and settings.sar != "off" else 0
            generator, plan = torch.Generator().manual_seed(seed), settings.plan
            return Dsen2Cr(len(bands), sar_channels, width=plan.width, blocks=plan.blocks, generator=generator)
        network = read_network(Path(settings.weights))
        self._check(network, visible)
        return network

    def _check(self, network: Dsen2Cr, visible: Observations) -> None:
        """Weights fit bands and radar. Raises ConfigError."""
        bands, s1 = visible.s2.bands, visible.s1
        channels = 0 if s1 is None else len(s1.bands)
        what = f"DSen2-CR weights in {self._settings.weights}"
        if network.bands != len(bands) or (network.bands == len(L1C) and bands != L1C):
            raise ConfigError(f"{what} are for {network.bands} bands, S2 has {len(bands)}: {' '.join(bands)}")
        if network.sar_channels not in (0, channels):
            raise ConfigError(f"{what} need S1 with {network.sar_channels} bands, there are {channels}")
        if (self._settings.sar == "off") != (network.sar_channels == 0) and self._settings.sar != "auto":
            raise ConfigError(f"{what} have {network.sar_channels} channels for S1, and sar is {self._settings.sar}")
