"""The per-sequence optimiser: hold out, fit, blend by what the held-out pixels say, calibrate. Observations in, a
`Reconstruction` out; whole in memory. Files and tiles are the business of `pipeline`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import MissingDataError, Stopped
from seq2seq.estimate import estimate
from seq2seq.interpolation import gap_length, linear_interpolation, nearest_date
from seq2seq.methods.base import Arrays, Keep
from seq2seq.methods.ebel2021.fit import PaperFit
from seq2seq.methods.guided.features import Tick
from seq2seq.methods.guided.method import NETWORK, InternalStage, mean_prior
from seq2seq.methods.guided.residual import CROP_PX, LATER_STEPS
from seq2seq.nn.devices import available_cores, choose_device, set_threads, threads_for
from seq2seq.nn.vgg import Perceptual, resolve_perceptual
from seq2seq.notebook import card, choose_progress
from seq2seq.progress import OnProgress, Progress, ShouldStop, format_duration, never_stop
from seq2seq.run.checkpoint import Checkpoint
from seq2seq.run.pace import Pace, shares_of_pieces
from seq2seq.sequence import Bool, Float32, ImageSequence, Observations
from seq2seq.validation.assessment import Assessment, assess, count_to_fill
from seq2seq.validation.blending import Blend, fit_blend
from seq2seq.validation.calibration import Calibration, calibrate
from seq2seq.validation.gain import describe
from seq2seq.validation.holdout import LINEAR, NEAREST, RESULT, Members, choose_holdout, lost_dates
from seq2seq.validation.metrics import psnr
from seq2seq.validation.screening import suspected_clouds

if TYPE_CHECKING:
    import xarray as xr

CHECKPOINT_EVERY_S = 30.0
# Dates x pixels of a step of the network; one thread makes smaller ones as fast as two.
STEP_SHARED_FROM = 4_000
SCORED_TIMES = 3  # looks at the held-out pixels during the fit, for the curve; they decide nothing
PRIOR = "prior"
AGAIN = " again, with all pixels"  # the phases of the second fit
# Of a time budget, kept for predicting after the fit, as a multiple of what preparing the prior took.
PREDICTION_RESERVE = 0.25
# Of a time budget, the share for fitting the prior's regressors. The second time they get as long, because blend and
# uncertainty are those of the first.
PRIOR_SHARE = 0.2
# Of a time budget for steps, the first fit's share where there is time for a second. Fitting the prior again is worth
# more than steps (benchmarks/METHOD.md), so the second fit is made wherever it can be.
FIRST_SHARE = 0.5


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
    deviation, 0 where an observation passed through. suspected: (T, H, W) observed pixels that were delivered but not
    learnt from, see `screening`. reconstructed: (T, H, W) where the value is not, or not wholly, the observation.
    assessment: the held-out proof, None where nothing could be held
    out. curve: the fit. seconds: wall-clock time by phase."""

    s2: ImageSequence
    sigma: Float32
    suspected: Bool
    reconstructed: Bool
    assessment: Assessment | None
    curve: tuple[CurvePoint, ...]
    perceptual: Perceptual
    device: str
    seconds: dict[str, float]

    def to_xarray(self) -> "xr.Dataset":
        """Dataset with `reflectance` and `sigma (time, band, y, x)` and `reconstructed (time, y, x)`; CF attributes."""
        import xarray as xr

        on_grid = {"grid_mapping": "spatial_ref"}
        image, plane = ("time", "band", "y", "x"), ("time", "y", "x")
        reflectance = {
            "long_name": "cloud-free reflectance",
            "units": "1",
            "ancillary_variables": "sigma reconstructed",
        }
        sigma = {"long_name": "one standard deviation of reflectance, 0 where observed", "units": "1"}
        flags = {"long_name": "value was reconstructed, not observed"}
        return xr.Dataset(
            {
                "reflectance": (image, self.s2.pixels, reflectance | on_grid),
                "sigma": (image, self.sigma, sigma | on_grid),
                "reconstructed": (plane, self.reconstructed, flags | on_grid),
            },
            coords=self.s2.coordinates(),
            attrs={
                "Conventions": "CF-1.8",
                "title": "Cloud-free Sentinel-2 sequence",
                "source": f"decloud {version('decloud')}",
                "comment": f"gain: {self._gain()}",
            },
        )

    def __repr__(self) -> str:
        return f"Reconstruction({', '.join(text for _, text in self.facts())})"

    def _repr_html_(self) -> str:
        return card("Reconstruction", self.facts(), self.s2)

    def facts(self) -> list[tuple[str, str]]:
        """What people want to know of it at a glance: names and facts."""
        seconds = format_duration(sum(self.seconds.values()))
        return [
            *self.s2.facts()[:-1],
            ("reconstructed", f"{self.reconstructed.mean():.0%} reconstructed"),
            ("gain", f"gain {self._gain()}"),
            ("run", f"{seconds} on {self.device}"),
        ]

    def _gain(self) -> str:
        return describe(self.assessment.gain if self.assessment else None)


