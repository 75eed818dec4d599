"""A prior from pixel-wise regressors, then a 3-D encoder-decoder for its residual; both learn on this sequence alone.

What each part adds was measured: benchmarks/METHOD.md.
"""

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from seq2seq.interpolation import mean_spectrum
from seq2seq.methods.base import Cached, RunContext, uncached
from seq2seq.methods.guided.features import CheckStop, Radar, speckle_filtered
from seq2seq.methods.guided.mlp import stage_of_mlp
from seq2seq.methods.guided.prediction import predict_dates, stage_of_date
from seq2seq.methods.guided.regressors import Regressor, fit_regressors, tree_stages
from seq2seq.methods.guided.residual import ResidualFit
from seq2seq.methods.guided.samples import cached_samples
from seq2seq.methods.guided.settings import GuidedSettings
from seq2seq.methods.spreading import missed_residuals
from seq2seq.nn.devices import share_steps
from seq2seq.sequence import Bool, Float32, ImageSequence, Observations

REGRESSORS = TREES, MLP = ("trees", "mlp")
PRIOR, NETWORK = "prior", "network"
# Of the time of `start`, by kind of stage, all stages of the kind together: measured on 20 x 9 x 101 x 101.
STAGE_SHARES = {"samples": 0.2, TREES: 0.18, MLP: 0.36, "date": 0.26}


def expected_stages(dates: int, bands: int, settings: GuidedSettings) -> dict[str, float]:
    """Lists the stages that `Guided.start` asks to be cached, in order, with their shares of its time."""
    mlps = map(stage_of_mlp, range(settings.mlps, 0, -1))
    names = ["samples", *tree_stages(bands, settings), *mlps, *map(stage_of_date, range(dates))]
    kinds = {name: name.split("-")[0] for name in names}
    count = Counter(kinds.values())
    return {name: STAGE_SHARES[kind] / count[kind] for name, kind in kinds.items()}


@dataclass(frozen=True, eq=False)
class Prior:
    """Fitted regressors, ready to describe the sequence from whatever is visible of it."""

    regressors: list[Regressor]
    radar: Radar | None
    fallback: Float32  # (C,)
    settings: GuidedSettings

    def predict(self, s2: ImageSequence, check_stop: CheckStop, cached: Cached = uncached) -> dict[str, Float32]:
        """Predicts by each regressor and by their weighted mean, `PRIOR`: (T, C, H, W), from the visible pixels of s2.

        A date's own pixels are never used for that date, so visible pixels are predicted too. Each date is a stage.
        """

        regressors = dict(zip(REGRESSORS, self.regressors, strict=True))
        predicted = predict_dates(
            s2, regressors, self.radar, self.fallback, self.settings, check_stop=check_stop, cached=cached
        )
        return {**predicted, PRIOR: self._mean(predicted)}

    def _mean(self, predicted: dict[str, Float32]) -> Float32:
        weights = {TREES: self.settings.trees_share, MLP: 1 - self.settings.trees_share}
        mean = np.zeros_like(predicted[TREES])
        for name, weight in weights.items():
            mean += np.float32(weight) * predicted[name]
        return mean


def fit_prior(
    s2: ImageSequence,
    radar: Radar | None,
    settings: GuidedSettings,
    context: RunContext,
    warm: Prior | None = None,
) -> Prior:
    """Learns residuals of interpolation on visible pixels hidden in cloud shapes; from `warm`, where there is one."""
    fallback = mean_spectrum(s2.pixels, s2.observed)
    began, seconds = time.monotonic(), context.seconds
    samples = cached_samples(s2, radar, fallback, settings, context)
    regressors = fit_regressors(
        samples,
        settings,
        seed=context.seed,
        device=context.device,
        threads=context.threads,
        check_stop=context.check_stop,
        seconds=None if seconds is None else seconds - (time.monotonic() - began),
        cached=context.cached,
        warm=None if warm is None else warm.regressors,
    )
    return Prior(regressors, radar, fallback, settings)


def network_input(radar: Radar | None, observed: Bool) -> Float32 | None:
    """Standardises radar, (T, F, H, W), as the network gets it; None without radar."""
    if radar is None:
        return None
    channels = np.concatenate([radar.raw, *radar.change(observed)], axis=1)
    std = np.maximum(channels.std(axis=(0, 2, 3), keepdims=True), 1e-6)
    standardised: Float32 = (channels - channels.mean(axis=(0, 2, 3), keepdims=True)) / std
    return standardised


class GuidedFit:
    """Prior and network of one tile."""

    def __init__(
        self, visible: Observations, settings: GuidedSettings, context: RunContext, warm: "GuidedFit | None"
    ) -> None:
        """Fits the prior, stage by stage; it and the network are as new, or begin from those of `warm`."""
        s2 = visible.s2
        self._check_stop = context.check_stop
        radar = speckle_filtered(visible, s2.observed, context.check_stop, settings)
        self._prior: Prior = fit_prior(s2, radar, settings, context, None if warm is None else warm._prior)
        self._observed = s2.observed
        self._predicted = self._prior.predict(s2, context.check_stop, context.cached)
        self._missed = self._missed_by(self._predicted, s2)
        self._radar = network_input(radar, s2.observed)
        self._residual: ResidualFit = ResidualFit(
            s2.pixels,
            s2.observed,
            self._predicted[PRIOR],
            self._radar,
            settings,
            seed=context.seed,
            device=context.device,
            perceptual=context.perceptual,
            perceptual_weight=context.perceptual_weight,
            warm=None if warm is None else warm._residual,
        )

    @property
    def steps_total(self) -> int:
        """Steps of the network's schedule."""
        return self._residual.steps_total

    @property
    def steps_done(self) -> int:
        """Steps made so far."""
        return self._residual.steps_done

    def step(self, elapsed_share: float | None = None) -> float:
        """Makes one update of the network."""
        return self._residual.step(elapsed_share)

    def predict(self, visible: Observations) -> dict[str, Float32]:
        """Predicts trees, mlp, prior and network, each (T, C, H, W) reflectance.

        All of them with what the prior misses on the date's visible pixels: what those show of the date none has seen.
        """
        s2, predicted, missed = visible.s2, self._predicted, self._missed
        if not np.array_equal(s2.observed, self._observed):
            predicted = self._prior.predict(s2, self._check_stop)
            missed = self._missed_by(predicted, s2)
        network = self._residual.predict(predicted[PRIOR], self._radar, self._check_stop)
        return {name: np.clip(image + missed, 0, 1) for name, image in {**predicted, NETWORK: network}.items()}

    def _missed_by(self, predicted: dict[str, Float32], s2: ImageSequence) -> Float32:
        return missed_residuals(predicted[PRIOR], s2.pixels, s2.observed, self._check_stop)

    def state_dict(self) -> dict[str, Any]:
        """Returns the network's state; the prior's stages are cached."""
        return self._residual.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from `state_dict`."""
        self._residual.load_state_dict(state)


class Guided:
    """The method behind the interface of all methods."""

    def __init__(self, settings: GuidedSettings) -> None:
        self._settings = settings

    def start(self, visible: Observations, context: RunContext, warm: Any) -> GuidedFit:
        """Filters the radar's speckle and fits the prior; see `Method`."""
        dates, bands, height, width = visible.s2.shape
        crop_px = self._settings.crop_px
        share_steps(dates * min(height, crop_px) * min(width, crop_px), context.threads)
        context.expect(expected_stages(dates, bands, self._settings))
        return GuidedFit(visible, self._settings, context, warm)
