"""The methods `gp` and `mogpr`: hyper-parameters of the scene from a sample of pixels, then every pixel's posterior.

Both are `seq2seq.methods.gaussian.model`: `gp` has one of a single output for each band, `mogpr` one of all bands of S2
and S1.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from seq2seq.methods.base import Arrays, Fit, RunContext
from seq2seq.methods.closed_form import ClosedFit
from seq2seq.methods.gaussian.acquisitions import Acquisitions, optical, radar, sample_pixels, sensors_of
from seq2seq.methods.gaussian.batches import CheckStop
from seq2seq.methods.gaussian.beginning import first_model
from seq2seq.methods.gaussian.evidence import maximise_evidence
from seq2seq.methods.gaussian.mean import SceneMean, fit_mean
from seq2seq.methods.gaussian.model import Coregionalisation, Sensor
from seq2seq.methods.gaussian.posterior import posterior
from seq2seq.methods.gaussian.settings import GpSettings, MogprSettings
from seq2seq.nn.devices import one_thread
from seq2seq.sequence import Float32, Observations

STAGE = "hyper-parameters"


class Gp:
    """A Gaussian process in time, one a band, with the hyper-parameters of the scene."""

    candidate = "gp"
    latents = 1

    def __init__(self, settings: GpSettings) -> None:
        self.settings = settings

    def acquired(self, visible: Observations) -> list[Acquisitions]:
        """What the processes learn from: S2 first."""
        return [optical(visible)]

    def groups(self, sensors: Sequence[Sensor]) -> list[list[Sensor]]:
        """What each model is of: here each band alone."""
        (s2,) = sensors
        bands = range(s2.values.shape[2])
        return [[replace(s2, values=s2.values[:, :, b : b + 1], outputs=slice(0, 1))] for b in bands]

    def start(self, visible: Observations, context: RunContext, warm: Fit | None) -> ClosedFit:
        """Finds mean and hyper-parameters; what is left is a closed form. There are no steps to start from `warm`."""
        context.check_stop()
        context.expect({STAGE: 1.0})
        acquired = self.acquired(visible)
        means = [fit_mean(each.pixels, each.observed, each.days, self.settings.mean) for each in acquired]
        arrays = context.cached(STAGE, partial(self._fit, acquired, means, context))
        return ClosedFit(partial(self._predict, means, _models(arrays), context.check_stop))

    def _fit(self, acquired: list[Acquisitions], means: list[SceneMean], context: RunContext) -> Arrays:
        """Hyper-parameters of each model, stacked."""
        began = time.monotonic()
        pixels = sample_pixels(acquired[0].observed, self.settings.sample_px, context.seed)
        groups = self.groups(sensors_of(acquired, means, pixels))
        models = []
        with one_thread():  # matrices are small
            for k, group in enumerate(groups, start=1):
                models.append(
                    maximise_evidence(
                        first_model(group, self.latents),
                        group,
                        iterations=self.settings.iterations,
                        check_stop=context.check_stop,
                        until=None if context.seconds is None else began + context.seconds * k / len(groups),
                    )
                )
        return {
            "mixing": torch.stack([model.mixing for model in models]).numpy(),
            "length_days": torch.stack([model.length_days for model in models]).numpy(),
            "noise": torch.stack([model.noise for model in models]).numpy(),
        }

    def _predict(
        self, means: list[SceneMean], models: list[Coregionalisation], check_stop: CheckStop, visible: Observations
    ) -> dict[str, Float32]:
        """The posterior mean of reflectance on the dates of S2."""
        s2, mean = visible.s2, means[0]
        groups = self.groups(sensors_of(self.acquired(visible), means))
        days = torch.from_numpy(s2.days.astype(np.float64))
        with one_thread():
            found = [
                posterior(model, group, days, group[0].outputs, check_stop=check_stop).mean
                for model, group in zip(models, groups, strict=True)
            ]
        pixels = torch.cat(found, 2).numpy() * mean.scale + mean.at(s2.days)  # (N, T, C)
        return {self.candidate: np.ascontiguousarray(pixels.transpose(1, 2, 0), dtype=np.float32).reshape(s2.shape)}


class Mogpr(Gp):
    """The joint process of all bands of S2 and, where it is there, of S1."""

    candidate = "mogpr"

    def __init__(self, settings: MogprSettings) -> None:
        super().__init__(settings)
        self.latents, self._radar = settings.latents, settings.radar

    def acquired(self, visible: Observations) -> list[Acquisitions]:
        """S2, and S1 where it is there and wanted."""
        s1 = radar(visible) if self._radar else None
        return [optical(visible)] if s1 is None else [optical(visible), s1]

    def groups(self, sensors: Sequence[Sensor]) -> list[list[Sensor]]:
        """One model of all."""
        return [list(sensors)]


def _models(arrays: Arrays) -> list[Coregionalisation]:
    """The inverse of stacking."""
    stacked = (torch.from_numpy(np.array(arrays[name])) for name in ("mixing", "length_days", "noise"))
    return [Coregionalisation(*each) for each in zip(*stacked, strict=True)]
