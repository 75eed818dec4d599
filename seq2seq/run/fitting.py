"""One fit of a method, driven to its end: stages cached, steps in time, progress, checkpoint, stop."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from seq2seq.errors import DivergedError, Stopped
from seq2seq.methods.base import Arrays, Fit, Method, MethodInfo, RunContext
from seq2seq.progress import OnProgress, Progress, ShouldStop
from seq2seq.run.checkpoint import Checkpoint
from seq2seq.run.clock import Clock, Pace
from seq2seq.run.result import CurvePoint
from seq2seq.sequence import Observations

CHECKPOINT_EVERY_S = 30.0
SCORED_TIMES = 3  # looks at the held-out pixels during the fit, for the curve; they decide nothing
PREPARING, FITTING = "preparing", "fitting"
REFIT = ", with all pixels"  # after the phases of the second fit
# Of a time budget, kept for predicting after the fit, as a multiple of what preparing took.
PREDICTION_RESERVE = 0.25
# Of a time budget, the share for preparing. The second time it gets as long, because blend and uncertainty are those of
# the first.
PREPARING_SHARE = 0.2
# Of a time budget for steps, the first fit's share where there is time for a second. Preparing again is worth more than
# steps (benchmarks/METHOD.md), so the second fit is made wherever it can be.
FIRST_SHARE = 0.5


@dataclass
class Fitting:
    """The two fits of a run, and what they share. prepared_s: of preparing, the longer of both; curve: of the first."""

    info: MethodInfo
    method: Method
    context: RunContext
    clock: Clock
    pace: Pace
    checkpoint: Checkpoint
    on_progress: OnProgress
    should_stop: ShouldStop
    curve: list[CurvePoint] = field(default_factory=list)
    prepared_s: float = 0.0

    def run(
        self, name: str, visible: Observations, warm: Fit | None, look: Callable[[Fit], float | None] | None
    ) -> Fit:
        """Makes the fit `name` of what is visible, to the end of its steps or of its time.

        warm: the first fit, where this is the second. look: dB of the followed candidate on the held-out pixels, where
        there is one to follow.
        """
        first = warm is None
        stages = _Stages(self, name, PREPARING + ("" if first else REFIT))
        context = replace(
            self.context, seconds=self.clock.share_s(PREPARING_SHARE), cached=stages.cached, expect=stages.expect
        )
        fit = self.method.start(visible, context, warm)
        self.prepared_s = max(self.prepared_s, self.clock.end_phase(PREPARING))
        if fit.steps_total:
            _Steps(self, name, fit, first, look).run()
            self.clock.end_phase(FITTING)
        return fit

    def time_for_refit(self) -> bool:
        """Tells whether the method is worth a second fit, and the budget allows it."""
        remaining = self.clock.remaining_s()
        in_time = remaining is None or remaining > (1 + PREDICTION_RESERVE) * self.prepared_s
        return self.info.refits and in_time

    def expected_s(self, to_do: Mapping[str, float]) -> float:
        """Estimates the seconds to the end, by the pace so far: before the first step there is no other to go by.

        to_do: shares of the stages that are made in any case, however little of the budget remains.
        """
        remaining, expected = self.clock.remaining_s(), self.pace.remaining_s()
        if remaining is None:
            return expected
        return max(min(expected, remaining), self.pace.seconds(sum(to_do.values())))


class _Stages:
    """Caches the stages of one `start` in the checkpoint, reports how many there are, and learns the machine's pace."""

    def __init__(self, fitting: Fitting, name: str, phase: str) -> None:
        self._fitting, self._name, self._phase = fitting, name, phase
        self._to_do: dict[str, float] = {}
        self._count, self._began = 0, time.monotonic()

    def expect(self, shares: Mapping[str, float]) -> None:
        """Takes the stages to come, each with its share of the time of `start`."""
        of_run = self._fitting.info.preparing_share
        self._to_do = {stage: of_run * share for stage, share in shares.items()}
        self._count, self._began = len(shares), time.monotonic()
        self._report()

    def cached(self, stage: str, make: Callable[[], Arrays]) -> Arrays:
        """The arrays of a stage, from the checkpoint where they are there."""
        made = False

        def making() -> Arrays:
            nonlocal made
            made = True
            return make()

        arrays = self._fitting.checkpoint.cached(f"{self._name}-{stage}", making)
        now = time.monotonic()
        # what lies between two stages belongs to the second
        self._fitting.pace.note(self._to_do.pop(stage, 0.0), now - self._began if made else None)
        self._began = now
        self._report()
        return arrays

    def _report(self) -> None:
        if self._count:
            done, eta_s = self._count - len(self._to_do), self._fitting.expected_s(self._to_do)
            self._fitting.on_progress(Progress(self._phase, step=done, of=self._count, eta_s=eta_s))


