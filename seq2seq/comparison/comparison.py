"""All methods on all cases: what was finished before is taken, the rest is run, and one bar is shown of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from seq2seq.comparison.case import Outcome
from seq2seq.comparison.in_turn import OnTaskProgress
from seq2seq.comparison.parts import Parts
from seq2seq.comparison.task import OpenInput, Task
from seq2seq.progress import OnProgress, Progress

PHASE = "comparing"


class Executor(Protocol):
    """A way to run tasks: `InTurn` or `AtOnce`."""

    @property
    def jobs(self) -> int:
        """How many run at once, at most."""

    def outcomes(
        self, given: OpenInput, tasks: Sequence[Task], on_progress: OnTaskProgress
    ) -> Iterator[tuple[Task, Outcome]]:
        """Yields what each task, of at least one, came to, as it ends, in any order."""


class Comparison:
    """The whole of a comparison: the tasks of each input; what is shown of it."""

    def __init__(
        self, tasks: Mapping[OpenInput, Sequence[Task]], parts: Parts, executor: Executor, on_progress: OnProgress
    ) -> None:
        self._tasks, self._parts, self._executor, self._on_progress = tasks, parts, executor, on_progress
        self._remaining_s = {task: task.expected_s for each in tasks.values() for task in each}
        self._of = len(self._remaining_s)

    def run(self) -> list[Outcome]:
        """Outcomes in the order of inputs and tasks; input by input, so that one of them is in memory at a time."""
        self._report()
        return [outcome for given in self._tasks for outcome in self._of_input(given)]

    def _of_input(self, given: OpenInput) -> list[Outcome]:
        fingerprint, tasks = given.source.info.fingerprint, self._tasks[given]
        done: dict[Task, Outcome] = {}
        for task in tasks:
            earlier = self._parts.find(fingerprint, task.case, task.config)
            if earlier is not None:
                done[task] = earlier
                self._ended(task)
        missing = [task for task in tasks if task not in done]
        if missing:
            for task, outcome in self._executor.outcomes(given, missing, self._passing_on):
                self._parts.keep(fingerprint, outcome, task.config)
                done[task] = outcome
                self._ended(task, _line(outcome))
        return [done[task] for task in tasks]

    def _passing_on(self, task: Task, progress: Progress) -> None:
        """What a method reports, as progress of the whole: one bar, however many methods there are."""
        if progress.eta_s is not None:
            self._remaining_s[task] = progress.eta_s
        eta_s = None if progress.eta_s is None else self._eta_s()
        self._report(loss=progress.loss, holdout_psnr=progress.holdout_psnr, eta_s=eta_s)

    def _ended(self, task: Task, message: str | None = None) -> None:
        del self._remaining_s[task]
        self._report(message=message)

    def _report(
        self,
        *,
        loss: float | None = None,
        holdout_psnr: float | None = None,
        eta_s: float | None = None,
        message: str | None = None,
    ) -> None:
        done = self._of - len(self._remaining_s)
        self._on_progress(
            Progress(PHASE, done, self._of, loss=loss, holdout_psnr=holdout_psnr, eta_s=eta_s, message=message)
        )

    def _eta_s(self) -> float:
        """Of all that is left, shared by as many as run at once; the longest takes its time, however many there are."""
        left = self._remaining_s.values()
        return max(sum(left) / self._executor.jobs, max(left))


def _line(outcome: Outcome) -> str:
    """`fields, cloud, seed 0: nearest 31.20 dB in 0.4 s`."""
    if outcome.result is None:
        return f"{outcome.case}: {outcome.method} not finished: {outcome.reason}"
    return f"{outcome.case}: {outcome.method} {outcome.result.scores.psnr:.2f} dB in {outcome.seconds:.1f} s"
