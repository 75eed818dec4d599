"""A process that runs one task after another, as `workers.Worker` sends them; started by it alone.

It dies with the process that started it: the end of their connection is the end of this process.
"""

import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from seq2seq.comparison.case import Case, Outcome
from seq2seq.comparison.running import reason_of, run_method
from seq2seq.comparison.sharing import SharedObservations
from seq2seq.comparison.task import Task
from seq2seq.nn.devices import choose_device
from seq2seq.nn.vgg import Perceptual, resolve_perceptual
from seq2seq.progress import OnProgress, Progress, never_stop

# What a process says when it has loaded all that it needs.
READY = "ready"
# Of what a method reports about its progress, at most this often something is sent.
_INTERVAL_S = 0.2


class TaskRunner:
    """Runs tasks; the last input, and the last case, stay in memory for the next one."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._case: Case | None = None
        self._perceptual: tuple[tuple[tuple[str, ...], str], Perceptual] | None = None

    def run(self, task: Task, shared: SharedObservations, device: str, on_progress: OnProgress) -> Outcome:
        """Runs the method on `device`, see `devices.choose_device`. What goes wrong is the outcome's reason."""
        try:
            case = self._case_of(task, shared)
            perceptual = self._perceptual_of(task, shared.s2.bands, device)
        except Exception as error:  # as what goes wrong in a method: the others go on
            return Outcome(task.case, task.method, reason=reason_of(error))
        config = task.config.replace(device=device)
        return run_method(case, config, perceptual=perceptual, on_progress=on_progress, should_stop=never_stop)

    def _case_of(self, task: Task, shared: SharedObservations) -> Case:
        if self._case is None or (self._folder, self._case.name) != (shared.folder, task.case):
            self._case = None  # two of them would be in memory
            self._case = Case(task.case, shared.read(), task.config.validation)
            self._folder = shared.folder
        return self._case

    def _perceptual_of(self, task: Task, bands: tuple[str, ...], device: str) -> Perceptual:
        if self._perceptual is None or self._perceptual[0] != (bands, device):
            self._perceptual = (bands, device), resolve_perceptual(task.config, bands, choose_device(device))
        return self._perceptual[1]


def _now_and_then(send: Callable[[Progress], None]) -> OnProgress:
    """What shows where the bar stands; lines of a method are not shown in a comparison."""
    last = -_INTERVAL_S

    def on_progress(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= _INTERVAL_S:
            last = time.monotonic()
            send(progress)

    return on_progress


def _receive(connection: Connection, received: "queue.SimpleQueue[Any]") -> None:
    """Always listens, so that the end of the other process is noticed in the middle of a method."""
    while True:
        try:
            received.put(connection.recv())
        except (EOFError, OSError):
            os._exit(1)


def main() -> None:
    """Runs until the connection, whose descriptor is the only argument, ends."""
    connection = Connection(int(sys.argv[1]))
    kind: type[TaskRunner] = connection.recv()
    runner = kind()
    connection.send(READY)
    received: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(connection, received), daemon=True).start()
    while True:
        task, shared, device = received.get()
        connection.send(runner.run(task, shared, device, _now_and_then(connection.send)))


if __name__ == "__main__":
    main()