class Fit(Protocol):
    """An optimiser that its caller drives step by step."""

    steps_done: int

    @property
    def steps_total(self) -> int:
        """Steps of the whole schedule."""

    def step(self, progress: float | None = None) -> float:
        """One update; its loss."""

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse."""


class Stage(Protocol):
    """A recipe fitted once to what it may see: see `internal.InternalStage`."""

    default_weights: dict[str, float]

    @property
    def fit(self) -> Fit:
        """There after `prepare`."""

    @property
    def pieces(self) -> list[str]:
        """The pieces of work that `prepare` keeps, by name."""

    def prepare(self, tick: Tick, keep: Keep, earlier: Any, seconds: float | None) -> None:
        """All that comes before the first step, in about `seconds`, in pieces."""

    def widen(self, observed: Bool, tick: Tick) -> None:
        """Lets `candidates` start from more pixels than the fit has seen."""

    def candidates(self, tick: Tick) -> Members:
        """Reconstructions to choose from."""


class PaperStage:
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
        self._fit = PaperFit(seen, config, device=device, perceptual=perceptual)

    @property
    def fit(self) -> PaperFit:
        """The published recipe's."""
        return self._fit

    @property
    def pieces(self) -> list[str]:
        """Nothing to prepare."""
        return []

    def prepare(self, tick: Tick, keep: Keep, earlier: Any, seconds: float | None) -> None:
        """Nothing to prepare."""
        tick()

    def widen(self, observed: Bool, tick: Tick) -> None:
        """For interpolation; the network sees radar alone."""
        tick()
        self._observed = observed

    def candidates(self, tick: Tick) -> Members:
        """linear and network."""
        tick()
        linear = linear_interpolation(self._s2.pixels, self._observed, self._s2.days)
        return {LINEAR: linear, NETWORK: self._fit.predict()}


