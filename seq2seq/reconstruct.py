"""The per-sequence optimiser: hold out, fit, blend by what the held-out pixels say, calibrate. Observations in, a
`Reconstruction` out; whole in memory. Files and tiles are the business of `pipeline`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from seq2seq.baselines import gap_length, linear_interpolation, nearest_date
from seq2seq.config import ReconstructionConfig
from seq2seq.devices import choose_device, set_threads
from seq2seq.errors import MissingDataError, Stopped
from seq2seq.features import Tick
from seq2seq.holdout import (
    LINEAR,
    NEAREST,
    RESULT,
    Assessment,
    Blend,
    Members,
    assess,
    calibrate,
    choose_holdout,
    fit_blend,
)
from seq2seq.internal import NETWORK, InternalRecipe, mean_prior
from seq2seq.metrics import psnr
from seq2seq.paper import PaperFit
from seq2seq.progress import OnProgress, Progress, ShouldStop, ignore_progress, never_stop
from seq2seq.sequence import Bool, Float32, ImageSequence, Observations
from seq2seq.vgg import Perceptual, resolve_perceptual

CHECKPOINT_EVERY_S = 30.0
SCORED_TIMES = 3  # looks at the held-out pixels during the fit, for the curve; they decide nothing
PRIOR = "prior"
# Of a time budget, kept for predicting after the fit, as a multiple of what preparing the prior took.
PREDICTION_RESERVE = 0.25


@dataclass(frozen=True)
class CurvePoint:
    """The fit at one step; seconds since the fit of this tile began, holdout_psnr in dB where it was looked at."""

    step: int
    loss: float
    holdout_psnr: float | None
    seconds: float


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """s2: every date without clouds, reflectance, observed everywhere. sigma: (T, C, H, W) reflectance, one standard
    deviation, 0 where an observation passed through. assessment: the held-out proof, None where nothing could be held
    out. curve: the fit. seconds: wall-clock time by phase."""

    s2: ImageSequence
    sigma: Float32
    assessment: Assessment | None
    curve: tuple[CurvePoint, ...]
    perceptual: Perceptual
    device: str
    seconds: dict[str, float]


class Fit(Protocol):
    """An optimiser that its caller drives step by step."""

    steps_total: int
    steps_done: int

    def step(self, progress: float | None = None) -> float:
        """One update; its loss."""

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse."""


class Recipe(Protocol):
    """`prepare`, then steps of `fit`, then `candidates`: see `internal.InternalRecipe`."""

    default_weights: dict[str, float]

    @property
    def fit(self) -> Fit:
        """There after `prepare`."""

    def prepare(self, tick: Tick, saved: dict[str, Float32] | None) -> dict[str, Float32]:
        """All that comes before the first step; returns what may be saved to skip it next time."""

    def candidates(self, *, full: bool) -> Members:
        """Reconstructions from all that was observed, or from what the fit may see."""


class PaperRecipe:
    """Recipe `paper` behind the same face: the published network is the only candidate beside interpolation."""

    default_weights = {NETWORK: 1.0}  # noqa: RUF012  a constant of the class

    def __init__(
        self,
        observations: Observations,
        observed: Bool,
        config: ReconstructionConfig,
        *,
        device: torch.device,
        perceptual: Perceptual,
    ) -> None:
        seen = replace(observations, s2=replace(observations.s2, observed=observed))
        self._s2, self._observed = observations.s2, observed
        self.fit = PaperFit(seen, config, device=device, perceptual=perceptual)

    def prepare(self, tick: Tick, saved: dict[str, Float32] | None) -> dict[str, Float32]:
        """Nothing to prepare."""
        tick()
        return saved or {}

    def candidates(self, *, full: bool) -> Members:
        """The network saw no optical input, so only interpolation depends on `full`."""
        observed = self._s2.observed if full else self._observed
        return {
            LINEAR: linear_interpolation(self._s2.pixels, observed, self._s2.days),
            NETWORK: self.fit.predict(),
        }


def reconstruct(
    observations: Observations,
    config: ReconstructionConfig | None = None,
    *,
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
    checkpoint: Path | None = None,
    budget_s: float | None = None,
) -> Reconstruction:
    """Every date of `observations.s2` without clouds, with sigma and a score on pixels that the fit never saw.

    checkpoint: a folder of this call alone; a call that was stopped or killed goes on from what lies there. budget_s
    overrides config.max_minutes. Raises `Stopped` within about a second of `should_stop`, MissingDataError where
    nothing is observed, ConfigError for a device that is not there.
    """
    config = config or ReconstructionConfig()
    if budget_s is None and config.max_minutes is not None:
        budget_s = 60 * config.max_minutes
    run = _Run(observations, config, on_progress, should_stop, checkpoint, budget_s)
    return run.reconstruct()


