"""A process that runs one task after another, as `workers.Worker` sends them; started by it alone.

It dies with the process that started it: the end of their connection is the end of this process.
"""

from pathlib import Path

from seq2seq.comparison.case import Case, Outcome
from seq2seq.comparison.running import reason_of, run_method
from seq2seq.comparison.task import Task
from seq2seq.nn.devices import choose_device
from seq2seq.nn.vgg import Perceptual, resolve_perceptual
from seq2seq.progress import OnProgress, never_stop
from seq2seq.shared_observations import SharedObservations
from seq2seq.subprocesses import READY, Parent, now_and_then


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


def main() -> None:
    """Runs until the connection, whose descriptor is the only argument, ends."""
    parent = Parent()
    kind: type[TaskRunner] = parent.receive()
    runner = kind()
    parent.send(READY)
    while True:
        task, shared, device = parent.receive()
        parent.send(runner.run(task, shared, device, now_and_then(parent.send)))


if __name__ == "__main__":
    main()