def reconstruct(
    observations: Observations,
    config: ReconstructionConfig | None = None,
    *,
    on_progress: OnProgress | None = None,
    progress: bool | None = None,
    should_stop: ShouldStop = never_stop,
    checkpoint: Path | None = None,
    budget_s: float | None = None,
    perceptual: Perceptual | None = None,
) -> Reconstruction:
    """Every date of `observations.s2` without clouds, with sigma and a score on pixels that the fit never saw.

    progress: whether to show it where `on_progress` is not given; by default in notebooks alone.
    checkpoint: a folder of this call alone; a call that was stopped or killed goes on from what lies there, with at
    most one piece of the prior or `CHECKPOINT_EVERY_S` of steps to do again. budget_s overrides config.max_minutes.
    perceptual: from `vgg.resolve_perceptual` where the caller has asked already. Raises `Stopped` within about a second
    of `should_stop`, MissingDataError where nothing is observed, ConfigError for a device that is not there.
    """
    config, on_progress = config or ReconstructionConfig(), choose_progress(on_progress, progress)
    if budget_s is None and config.max_minutes is not None:
        budget_s = 60 * config.max_minutes
    device = choose_device(config.device)
    if perceptual is None:
        perceptual = resolve_perceptual(config, observations.s2.bands, device)
        if perceptual.dropped:
            on_progress(Progress("fitting the prior", message=perceptual.reason))
    run = _Run(observations, config, on_progress, should_stop, checkpoint, budget_s, device, perceptual)
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

    def share(self, part: float) -> float | None:
        """Seconds that `part` of the whole budget is, None without one."""
        return None if self._budget_s is None else part * self._budget_s

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
        device: torch.device,
        perceptual: Perceptual,
    ) -> None:
        if not observations.s2.observed.any():
            raise MissingDataError(
                f"no pixel of {len(observations.s2.dates)} dates is observed: all is cloud or no data"
            )
        self.observations, self.s2, self.config = observations, observations.s2, config
        self.on_progress, self.should_stop, self.checkpoint = on_progress, should_stop, Checkpoint(checkpoint)
        self.clock = _Clock(budget_s)
        self.device, self.perceptual, self.threads = device, perceptual, available_cores()
        dates, _, height, width = self.s2.shape
        crop = dates * min(height, CROP_PX) * min(width, CROP_PX)
        set_threads(threads_for(crop, STEP_SHARED_FROM, self.threads))
        hidden = choose_holdout(self.s2.observed, config.seed)
        self.seen = self._trusted(self.s2.observed & ~hidden)  # so that nothing hidden decides what is seen
        self.trusted = self._trusted(self.s2.observed)
        self.held_out = hidden & self.trusted
        self.curve: list[CurvePoint] = []
        self.prior_s = 0.0
        expected = estimate(self.s2.shape, config).seconds
        self.pace = Pace(expected if budget_s is None else min(expected, budget_s))

    def reconstruct(self) -> Reconstruction:
        """All phases."""
        proof, proven = self._prove()
        stage = self._final(proven)
        self._tell("blending")
        members = stage.candidates(self._tick)
        gaps = gap_length(self.trusted, self.s2.days)
        result = proof.blend.apply(members, gaps, lost_dates(self.trusted))
        sigma = proof.calibration.sigma(members, self.trusted)
        pixels, sigma = keep_observed(self.s2, result, sigma, self.config)
        self.clock.end_phase("blending")
        return Reconstruction(
            s2=replace(self.s2, pixels=pixels, observed=np.ones_like(self.s2.observed)),
            sigma=sigma,
            suspected=self.s2.observed & ~self.trusted,
            reconstructed=replaced(self.s2, self.config),
            assessment=proof.assessment,
            curve=tuple(self.curve),
            perceptual=self.perceptual,
            device=str(self.device),
            seconds=self.clock.seconds,
        )

    def _trusted(self, observed: Bool) -> Bool:
        """`observed` without what is probably a missed cloud."""
        return observed & ~suspected_clouds(self.s2.pixels, observed, self.s2.days, self.s2.bands)

    def _prove(self) -> tuple["_Proof", Stage]:
        """The fit that never sees the held-out pixels, and what they say of it."""
        seen = self.seen
        stage = self._fit_stage("scored", seen, None)
        self._tell("scoring")
        members = stage.candidates(self._tick)
        gaps, lost = gap_length(seen, self.s2.days), lost_dates(seen)
        truth = self.s2.pixels
        blend = fit_blend(members, truth, self.held_out, gaps, lost, stage.default_weights)
        result = blend.apply(members, gaps, lost)
        calibration = calibrate(members, result, truth, self.held_out, seen)
        methods = {RESULT: result, NETWORK: members[NETWORK]}
        if self.config.recipe == "internal":
            methods[PRIOR] = mean_prior(members)
        methods |= {LINEAR: members[LINEAR], NEAREST: nearest_date(truth, seen, self.s2.days)}
        sigma = calibration.sigma(members, seen)
        filled = gap_length(self.trusted, self.s2.days), lost_dates(self.trusted)
        to_fill = count_to_fill(self.s2.observed, *filled)
        assessment = assess(methods, sigma, truth, self.held_out, gaps, lost, self.s2.bands, blend, to_fill)
        self.clock.end_phase("scoring")
        return _Proof(blend, calibration, assessment), stage

    def _final(self, proven: Stage) -> Stage:
        """The fit behind the result, which knows the held-out pixels too: they are too good to waste.

        The proven method is fitted again with them. Where the time does not allow it, and for recipe `paper`, the
        proven fit itself starts from them.
        """
        if not self.held_out.any():
            return proven
        left = self.clock.left()
        in_time = left is None or left > (1 + PREDICTION_RESERVE) * self.prior_s
        if self.config.recipe == "internal" and in_time:
            return self._fit_stage("final", self.trusted, proven)
        proven.widen(self.trusted, self._tick)
        return proven

    def _fit_stage(self, name: str, observed: Bool, earlier: Stage | None) -> Stage:
        stage = self._new_stage(observed)
        keep = self._telling_pieces(stage, name, "" if earlier is None else AGAIN)
        seconds = self.clock.share(PRIOR_SHARE)
        stage.prepare(self._tick, keep, None if earlier is None else earlier.fit, seconds)
        self.prior_s = max(self.prior_s, self.clock.end_phase("fitting the prior"))
        self._run_steps(stage, name)
        return stage

    def _telling_pieces(self, stage: Stage, name: str, again: str) -> Keep:
        """Keeps pieces in the checkpoint, tells how many there are, and learns the machine's pace from them."""
        phase, shares, began = "fitting the prior" + again, shares_of_pieces(name, stage.pieces), time.monotonic()
        to_do = dict(shares)

        def keep(piece: str, make: Callable[[], Arrays]) -> Arrays:
            nonlocal began
            made = False

            def making() -> Arrays:
                nonlocal made
                made = True
                return make()

            kept = self.checkpoint.keep(f"{name}-{piece}", making)
            now = time.monotonic()
            # what lies between two pieces belongs to the second
            self.pace.note(to_do.pop(piece), now - began if made else None)
            began = now
            self._tell(phase, step=len(shares) - len(to_do), of=len(shares), eta_s=self._expected_left(to_do))
            return kept

        if shares:
            self._tell(phase, of=len(shares), eta_s=self._expected_left(to_do))
        return keep

    def _expected_left(self, to_do: dict[str, float]) -> float:
        """Seconds to the end, by the pace so far: before the first step there is no other to go by.

        to_do: shares of the pieces that are made in any case, however little of the budget is left.
        """
        left = self.clock.left()
        expected = self.pace.remaining_s()
        return expected if left is None else max(min(expected, left), self.pace.seconds(sum(to_do.values())))

    def _new_stage(self, observed: Bool) -> Stage:
        options: dict[str, Any] = {"device": self.device, "perceptual": self.perceptual}
        if self.config.recipe == "paper":
            return PaperStage(self.observations, observed, self.config, **options)
        return InternalStage(self.observations, observed, self.config, threads=self.threads, **options)

    def _tick(self) -> None:
        if self.should_stop():
            raise Stopped("between two steps")

    def _tell(self, phase: str, **values: Any) -> None:
        self.on_progress(Progress(phase, **values))

    def _run_steps(self, stage: Stage, name: str) -> None:
        """Steps until the schedule or the time is over; a checkpoint now and then, and on a stop."""
        fit = stage.fit
        self._load_fit(fit, name)
        saved_at = began = time.monotonic()
        first, total = name == "scored", fit.steps_total
        until = self._time_for_steps(first)
        looks = (
            {round(total * k / SCORED_TIMES) for k in range(1, SCORED_TIMES + 1)} if first and until is None else set()
        )
        while fit.steps_done < total and (until is None or time.monotonic() - began < until):
            if self.should_stop():
                self._save_fit(fit, name)
                raise Stopped(f"step {fit.steps_done} of {total}")
            loss = fit.step(None if until is None else (time.monotonic() - began) / until)
            now = time.monotonic()
            if first:
                found = self._look(stage) if fit.steps_done in looks else None
                self.curve.append(CurvePoint(fit.steps_done, loss, found, now - began))
            self._tell_step(fit, loss, now - began, first)
            if now - saved_at > CHECKPOINT_EVERY_S:
                self._save_fit(fit, name)
                saved_at = now
        self._save_fit(fit, name)
        self.clock.end_phase("fitting the network")

    def _time_for_steps(self, first: bool) -> float | None:
        """Seconds that the steps of a stage may take, None without a budget.

        Predictions take a share of the prior's time. The first stage leaves room for a second one where two fit.
        """
        left = self.clock.left()
        if left is None:
            return None
        left -= 2 * PREDICTION_RESERVE * self.prior_s  # to score, and to deliver
        second = (1 + 2 * PREDICTION_RESERVE) * self.prior_s
        if first and self.config.recipe == "internal" and left > second:
            return (left - second) * FIRST_SHARE
        return max(left, 0.0)

    def _tell_step(self, fit: Fit, loss: float, taken: float, first: bool) -> None:
        pace = taken / max(fit.steps_done - self._resumed_at, 1)
        again = (1 + PREDICTION_RESERVE) * self.prior_s + pace * LATER_STEPS if first else 0.0
        eta = pace * (fit.steps_total - fit.steps_done) + PREDICTION_RESERVE * self.prior_s
        eta += again if self.config.recipe == "internal" else 0.0
        left, unavoidable = self.clock.left(), (2 if first else 1) * PREDICTION_RESERVE * self.prior_s
        self._tell(
            "fitting the network" + ("" if first else AGAIN),
            step=fit.steps_done,
            of=fit.steps_total,
            loss=loss,
            holdout_psnr=self._last_look(),
            eta_s=eta if left is None else max(unavoidable, min(eta, left)),
        )

    def _last_look(self) -> float | None:
        return next((p.holdout_psnr for p in reversed(self.curve) if p.holdout_psnr is not None), None)

    def _look(self, stage: Stage) -> float | None:
        """PSNR of the network on the held-out pixels, dB."""
        if not self.held_out.any():
            return None
        return psnr(stage.candidates(self._tick)[NETWORK], self.s2.pixels, where=self.held_out)

    def _load_fit(self, fit: Fit, name: str) -> None:
        state = self.checkpoint.load_state(name, self.device)
        if state is not None:
            fit.load_state_dict(state["fit"])
            self.curve = [CurvePoint(*point) for point in state["curve"]]
        self._resumed_at = fit.steps_done

    def _save_fit(self, fit: Fit, name: str) -> None:
        curve = [(p.step, p.loss, p.holdout_psnr, p.seconds) for p in self.curve]
        self.checkpoint.save_state(name, {"fit": fit.state_dict(), "curve": curve})


@dataclass(frozen=True, eq=False)
class _Proof:
    """What the held-out pixels said: how to mix, how sure to be, how good it is."""

    blend: Blend
    calibration: Calibration
    assessment: Assessment | None


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


def replaced(s2: ImageSequence, config: ReconstructionConfig) -> Bool:
    """(T, H, W) where `keep_observed` does not let the observation pass as it is."""
    if config.full_prediction:
        return np.ones_like(s2.observed)
    if not config.feather_px:
        return ~s2.observed
    return np.stack([_feather(observed, config.feather_px) < 1 for observed in s2.observed])


def _feather(observed: Bool, width_px: int) -> Float32:
    """(H, W) share of the observation: 0 where hidden, growing to 1 within `width_px` of the seam."""
    if observed.all():
        return np.ones(observed.shape, np.float32)
    distance = distance_transform_edt(observed)
    share: Float32 = np.minimum(distance / (width_px + 1), 1).astype(np.float32)
    return share
