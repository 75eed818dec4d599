"""The per-sequence engine: hide, fit, blend by the evidence of the hidden pixels, calibrate, score, fit again.

Observations in, a `Reconstruction` out; whole in memory. It knows no method by name. Files and tiles are the business
of `pipeline`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import MissingDataError, Stopped
from seq2seq.estimate import estimate
from seq2seq.interpolation import gap_length, interpolate_from_others, nearest_date
from seq2seq.methods.base import Fit, RunContext
from seq2seq.nn.devices import available_cores, choose_device
from seq2seq.nn.vgg import Perceptual, resolve_perceptual
from seq2seq.notebook import choose_progress
from seq2seq.progress import OnProgress, Progress, ShouldStop, ignore, never_stop
from seq2seq.run.checkpoint import Checkpoint
from seq2seq.run.clock import Clock, Pace
from seq2seq.run.fitting import PREPARING, Fitting
from seq2seq.run.passing import keep_observed, replaced
from seq2seq.run.result import CurvePoint, Reconstruction
from seq2seq.sequence import Bool, Float32, ImageSequence, Observations
from seq2seq.validation.assessment import Assessment, assess
from seq2seq.validation.blending import Blend
from seq2seq.validation.calibration import Calibration, calibrate
from seq2seq.validation.claim import filled_dates, hidden_dates
from seq2seq.validation.contradictions import Contradiction, contradicting_dates, deviations
from seq2seq.validation.distance import DistanceCalibration, bridge_days_of, calibrate_by_distance
from seq2seq.validation.holdout import LINEAR, NEAREST, RESULT, Candidates, blank, choose_holdout, fully_clouded_dates
from seq2seq.validation.metrics import psnr
from seq2seq.validation.screening import suspected_clouds
from seq2seq.validation.trial import fit_blend_with_trial

__all__ = ["CurvePoint", "Reconstruction", "reconstruct"]


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
    on_candidates: Callable[[Candidates], None] = ignore,
    on_prediction: Callable[[Float32], None] = ignore,
) -> Reconstruction:
    """Reconstructs every date of `observations.s2`, with sigma and a score on pixels that the fit never saw.

    progress: whether to show it where `on_progress` is not given; by default in notebooks alone.
    checkpoint: a folder of this call alone; a call that was stopped or killed goes on from what lies there, with at
    most one stage of the preparation or `CHECKPOINT_EVERY_S` of steps to do again. budget_s overrides
    config.max_minutes. perceptual: from `vgg.resolve_perceptual` where the caller has asked already. on_candidates:
    takes what the delivered fit predicts by itself, before it is blended. on_prediction: is shown (T, C, H, W) so far.

    Raises `Stopped` within about a second of `should_stop`, MissingDataError where nothing is observed, ConfigError for
    a device that is not there or a method that needs what is not there.
    """
    config, on_progress = config or ReconstructionConfig(), choose_progress(on_progress, progress)
    if not observations.s2.observed.any():
        raise MissingDataError(f"no pixel of {len(observations.s2.dates)} dates is observed: all is cloud or no data")
    budget_s = 60 * config.max_minutes if budget_s is None and config.max_minutes is not None else budget_s
    expected = estimate(observations.s2.shape, config).seconds
    fitting = Fitting(
        info=config.info,
        method=config.info.load()(config.resolved_settings),
        context=_context(observations, config, on_progress, should_stop, perceptual),
        clock=Clock(budget_s),
        pace=Pace(expected if budget_s is None else min(expected, budget_s)),
        checkpoint=Checkpoint(checkpoint),
        on_progress=on_progress,
        should_stop=should_stop,
    )
    return _Run(observations, config, fitting, on_prediction).reconstruct(on_candidates)


def _context(
    observations: Observations,
    config: ReconstructionConfig,
    on_progress: OnProgress,
    should_stop: ShouldStop,
    perceptual: Perceptual | None,
) -> RunContext:
    """The context lent to both fits of a run."""
    device = choose_device(config.device)
    if perceptual is None:
        perceptual = resolve_perceptual(config, observations.s2.bands, device)
        if perceptual.dropped:
            on_progress(Progress(PREPARING, message=perceptual.reason))

    def check_stop() -> None:
        if should_stop():
            raise Stopped("between two steps")

    return RunContext(
        seed=config.seed,
        device=device,
        threads=available_cores(),
        perceptual=perceptual,
        perceptual_weight=config.perceptual_weight,
        check_stop=check_stop,
    )


@dataclass(frozen=True, eq=False)
class _Proof:
    """The evidence of the held-out pixels: how to blend, how sure to be, how good it is."""

    blend: Blend
    calibration: Calibration
    by_distance: DistanceCalibration | None  # of dates that were never acquired; None: as of the others
    assessment: Assessment | None


def _plain(s2: ImageSequence, given: Bool) -> Float32:
    """Interpolation of what is `given`, with its suspected clouds and contradicting dates: as users do by hand."""
    return interpolate_from_others(s2.pixels, given, s2.days)


class _Run:
    """One call of `reconstruct`: what its phases share.

    visible: what the scored fit may see; usable: what is observed and no suspected cloud; held_out: the difference.
    acquired: (T,) False = asked for, never acquired.
    """

    def __init__(
        self,
        observations: Observations,
        config: ReconstructionConfig,
        fitting: Fitting,
        on_prediction: Callable[[Float32], None],
    ) -> None:
        self.show = on_prediction
        self.observations, self.s2, self.config, self.fitting = observations, observations.s2, config, fitting
        self.info, self.clock, self.validation = config.info, fitting.clock, config.validation
        self.acquired = observations.acquired
        hidden = choose_holdout(self.s2.observed, config.seed, self.validation)
        self.visible = self._unsuspected(self.s2.observed & ~hidden)  # so that nothing hidden decides what is visible
        self.usable = self._unsuspected(self.s2.observed)
        self.held_out = hidden & self.usable
        self.given = self.s2.observed & ~hidden  # to whoever interpolates instead

    def reconstruct(self, on_candidates: Callable[[Candidates], None]) -> Reconstruction:
        """All phases."""
        scored = self.fitting.run("scored", self._shown(self.visible), None, self._look)
        proof = self._prove(scored)
        final = scored
        # The held-out pixels are too good to waste: the proven method is fitted again with them. Where there is no time
        # for that, or it is not worth it, the proven fit itself starts from them.
        if self.held_out.any() and self.fitting.time_for_refit():
            final = self.fitting.run("final", self._shown(self.usable), scored, None)
        delivered = self._deliver(final, proof, on_candidates)
        fits = [scored] if final is scored else [scored, final]
        return replace(
            delivered,
            steps_done=sum(fit.steps_done for fit in fits),
            steps_total=sum(fit.steps_total for fit in fits),
        )

    def _prove(self, fit: Fit) -> _Proof:
        """The evidence of the held-out pixels on the fit that they were hidden from."""
        self.fitting.on_progress(Progress("scoring"))
        truth, held_out = self.s2.pixels, self.held_out
        gaps, clouded = self._kinds(self.visible)
        candidates, shown = self._candidates(fit, self.visible)
        shares, on_trial = self.info.blended, self.info.on_trial
        blend = fit_blend_with_trial(
            candidates, truth, held_out, gaps, clouded, shares, on_trial, settings=self.validation
        )
        candidates = blend.kept(candidates)
        result = blend.apply(candidates, gaps, clouded)
        self.show(result)
        calibration = calibrate(
            *(candidates, result, truth, held_out, self.visible, self.validation), self.info.interval_factors
        )
        floor = {LINEAR: candidates[LINEAR], NEAREST: nearest_date(truth, self.visible, self.s2.days)}
        rivals = {RESULT: result, **shown, **floor}
        sigma = calibration.sigma(candidates, self.visible)
        by_distance = None
        if not self.acquired.all():
            by_distance = calibrate_by_distance(
                candidates, result, truth, held_out, self.visible, self.s2.days, self.validation
            )
        hidden = hidden_dates(result, _plain(self.s2, self.given), truth, candidates, held_out, clouded)
        scales = self.info.error_scales
        assessment = assess(rivals, sigma, truth, held_out, gaps, clouded, self.s2.bands, blend, hidden, scales)
        self.clock.end_phase("scoring")
        return _Proof(blend, calibration, by_distance, assessment)

    def _deliver(self, fit: Fit, proof: _Proof, on_candidates: Callable[[Candidates], None]) -> Reconstruction:
        """The result, from all that is usable."""
        self.fitting.on_progress(Progress("blending"))
        candidates, shown = self._candidates(fit, self.usable)
        on_candidates({**candidates, **shown})
        candidates = proof.blend.kept(candidates)
        gaps, clouded = self._kinds(self.usable)
        result = proof.blend.apply(candidates, gaps, clouded)
        assessment = self._with_filled(proof.assessment, result, candidates, clouded)
        sigma = proof.calibration.sigma(candidates, self.usable)
        if proof.by_distance is not None:
            asked = np.flatnonzero(~self.acquired)
            sigma[asked] = proof.by_distance.sigma(candidates, bridge_days_of(self.usable, self.s2.days), asked)
        pixels, sigma = keep_observed(self.s2, result, sigma, self.config)
        self.show(pixels)
        self.clock.end_phase("blending")
        return Reconstruction(
            s2=replace(self.s2, pixels=pixels, observed=np.ones_like(self.s2.observed)),
            sigma=sigma,
            suspected=self.s2.observed & ~self.usable,
            reconstructed=replaced(self.s2, self.config),
            assessment=assessment,
            curve=tuple(self.fitting.curve),
            perceptual=self.fitting.context.perceptual,
            device=str(self.fitting.context.device),
            seconds=self.clock.seconds,
            notes=tuple(getattr(fit, "notes", ())),
            contradictions=self._contradictions(self.usable),
        )

    def _with_filled(
        self, assessment: Assessment | None, result: Float32, candidates: Candidates, clouded: Bool
    ) -> Assessment | None:
        """The assessment, with what is known of the pixels that were filled on acquired dates."""
        if assessment is None:
            return None
        missing = ~self.s2.observed & self.acquired[:, None, None]
        filled = filled_dates(result, _plain(self.s2, self.s2.observed), candidates, missing, clouded)
        return replace(assessment, filled=filled)

    def _shown(self, visible: Bool) -> Observations:
        """What a method gets to see: the `visible` pixels, those of contradicting dates on the level of the others."""
        pixels = self.s2.pixels - self._deviations(visible)
        return blank(replace(self.observations, s2=replace(self.s2, pixels=pixels)), visible)

    def _deviations(self, visible: Bool) -> Float32:
        """(T, C, 1, 1) of contradicting dates, else 0: by what is visible alone, so that nothing hidden leaks."""
        return deviations(self._contradictions(visible), self.s2.shape)

    def _contradictions(self, visible: Bool) -> tuple[Contradiction, ...]:
        s2 = self.s2
        return contradicting_dates(s2.pixels, visible, s2.days, s2.bands, self.validation)

    def _unsuspected(self, observed: Bool) -> Bool:
        """`observed` without what is probably a missed cloud."""
        s2 = self.s2
        return observed & ~suspected_clouds(s2.pixels, observed, s2.days, s2.bands, self.validation)

    def _kinds(self, visible: Bool) -> tuple[Float32, Bool]:
        """(T, H, W) days of the gap around each pixel, and (T,) the fully clouded dates."""
        return gap_length(visible, self.s2.days), fully_clouded_dates(visible, self.validation)

    def _candidates(self, fit: Fit, visible: Bool) -> tuple[Candidates, Candidates]:
        """Candidates to blend, interpolation first; and those scored beside the result.

        The method gets what is blanked, so that it cannot leak what it is scored on. A contradicting date gets its own
        level back: what is filled of it goes with what is delivered of it as observed.
        """
        self.fitting.context.check_stop()
        shown = self._shown(visible)
        predicted = fit.predict(shown)
        missing = sorted(set(self.info.candidates) - set(predicted))
        assert not missing, f"method {self.info.name} predicts no {', '.join(missing)}"
        linear = interpolate_from_others(shown.s2.pixels, visible, self.s2.days)
        back = self._deviations(visible)
        blended = {name: predicted[name] + back for name in self.info.blended}
        return {LINEAR: linear + back, **blended}, {name: predicted[name] + back for name in self.info.shown}

    def _look(self, fit: Fit) -> float | None:
        """PSNR of the followed candidate on the held-out pixels, dB."""
        if self.info.followed is None or not self.held_out.any():
            return None
        predicted = fit.predict(self._shown(self.visible))[self.info.followed] + self._deviations(self.visible)
        self.show(predicted)
        return psnr(predicted, self.s2.pixels, where=self.held_out)
