"""The fit: the network learns to make each date of the sequence from others, or comes with weights of others."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from seq2seq.errors import MissingDataError
from seq2seq.methods.base import RunContext
from seq2seq.methods.image_pairs import unscale_optical
from seq2seq.methods.network_fit import NetworkFit, rate_at, set_rate
from seq2seq.methods.seq2point.learning import apply, loss_of, make_network, make_optimizer
from seq2seq.methods.seq2point.samples import Samples
from seq2seq.methods.seq2point.settings import Seq2PointSettings
from seq2seq.methods.seq2point.weights import Trained
from seq2seq.nn.devices import deterministic, share_steps
from seq2seq.nn.seq2point import FEWEST_DATES, Seq2Point
from seq2seq.sequence import Float32, Observations


class Seq2PointFit(NetworkFit[Seq2Point]):
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
        self._samples = self._samples_of(visible)
        network = trained.network.to(device)
        optimizer = make_optimizer(network, settings)
        super().__init__(network, optimizer, steps=self._plan.steps, seed=seed, device=device, check_stop=check_stop)

    def step(self, elapsed_share: float | None = None) -> float:
        """One update on a batch of samples; returns the loss before it. The rate falls with steps or time, whichever is
        further."""
        plan, settings = self._plan, self._settings
        batch = self._samples.draw(self._generator(), batch=plan.batch, crop_px=plan.crop_px, rotated=plan.rotated)
        done = max(self.steps_done / self.steps_total, elapsed_share or 0.0)
        set_rate(self.optimizer, rate_at(min(1.0, done), plan.learning_rate))
        self.network.trunk.requires_grad_(self.steps_done >= settings.freeze_trunk_steps)
        parts = batch.parts(plan.samples_at_once(settings.dates, batch.known[0].size))
        return self._update(batch.known, parts, lambda part: loss_of(self.network, part, settings, self._device))

    @torch.no_grad()
    def predict(self, visible: Observations) -> dict[str, Float32]:
        """network: (T, C, H, W) reflectance in 0..1, each date from its nearest others."""
        samples = self._samples_of(visible)
        predicted = np.empty_like(samples.inputs.optical)
        for date in range(len(predicted)):
            self._check_stop()
            with deterministic():
                output = apply(self.network, samples.images(date)[None], self._device)[0].cpu().numpy()
            predicted[date] = np.clip(unscale_optical(output), 0, 1)
        return {"network": predicted}

    def _samples_of(self, visible: Observations) -> Samples:
        settings = self._settings
        return Samples.of(
            visible,
            count=settings.dates,
            least=settings.least_visible,
            with_sar=self._with_sar,
            verbatim=settings.verbatim,
        )


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
        bands, channels = visible.s2.bands, 0 if visible.s1 is None else len(visible.s1.bands)
        trained = make_network(settings, bands, channels, context.seed)
        share_steps(settings.dates * plan.batch * min(plan.crop_px, *visible.s2.shape[2:]) ** 2, context.threads)
        return Seq2PointFit(
            visible, trained, settings, seed=context.seed, device=context.device, check_stop=context.check_stop
        )