class _Steps:
    """Makes steps until the schedule or the time is over; a checkpoint now and then, and on a stop."""

    def __init__(
        self, fitting: Fitting, name: str, fit: Fit, first: bool, look: Callable[[Fit], float | None] | None
    ) -> None:
        self._fitting, self._name, self._fit, self._first, self._look = fitting, name, fit, first, look

    def run(self) -> None:
        """All of them. Raises `Stopped` after a checkpoint."""
        fit, total = self._fit, self._fit.steps_total
        self._load()
        self._resumed_at = fit.steps_done
        saved_at = began = time.monotonic()
        until = self._seconds()
        looks = self._looks(total) if until is None else set()
        while fit.steps_done < total and (until is None or time.monotonic() - began < until):
            if self._fitting.should_stop():
                self._save()
                raise Stopped(f"step {fit.steps_done} of {total}")
            loss = fit.step(None if until is None else (time.monotonic() - began) / until)
            self._check(loss)
            now = time.monotonic()
            if self._first:
                psnr = self._look(fit) if self._look is not None and fit.steps_done in looks else None
                self._fitting.curve.append(CurvePoint(fit.steps_done, loss, psnr, now - began))
            self._report(loss, now - began)
            if now - saved_at > CHECKPOINT_EVERY_S:
                self._save()
                saved_at = now
        self._save()

    def _check(self, loss: float) -> None:
        """Raises `DivergedError` where the loss is no number; the checkpoint stays that of before."""
        if not math.isfinite(loss):
            raise DivergedError(
                f"method {self._fitting.info.name} diverged: its loss is {loss:g} at step {self._fit.steps_done} of "
                f"{self._fit.steps_total}; a lower learning rate or another seed may help"
            )

    def _looks(self, total: int) -> set[int]:
        """After which steps the held-out pixels are looked at."""
        return {round(total * k / SCORED_TIMES) for k in range(1, SCORED_TIMES + 1)} if self._first else set()

    def _seconds(self) -> float | None:
        """Seconds that the steps may take, None without a budget.

        Predictions take a share of the time to prepare. The first fit leaves room for a second one where two fit.
        """
        prepared_s, remaining = self._fitting.prepared_s, self._fitting.clock.remaining_s()
        if remaining is None:
            return None
        remaining -= 2 * PREDICTION_RESERVE * prepared_s  # to score, and to deliver
        second = (1 + 2 * PREDICTION_RESERVE) * prepared_s
        if self._first and self._fitting.info.refits and remaining > second:
            return (remaining - second) * FIRST_SHARE
        return max(remaining, 0.0)

    def _report(self, loss: float, taken: float) -> None:
        fit, fitting = self._fit, self._fitting
        pace = taken / max(fit.steps_done - self._resumed_at, 1)
        eta = pace * (fit.steps_total - fit.steps_done) + PREDICTION_RESERVE * fitting.prepared_s
        if self._first and fitting.info.refits:
            eta += (1 + PREDICTION_RESERVE) * fitting.prepared_s + pace * fitting.info.refit_share * fit.steps_total
        remaining = fitting.clock.remaining_s()
        unavoidable = (2 if self._first else 1) * PREDICTION_RESERVE * fitting.prepared_s
        found = [point.holdout_psnr for point in fitting.curve if point.holdout_psnr is not None]
        fitting.on_progress(
            Progress(
                FITTING + ("" if self._first else REFIT),
                step=fit.steps_done,
                of=fit.steps_total,
                loss=loss,
                holdout_psnr=next(reversed(found), None),
                eta_s=eta if remaining is None else max(unavoidable, min(eta, remaining)),
            )
        )

    def _load(self) -> None:
        state = self._fitting.checkpoint.load_state(self._name, self._fitting.context.device)
        if state is not None:
            self._fit.load_state_dict(state["fit"])
            self._fitting.curve[:] = [CurvePoint(*point) for point in state["curve"]]

    def _save(self) -> None:
        curve = [(p.step, p.loss, p.holdout_psnr, p.seconds) for p in self._fitting.curve]
        self._fitting.checkpoint.save_state(self._name, {"fit": self._fit.state_dict(), "curve": curve})