class _Clock:
    """Seconds by phase, and what is left of a budget."""

    def __init__(self, budget_s: float | None) -> None:
        self._start = self._phase_start = time.monotonic()
        self._budget_s = budget_s
        self.seconds: dict[str, float] = {}

    def elapsed(self) -> float:
        return time.monotonic() - self._start

    def end_phase(self, name: str) -> float:
        """Books the time since the last call under `name`."""
        now = time.monotonic()
        taken, self._phase_start = now - self._phase_start, now
        self.seconds[name] = self.seconds.get(name, 0.0) + taken
        return taken

    def left(self) -> float | None:
        """Seconds left, None without a budget."""
        return None if self._budget_s is None else self._budget_s - self.elapsed()


class _Run:
    """One call of `reconstruct`: what its phases share."""

    def __init__(
        self,
        observations: Observations,
        config: ReconstructionConfig,
        on_progress: OnProgress,
        should_stop: ShouldStop,
        checkpoint: Path | None,
        budget_s: float | None,
    ) -> None:
        if not observations.s2.observed.any():
            raise MissingDataError(f"no pixel of {len(observations.s2.dates)} dates is observed: all is cloud or no data")
        self.s2, self.config = observations.s2, config
        self.on_progress, self.should_stop, self.checkpoint = on_progress, should_stop, checkpoint
        self.clock = _Clock(budget_s)
        self.device, threads = choose_device(config.device), set_threads()
        self.perceptual = resolve_perceptual(config, self.s2.bands, self.device)
        self.held_out = choose_holdout(self.s2.observed, config.seed)
        self.seen = self.s2.observed & ~self.held_out
        options: dict[str, Any] = {"device": self.device, "perceptual": self.perceptual}
        self.recipe: Recipe = (
            InternalRecipe(observations, self.seen, config, threads=threads, **options)
            if config.recipe == "internal"
            else PaperRecipe(observations, self.seen, config, **options)
        )
        self.curve: list[CurvePoint] = []

    def reconstruct(self) -> Reconstruction:
        """All phases."""
        self._prepare()
        self._fit()
        self._tell("blending", message=None)
        blend, gaps = self._assess()
        members = self._candidates(full=True)
        full_gaps = gap_length(self.s2.observed, self.s2.days)
        result = blend.apply(members, full_gaps)
        sigma = self._calibration.sigma(members, full_gaps)
        pixels, sigma = keep_observed(self.s2, result, sigma, self.config)
        self.clock.end_phase("blending")
        del gaps
        everywhere = np.ones_like(self.s2.observed)
        return Reconstruction(
            s2=replace(self.s2, pixels=pixels, observed=everywhere),
            sigma=sigma,
            assessment=self._assessment,
            curve=tuple(self.curve),
            perceptual=self.perceptual,
            device=str(self.device),
            seconds=self.clock.seconds,
        )

    def _tick(self) -> None:
        if self.should_stop():
            raise Stopped("before the first step")

    def _tell(self, phase: str, **values: Any) -> None:
        self.on_progress(Progress(phase, **values))

    def _prepare(self) -> None:
        """The prior, from the checkpoint where it is there."""
        self._tell("fitting the prior")
        saved = self._load_arrays("prior.npz")
        arrays = self.recipe.prepare(self._tick, saved)
        if saved is None:
            self._save_arrays("prior.npz", arrays)
        self.prior_s = self.clock.end_phase("fitting the prior")

    def _fit(self) -> None:
        """Steps until the schedule or the time is over; a checkpoint now and then, and on a stop."""
        fit = self.recipe.fit
        self._load_fit(fit)
        saved_at = began = time.monotonic()
        total = fit.steps_total
        looks = {round(total * k / SCORED_TIMES) for k in range(1, SCORED_TIMES + 1)}
        while fit.steps_done < total and not self._out_of_time():
            if self.should_stop():
                self._save_fit(fit)
                raise Stopped(f"step {fit.steps_done} of {total}")
            loss = fit.step(self._share_of_time(began))
            now = time.monotonic()
            found = self._look() if fit.steps_done in looks and self.config.max_minutes is None else None
            self.curve.append(CurvePoint(fit.steps_done, loss, found, now - began))
            self._tell_step(fit, loss, found, now - began)
            if now - saved_at > CHECKPOINT_EVERY_S:
                self._save_fit(fit)
                saved_at = now
        self._save_fit(fit)
        self.clock.end_phase("fitting the network")

    def _tell_step(self, fit: Fit, loss: float, found: float | None, taken: float) -> None:
        steps = [point.seconds for point in self.curve]
        pace = taken / max(len(steps), 1)
        eta = pace * (fit.steps_total - fit.steps_done) + PREDICTION_RESERVE * self.prior_s
        left = self.clock.left()
        self._tell(
            "fitting the network",
            step=fit.steps_done,
            of=fit.steps_total,
            loss=loss,
            holdout_psnr=found if found is not None else self._last_look(),
            eta_s=eta if left is None else max(0.0, min(eta, left)),
        )

    def _last_look(self) -> float | None:
        return next((p.holdout_psnr for p in reversed(self.curve) if p.holdout_psnr is not None), None)

    def _look(self) -> float | None:
        """PSNR of the network on the held-out pixels, dB."""
        if not self.held_out.any():
            return None
        return psnr(self._candidates(full=False)[NETWORK], self.s2.pixels, where=self.held_out)

    def _out_of_time(self) -> bool:
        left = self.clock.left()
        return left is not None and left < PREDICTION_RESERVE * self.prior_s

    def _share_of_time(self, began: float) -> float | None:
        """Share of the time for steps that is gone, None without a budget."""
        left = self.clock.left()
        if left is None:
            return None
        gone = time.monotonic() - began
        return gone / max(gone + left - PREDICTION_RESERVE * self.prior_s, 1e-6)

    def _candidates(self, *, full: bool) -> Members:
        return self.recipe.candidates(full=full)

    def _assess(self) -> tuple[Blend, Float32]:
        """Blend, calibration and scores on the held-out pixels."""
        members = self._candidates(full=False)
        gaps = gap_length(self.seen, self.s2.days)
        truth = self.s2.pixels
        blend = fit_blend(members, truth, self.held_out, gaps, self.recipe.default_weights)
        result = blend.apply(members, gaps)
        self._calibration = calibrate(members, result, truth, self.held_out, gaps)
        methods = {RESULT: result, NETWORK: members[NETWORK]}
        if self.config.recipe == "internal":
            methods[PRIOR] = mean_prior(members)
        methods |= {LINEAR: members[LINEAR], NEAREST: nearest_date(truth, self.seen, self.s2.days)}
        sigma = self._calibration.sigma(members, gaps)
        self._assessment = assess(methods, sigma, truth, self.held_out, gaps, self.s2.bands, blend)
        return blend, gaps

    def _load_arrays(self, name: str) -> dict[str, Float32] | None:
        if self.checkpoint is None or not (self.checkpoint / name).exists():
            return None
        with np.load(self.checkpoint / name) as saved:
            return {key: saved[key] for key in saved.files}

    def _save_arrays(self, name: str, arrays: dict[str, Float32]) -> None:
        if self.checkpoint is not None and arrays:
            _replace(self.checkpoint / name, lambda path: np.savez(path, **arrays))  # type: ignore[arg-type]

    def _load_fit(self, fit: Fit) -> None:
        if self.checkpoint is None or not (self.checkpoint / "fit.pt").exists():
            return
        state = torch.load(self.checkpoint / "fit.pt", weights_only=True, map_location=self.device)
        fit.load_state_dict(state["fit"])
        self.curve = [CurvePoint(*point) for point in state["curve"]]

    def _save_fit(self, fit: Fit) -> None:
        if self.checkpoint is None:
            return
        curve = [(p.step, p.loss, p.holdout_psnr, p.seconds) for p in self.curve]
        state = {"fit": fit.state_dict(), "curve": curve}
        _replace(self.checkpoint / "fit.pt", lambda path: torch.save(state, path))


def keep_observed(
    s2: ImageSequence, result: Float32, sigma: Float32, config: ReconstructionConfig
) -> tuple[Float32, Float32]:
    """Observed pixels pass through, their sigma is 0; with feather_px the seam is mixed on the observed side.

    With full_prediction the reconstruction stands everywhere.
    """
    if config.full_prediction:
        return result, sigma
    share = s2.observed.astype(np.float32)
    if config.feather_px:
        share = np.stack([_feather(observed, config.feather_px) for observed in s2.observed])
    share = share[:, None]
    return share * s2.pixels + (1 - share) * result, (1 - share) * sigma


def _feather(observed: Bool, width_px: int) -> Float32:
    """(H, W) share of the observation: 0 where hidden, growing to 1 within `width_px` of the seam."""
    if observed.all():
        return np.ones(observed.shape, np.float32)
    distance = distance_transform_edt(observed)
    return np.minimum(distance / (width_px + 1), 1).astype(np.float32)


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Writes beside and renames, so that a kill leaves the last good checkpoint."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".new-{path.name}")
    write(temporary)
    temporary.replace(path)
