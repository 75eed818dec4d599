"""Recipe `internal`: a prior from pixel-wise regressors, then a 3-D encoder-decoder anchored to it.

Both learn on this sequence alone. What each part adds was measured: benchmarks/METHOD.md.
"""

import time
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import torch
from numpy.typing import NDArray

from seq2seq.config import ReconstructionConfig
from seq2seq.interpolation import mean_spectrum
from seq2seq.methods.base import Arrays, Keep, make
from seq2seq.methods.guided.features import Described, Radar, Tick, describe, despeckled
from seq2seq.methods.guided.regressors import Regressor, Samples, fit_regressors, pieces_of_fit, predict_image
from seq2seq.methods.guided.residual import GuidedFit
from seq2seq.nn.vgg import Perceptual
from seq2seq.sequence import Bool, Float32, ImageSequence, Observations
from seq2seq.validation.hiding import CloudShapes, hide
from seq2seq.validation.holdout import LINEAR, Members

PRIOR_MEMBERS = TREES, PERCEPTRON = ("trees", "perceptron")
NETWORK = "network"
PRIOR_SHARES = {TREES: 1 / 3, PERCEPTRON: 2 / 3}  # two perceptrons are averaged in theirs
# The prior and as much for the network, until held-out pixels say otherwise.
DEFAULT_WEIGHTS = {TREES: 1 / 6, PERCEPTRON: 1 / 3, NETWORK: 1 / 2}
# How often pixels are hidden to learn from, and fewer where time is short. Each draw cuts off other neighbours: many
# draws of few pixels teach more than few draws of many.
DRAWS, FEWEST_DRAWS = 36, 6
DRAW_PX = 128  # each in another window of this size, of a larger scene
DRAWS_SHARE = 0.25  # of the time for fitting, where there is a limit
MAX_SAMPLES = 180_000
SAMPLES = ("features", "corrections")


def piece_of_date(t: int) -> str:
    """The name of a date's predictions."""
    return f"date-{t:04d}"


@dataclass(frozen=True, eq=False)
class Prior:
    """Fitted regressors, ready to describe the sequence from whatever is observed of it."""

    regressors: list[Regressor]
    radar: Radar | None
    fallback: Float32  # (C,)

    def members(self, s2: ImageSequence, observed: Bool, tick: Tick, keep: Keep = make) -> Members:
        """linear and one reconstruction a regressor, each (T, C, H, W), from the pixels in `observed` (T, H, W).

        A date's own pixels are never used for that date, so observed pixels are predicted too. Each date is a piece to
        `keep`.
        """

        @cache  # needed for the pieces that are missing alone
        def described() -> Described:
            return describe(s2.pixels, observed, s2.days, self.radar, self.fallback)

        def date(t: int) -> Arrays:
            linear, features = described().linear[t], described().features[t]
            corrections = (predict_image(regressor, features, tick) for regressor in self.regressors)
            found = {name: linear + c for name, c in zip(PRIOR_MEMBERS, corrections, strict=True)}
            return {LINEAR: linear, **found}

        dates = [keep(piece_of_date(t), partial(date, t)) for t in range(len(observed))]
        return {name: np.stack([each[name] for each in dates]) for name in (LINEAR, *PRIOR_MEMBERS)}


def fit_prior(
    s2: ImageSequence,
    radar: Radar | None,
    observed: Bool,
    *,
    seed: int,
    device: torch.device,
    threads: int,
    tick: Tick,
    seconds: float | None = None,
    keep: Keep = make,
) -> Prior:
    """Learns corrections of interpolation on pixels hidden in cloud shapes from what is left of `observed`.

    observed: (T, H, W), what may be looked at at all. tick is called between steps of the work and may raise to stop.
    seconds: what fitting may take; keep: the samples are a piece, and see `fit_regressors`.
    """
    fallback = mean_spectrum(s2.pixels, observed)
    began = time.monotonic()
    until = None if seconds is None else began + DRAWS_SHARE * seconds

    def draw() -> Arrays:
        drawn = _draw_samples(s2, observed, radar, fallback, np.random.default_rng((seed, 2)), tick, until)
        return dict(zip(SAMPLES, drawn, strict=True))

    piece = keep("samples", draw)
    features, corrections = (piece[name] for name in SAMPLES)
    left = None if seconds is None else seconds - (time.monotonic() - began)
    regressors = fit_regressors(
        (features, corrections), seed=seed, device=device, threads=threads, tick=tick, seconds=left, keep=keep
    )
    return Prior(regressors, radar, fallback)


def network_input(radar: Radar | None, observed: Bool) -> Float32 | None:
    """(T, F, H, W) what the network sees of the radar, standardised; None without radar."""
    if radar is None:
        return None
    channels = np.concatenate([radar.raw, *radar.change(observed)], axis=1)
    spread = np.maximum(channels.std(axis=(0, 2, 3), keepdims=True), 1e-6)
    standardised: Float32 = (channels - channels.mean(axis=(0, 2, 3), keepdims=True)) / spread
    return standardised


