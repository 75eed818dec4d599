"""Processes that run the methods of a comparison, several at once: what each is given, and how each ends.

They are fresh interpreters, since a fork of a process that has used threads or a GPU may hang, in a process group of
their own, so that Ctrl-C reaches the one that decides what to do about it alone.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Pipe, wait
from typing import Self

from seq2seq.comparison.case import Outcome
from seq2seq.comparison.child import READY, TaskRunner
from seq2seq.comparison.in_turn import OnTaskProgress
from seq2seq.comparison.running import limit_s, overtime
from seq2seq.comparison.sharing import SharedObservations
from seq2seq.comparison.task import Task
from seq2seq.errors import DecloudError, Stopped
from seq2seq.progress import Progress, ShouldStop

_LOOK_S = 0.2
# From the end of a connection to that of its process.
_ENDING_S = 5.0
# A method stops itself when its time is over, and is scored outside of it: beyond so much more it hangs.
UNRESPONSIVE_S = 300.0
_MEMORY = "most likely for lack of memory; fewer jobs, or a smaller max_memory_gb, need less"


class NoProcessError(DecloudError):
    """No process for the methods can be started."""

    code = "no-process"


def ending(code: int) -> str:
    """Words how a process ended. code: its exit code, or minus the signal."""
    if code >= 0:
        return f"its process ended with exit code {code}"
    name = (signal.strsignal(-code) or "unknown").lower()
    why = f", {_MEMORY}" if -code == signal.SIGKILL else ""
    return f"its process was ended by signal {-code} ({name}){why}"


class Worker:
    """One process, and the task that it has. most: tasks that all processes had at a time since it got its own."""

    def __init__(self, runner: type[TaskRunner], device: str, threads: int) -> None:
        self.device, self.most = device, 1
        self.task: Task | None = None
        self.is_ready = False
        self._began = 0.0
        self.connection, theirs = Pipe()
        try:
            self._process = subprocess.Popen(
                # -P: nothing in the working directory stands in for a module
                [sys.executable, "-P", "-m", TaskRunner.__module__, str(theirs.fileno())],
                env={**os.environ, "PYTHONPATH": _search_path(), "OMP_NUM_THREADS": str(threads)},
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                process_group=0,
            )
        except BaseException:
            self.connection.close()
            raise
        finally:
            theirs.close()
        self._send(runner)

    def begin(self, task: Task, shared: SharedObservations) -> None:
        """Gives it `task`."""
        self.task, self.most, self._began = task, 1, time.monotonic()
        self._send((task, shared, self.device))

    @property
    def hangs(self) -> bool:
        """Whether its method is long over its time and has not stopped."""
        limit = None if self.task is None else limit_s(self.task.config)
        return limit is not None and time.monotonic() > self._began + limit + UNRESPONSIVE_S

    def received(self) -> Iterator[Progress | Outcome]:
        """What it has sent. Raises EOFError where its process has ended."""
        try:
            while self.connection.poll():
                message = self.connection.recv()
                if message == READY:
                    self.is_ready = True
                else:
                    yield message
            # What it has started itself may hold the connection open.
            ended = self._process.poll() is not None and not self.connection.poll()
        except OSError as error:
            raise EOFError from error
        if ended:
            raise EOFError

    def end(self, *, within_s: float = 0.0) -> int:
        """Ends the process, after it has had time to do so itself; returns its exit code, or minus the signal."""
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            self.connection.close()

    def _send(self, message: object) -> None:
        with suppress(OSError):  # it has ended: `received` says so
            self.connection.send(message)


# long: the whole life of a set of processes
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
        self._free = list(devices)
        self._threads, self._memory_gb, self._should_stop, self._runner = threads, memory_gb, should_stop, runner
        self._workers: list[Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()

    def outcomes(
        self, tasks: Sequence[Task], shared: SharedObservations, on_progress: OnTaskProgress
    ) -> Iterator[tuple[Task, Outcome]]:
        """Yields what each task came to, as it ends. Raises `Stopped`, `NoProcessError`."""
        waiting = list(tasks)
        while waiting or self._busy:
            stops = self._should_stop()
            if not stops:
                self._hand_out(waiting, shared)
                wait([worker.connection for worker in self._workers], _LOOK_S)
            for worker in list(self._workers):
                yield from self._listen(worker, waiting, on_progress)
            if stops:
                raise Stopped("between two tasks")

    @property
    def _busy(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.task is not None]

    def _hand_out(self, waiting: list[Task], shared: SharedObservations) -> None:
        """Begins what memory allows, the first ones first."""
        while (task := self._next(waiting)) is not None and (worker := self._idle()) is not None:
            waiting.remove(task)
            worker.begin(task, shared)
            for each in self._busy:
                each.most = max(each.most, len(self._busy))

    def _next(self, waiting: Sequence[Task]) -> Task | None:
        taken = sum(self._memory_of(worker.task) for worker in self._busy if worker.task)
        return next((task for task in waiting if not taken or taken + self._memory_of(task) <= self._memory_gb), None)

    def _memory_of(self, task: Task) -> float:
        """One that does not fit by itself is refused as soon as it begins."""
        return 0.0 if task.memory_gb > self._memory_gb else task.memory_gb

    def _idle(self) -> Worker | None:
        """One without a task, a new one where there may be more."""
        idle = next((worker for worker in self._workers if worker.task is None), None)
        if idle is None and self._free:
            try:
                idle = Worker(self._runner, self._free[0], self._threads)
            except OSError as error:
                del self._free[0]
                self._check_any(str(error.strerror or error))
                return None
            self._workers.append(idle)
            del self._free[0]
        return idle

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
        task, how = worker.task, ending(worker.end(within_s=_ENDING_S))
        self._workers.remove(worker)
        if worker.is_ready:
            self._free.insert(0, worker.device)
            if task is not None:
                yield task, self._finish(worker, Outcome(task.case, task.method, reason=how))
        else:
            waiting[:0] = [task] if task is not None else []
            self._check_any(how)

    def _hung(self, worker: Worker) -> Iterator[tuple[Task, Outcome]]:
        task = worker.task
        assert task is not None, "nothing hangs without a task"
        worker.end()
        self._workers.remove(worker)
        self._free.insert(0, worker.device)
        reason = f"{overtime(task.config)}, and did not stop: its process was ended"
        yield task, self._finish(worker, Outcome(task.case, task.method, reason=reason))

    def _check_any(self, why: str) -> None:
        if not self._workers and not self._free:
            raise NoProcessError(f"no process for the methods has started: {why}; jobs 1 needs none")


def _search_path() -> str:
    """Where this process finds its modules: the fresh one finds the same."""
    return os.pathsep.join(path or os.getcwd() for path in sys.path)
