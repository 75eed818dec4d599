"""The fit: the network learns to make each date of the sequence from others, or comes with weights of others."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seq2seq.errors import ConfigError, MissingDataError
from seq2seq.methods.base import RunContext
from seq2seq.methods.image_pairs import unscale_optical
from seq2seq.methods.seq2point.samples import Batch, Samples, channels
from seq2seq.methods.seq2point.settings import Seq2PointSettings
from seq2seq.methods.seq2point.weights import Trained, load_trunk, read_weights
from seq2seq.nn.devices import autocast, deterministic, share_steps
from seq2seq.nn.losses import masked_l1
from seq2seq.nn.seq2point import FEWEST_DATES, Seq2Point, draw_normal
from seq2seq.sequence import Float32, Observations


def rate_at(done: float, rate: float) -> float:
    """The learning rate where the share `done` of the schedule is over: constant in its first half, then linearly down
    to 0."""
    return rate * min(1.0, 2 * (1 - done))


class Seq2PointFit:
    """The fit of one sequence, step by step; see `Fit`."""

    def __init__(
        self,
        visible: Observations,
        trained: Trained,
        settings: Seq2PointSettings,
        *,
        seed: int,
        device: torch.device,
        check_stop: Callable[[], None],
    ) -> None:
        self._settings, self._plan, self._with_sar = settings, settings.plan, trained.sar_channels > 0
        self._seed, self._device, self._check_stop = seed, device, check_stop
        self._samples = self._samples_of(visible)
        self.network = trained.network.to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=self._plan.learning_rate, betas=(0.5, 0.999))
        self.steps_total, self.steps_done = self._plan.steps, 0

    def step(self, elapsed_share: float | None = None) -> float:
        """One update on a batch of samples; returns the loss before it. The rate falls with steps or time, whichever is
        further."""
        plan, rng = self._plan, np.random.default_rng((self._seed, self.steps_done))
        batch = self._samples.draw(rng, batch=plan.batch, crop_px=plan.crop_px, rotated=plan.rotated)
        known, total = max(1, int(np.count_nonzero(batch.known))), 0.0
        done = max(self.steps_done / self.steps_total, elapsed_share or 0.0)
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(min(1.0, done), plan.learning_rate)
        self.network.trunk.requires_grad_(self.steps_done >= self._settings.freeze_trunk_steps)
        self.optimizer.zero_grad()
        with deterministic():
            for part in batch.parts(plan.samples_at_once(self._settings.dates, batch.known[0].size)):
                self._check_stop()
                loss = self._loss(part) * (int(np.count_nonzero(part.known)) / known)
                torch.autograd.backward(loss)
                total += loss.item()
            self.optimizer.step()
        self.steps_done += 1
        return total

    @torch.no_grad()
    def predict(self, visible: Observations) -> dict[str, Float32]:
        """network: (T, C, H, W) reflectance in 0..1, each date from its nearest others."""
        samples = self._samples_of(visible)
        predicted = np.empty_like(samples.inputs.optical)
        for date in range(len(predicted)):
            self._check_stop()
            with deterministic():
                output = self._run(samples.images(date)[None])[0].cpu().numpy()
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

    def _samples_of(self, visible: Observations) -> Samples:
        settings = self._settings
        return Samples.of(
            visible,
            count=settings.dates,
            least=settings.least_visible,
            with_sar=self._with_sar,
            verbatim=settings.verbatim,
        )

    def _loss(self, batch: Batch) -> Tensor:
        """A mean over the known pixels."""
        target, known = self._tensor(batch.target), self._tensor(batch.known)
        return self._settings.l1_weight * masked_l1(self._run(batch.images), target, known)

    def _run(self, images: Float32) -> Tensor:
        with autocast(self._device):
            output: Tensor = self.network(self._tensor(images))
        return output

    def _tensor(self, values: Any) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self._device)


class Seq2PointMethod:
    """The sequence-to-point network, behind the face of all methods.

    The published network, loss, scaling and optimiser; the published output and inputs with `verbatim` alone. What
    differs always: it learns from the sequence unless it is given weights, each date from others, whatever is hidden is
    0 in its input, and every date is delivered. By default it is small enough for minutes (`PRESETS`).
    """

    def __init__(self, settings: Seq2PointSettings) -> None:
        self._settings = settings

    def start(self, visible: Observations, context: RunContext, warm: Any) -> Seq2PointFit:
        """Builds or reads the network. Raises ConfigError, MissingDataError and WeightsUnavailableError, before any
        step."""
        context.check_stop()
        settings, plan, dates = self._settings, self._settings.plan, len(visible.s2.dates)
        if dates <= settings.dates:
            fewer = f"use --set dates={dates - 1}" if dates > FEWEST_DATES else "add dates"
            raise MissingDataError(
                f"method seq2point makes a date from {settings.dates} others and needs {settings.dates + 1} dates, the "
                f"sequence has {dates}; {fewer}, or another method"
            )
        trained = self._trained(visible, context.seed)
        share_steps(settings.dates * plan.batch * min(plan.crop_px, *visible.s2.shape[2:]) ** 2, context.threads)
        return Seq2PointFit(
            visible, trained, settings, seed=context.seed, device=context.device, check_stop=context.check_stop
        )

    def _trained(self, visible: Observations, seed: int) -> Trained:
        settings, plan, s1 = self._settings, self._settings.plan, visible.s1
        if settings.sar == "on" and s1 is None:
            raise ConfigError("method seq2point is to use S1 and there is none; use --set sar=auto")
        if settings.weights is not None:
            if settings.trunk_weights is not None:
                raise ConfigError("method seq2point is given weights and trunk_weights; weights hold the trunk too")
            trained = read_weights(Path(settings.weights))
            self._check(trained, visible)
            return trained
        sar_channels = len(s1.bands) if s1 is not None and settings.sar != "off" else 0
        bands, generator = visible.s2.bands, torch.Generator().manual_seed(seed)
        network = Seq2Point(
            channels(len(bands), sar_channels, verbatim=settings.verbatim),
            len(bands),
            dates=settings.dates,
            width=plan.width,
            blocks=plan.blocks,
            head_blocks=plan.head_blocks,
            bounded=settings.verbatim,
            generator=generator,
        )
        if plan.initial_std is not None:
            draw_normal(network, plan.initial_std, generator)
        if settings.trunk_weights is not None:
            load_trunk(network, Path(settings.trunk_weights), sar_channels=sar_channels)
        return Trained(network, sar_channels, bands)

    def _check(self, trained: Trained, visible: Observations) -> None:
        """Weights fit variant, dates, bands and radar. Raises ConfigError."""
        settings, network, bands, s1 = self._settings, trained.network, visible.s2.bands, visible.s1
        what = f"seq2point weights in {settings.weights}"
        variant = "verbatim" if network.bounded else "corrected"
        if variant != settings.variant:
            raise ConfigError(f"{what} are {variant}, variant is {settings.variant}; use --set variant={variant}")
        if network.dates != settings.dates:
            raise ConfigError(
                f"{what} make a date from {network.dates} others, dates is {settings.dates}; use --set "
                f"dates={network.dates}"
            )
        if network.bands != len(bands) or (trained.bands and trained.bands != bands):
            named = f": {' '.join(trained.bands)}" if trained.bands else ""
            raise ConfigError(f"{what} are for {network.bands} bands{named}; S2 has {len(bands)}: {' '.join(bands)}")
        found = 0 if s1 is None else len(s1.bands)
        if trained.sar_channels not in (0, found):
            raise ConfigError(f"{what} need S1 with {trained.sar_channels} bands, there are {found}")
        if (settings.sar == "off") != (trained.sar_channels == 0) and settings.sar != "auto":
            raise ConfigError(f"{what} have {trained.sar_channels} channels for S1, and sar is {settings.sar}")