def mean_prior(members: Members) -> Float32:
    """(T, C, H, W) the weighted mean of the regressors."""
    mean = np.zeros_like(members[LINEAR])
    for name, share in PRIOR_SHARES.items():
        mean += np.float32(share) * members[name]
    return mean


class InternalStage:
    """The recipe fitted once, to `observed`: `prepare`, then steps of `fit`, then `candidates`."""

    default_weights = DEFAULT_WEIGHTS

    def __init__(
        self,
        observations: Observations,
        observed: Bool,
        config: ReconstructionConfig,
        *,
        device: torch.device,
        threads: int,
        perceptual: Perceptual,
    ) -> None:
        """observed: (T, H, W), what this fit may see."""
        self._observations, self._observed, self._config = observations, observed, config
        self._device, self._threads, self._perceptual = device, threads, perceptual
        self._radar: Float32 | None = None
        self._members: Members = {}
        self._fit: GuidedFit | None = None
        self._prior: Prior | None = None

    @property
    def pieces(self) -> list[str]:
        """What `prepare` keeps: samples, regressors, dates."""
        dates, bands = self._observations.s2.shape[:2]
        return ["samples", *pieces_of_fit(bands), *(piece_of_date(t) for t in range(dates))]

    def prepare(self, tick: Tick, keep: Keep, earlier: GuidedFit | None, seconds: float | None = None) -> None:
        """Fits the prior, piece by piece.

        earlier: a finished fit to fewer pixels, whose network this one starts from. seconds: see `fit_prior`.
        """
        s2 = self._observations.s2
        radar = despeckled(self._observations, self._observed, tick)
        self._prior = fit_prior(
            s2,
            radar,
            self._observed,
            seed=self._config.seed,
            device=self._device,
            threads=self._threads,
            tick=tick,
            seconds=seconds,
            keep=keep,
        )
        self._members = self._prior.members(s2, self._observed, tick, keep)
        self._radar = network_input(radar, self._observed)
        self._fit = GuidedFit(
            s2.pixels,
            self._observed,
            mean_prior(self._members),
            self._radar,
            seed=self._config.seed,
            device=self._device,
            perceptual=self._perceptual,
            perceptual_weight=self._config.perceptual_weight,
            earlier=earlier,
        )

    @property
    def fit(self) -> GuidedFit:
        """The network's fit; there after `prepare`."""
        assert self._fit is not None, "prepare comes first"
        return self._fit

    def widen(self, observed: Bool, tick: Tick) -> None:
        """Applies what was fitted to more pixels than it was fitted to: candidates are then made from `observed`."""
        assert self._prior is not None, "prepare comes first"
        self._members = self._prior.members(self._observations.s2, observed, tick)

    def candidates(self, tick: Tick) -> Members:
        """linear, the prior's regressors and the network, each (T, C, H, W) reflectance."""
        return {**self._members, NETWORK: self.fit.predict(mean_prior(self._members), self._radar, tick)}


def _draw_samples(
    s2: ImageSequence,
    observed: Bool,
    radar: Radar | None,
    fallback: Float32,
    rng: np.random.Generator,
    tick: Tick,
    until: float | None = None,
) -> Samples:
    """Features and corrections of pixels hidden in `DRAWS` draws, as many of each draw; fewer after `until`."""
    shapes = CloudShapes.of(observed)
    features, corrections = [], []
    for drawn in range(DRAWS):
        tick()
        if until is not None and drawn >= FEWEST_DRAWS and time.monotonic() > until:
            break
        window = tuple(_some_span(size, rng) for size in observed.shape[1:])
        pixels, seen = s2.pixels[:, :, *window], observed[:, *window]
        hidden = hide(seen, shapes, rng)
        cropped = None if radar is None else radar.crop(*window)
        described = describe(pixels, seen & ~hidden, s2.days, cropped, fallback)
        at = _some(hidden, MAX_SAMPLES // DRAWS, rng)
        features.append(described.features[at[0], :, at[1], at[2]])
        corrections.append((pixels - described.linear)[at[0], :, at[1], at[2]])
    return np.concatenate(features), np.concatenate(corrections)


def _some_span(size: int, rng: np.random.Generator) -> slice:
    """Random `DRAW_PX` of `size` pixels, or all of fewer."""
    if size <= DRAW_PX:
        return slice(0, size)
    start = int(rng.integers(size - DRAW_PX + 1))
    return slice(start, start + DRAW_PX)


def _some(where: Bool, count: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], ...]:
    """At most `count` random positions of True."""
    positions = np.flatnonzero(where)
    if len(positions) > count:
        positions = np.sort(rng.choice(positions, count, replace=False))
    return np.unravel_index(positions, where.shape)
