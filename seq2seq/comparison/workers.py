"""Processes that run the methods of a comparison, several at once: what each is given, and how each ends."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import wait
from typing import Self

from seq2seq.comparison.case import Outcome
from seq2seq.comparison.child import TaskRunner
from seq2seq.comparison.in_turn import OnTaskProgress
from seq2seq.comparison.running import limit_s, overtime
from seq2seq.comparison.task import Task
from seq2seq.errors import Stopped
from seq2seq.progress import Progress, ShouldStop
from seq2seq.shared_observations import SharedObservations
from seq2seq.subprocesses import Pool, Subprocess

_LOOK_S = 0.2
# A method stops itself when its time is over, and is scored outside of it: beyond so much more it hangs.
UNRESPONSIVE_S = 300.0
_MEMORY = "fewer jobs, or a smaller max_memory_gb, need less"


class Worker(Subprocess):
    """One process, and the task that it has. most: tasks that all processes had at a time since it got its own."""

    task: Task | None

    def __init__(self, runner: type[TaskRunner], device: str, threads: int) -> None:
        self.most, self._began = 1, 0.0
        super().__init__(TaskRunner.__module__, device, threads, runner)

    def begin(self, task: Task, shared: SharedObservations) -> None:
        """Gives it `task`."""
        self.task, self.most, self._began = task, 1, time.monotonic()
        self.send((task, shared, self.device))

    @property
    def hangs(self) -> bool:
        """Whether its method is long over its time and has not stopped."""
        limit = None if self.task is None else limit_s(self.task.config)
        return limit is not None and time.monotonic() > self._began + limit + UNRESPONSIVE_S


class Workers:
    """As many processes as there are `devices`, which are theirs; fewer where there is less to do.

    memory_gb: what their tasks may take together, as estimated. At the end of `with` all have ended.
    """

    def __init__(
        self,
        devices: Sequence[str],
        *,
        threads: int,
        memory_gb: float,
        should_stop: ShouldStop,
        runner: type[TaskRunner],
    ) -> None:
        self._memory_gb, self._should_stop = memory_gb, should_stop
        self._pool = Pool(
            devices,
            lambda device: Worker(runner, device, threads),
            what="the methods",
            without="jobs 1 needs none",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.__exit__()

    def outcomes(
        self, tasks: Sequence[Task], shared: SharedObservations, on_progress: OnTaskProgress
    ) -> Iterator[tuple[Task, Outcome]]:
        """Yields what each task came to, as it ends. Raises `Stopped`, `NoProcessError`."""
        waiting = list(tasks)
        while waiting or self._pool.busy:
            stops = self._should_stop()
            if not stops:
                self._hand_out(waiting, shared)
                wait([worker.connection for worker in self._pool.members], _LOOK_S)
            for worker in list(self._pool.members):
                yield from self._listen(worker, waiting, on_progress)
            if stops:
                raise Stopped("between two tasks")

    def _hand_out(self, waiting: list[Task], shared: SharedObservations) -> None:
        """Begins what memory allows, the first ones first."""
        while (task := self._next(waiting)) is not None and (worker := self._pool.idle()) is not None:
            waiting.remove(task)
            worker.begin(task, shared)
            for each in self._pool.busy:
                each.most = max(each.most, len(self._pool.busy))

    def _next(self, waiting: Sequence[Task]) -> Task | None:
        taken = sum(self._memory_of(worker.task) for worker in self._pool.busy if worker.task)
        return next((task for task in waiting if not taken or taken + self._memory_of(task) <= self._memory_gb), None)

    def _memory_of(self, task: Task) -> float:
        """One that does not fit by itself is refused as soon as it begins."""
        return 0.0 if task.memory_gb > self._memory_gb else task.memory_gb

    def _listen(
        self, worker: Worker, waiting: list[Task], on_progress: OnTaskProgress
    ) -> Iterator[tuple[Task, Outcome]]:
        try:
            for message in worker.received():
                task = worker.task
                assert task is not None, "nothing is said without a task"
                if isinstance(message, Progress):
                    on_progress(task, message)
                else:
                    yield task, self._finish(worker, message)
        except EOFError:
            yield from self._ended(worker, waiting)
        else:
            if worker.hangs:
                yield from self._hung(worker)

    def _finish(self, worker: Worker, outcome: Outcome) -> Outcome:
        worker.task = None
        return replace(outcome, jobs=worker.most)

    def _ended(self, worker: Worker, waiting: list[Task]) -> Iterator[tuple[Task, Outcome]]:
        """Its task failed with it. One that has not even started begins nothing again, and the others do its task."""
        task = worker.task
        if task is not None and not worker.is_ready:
            waiting.insert(0, task)
        how = self._pool.ended(worker, _MEMORY)
        if task is not None and worker.is_ready:
            yield task, self._finish(worker, Outcome(task.case, task.method, reason=how))

    def _hung(self, worker: Worker) -> Iterator[tuple[Task, Outcome]]:
        task = worker.task
        assert task is not None, "nothing hangs without a task"
        self._pool.kill(worker)
        reason = f"{overtime(task.config)}, and did not stop: its process was ended"
        yield task, self._finish(worker, Outcome(task.case, task.method, reason=reason))
