"""Methods side by side, each in a process: quicker together, each slower than alone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from seq2seq.comparison.case import Outcome
from seq2seq.comparison.child import TaskRunner
from seq2seq.comparison.in_turn import OnTaskProgress
from seq2seq.comparison.task import OpenInput, Task
from seq2seq.comparison.workers import Workers
from seq2seq.config import ReconstructionConfig
from seq2seq.machine import share_devices, share_threads
from seq2seq.nn.devices import available_cores, available_devices
from seq2seq.progress import Progress, ShouldStop
from seq2seq.shared_observations import SharedObservations, shared_folder


@dataclass(frozen=True, eq=False)
class AtOnce:
    """Runs tasks in `workers`, up to `jobs` at once. folder: in it lies the sequence meanwhile, for them to see."""

    jobs: int
    workers: Workers
    folder: Path

    def outcomes(
        self, given: OpenInput, tasks: Sequence[Task], on_progress: OnTaskProgress
    ) -> Iterator[tuple[Task, Outcome]]:
        """Yields what each task came to, as it ends. Raises `Stopped`, `OutputError`, `NoProcessError`."""

        def on_eta(task: Task, progress: Progress) -> None:
            """One bar cannot show the scores of several methods."""
            on_progress(task, Progress(progress.phase, eta_s=progress.eta_s))

        shared = SharedObservations.write(given.source.read(), self.folder, without="jobs 1 needs no such files")
        try:
            yield from self.workers.outcomes(tasks, shared, on_eta)
        finally:
            shared.remove()


@contextmanager
def at_once(jobs: int, beside: Path, config: ReconstructionConfig, should_stop: ShouldStop) -> Iterator[AtOnce]:
    """Shares devices, threads and `config.max_memory_gb` among `jobs` processes, which end with the block.

    beside: folder where what they share may lie. Raises `OutputError`.
    """
    workers = Workers(
        share_devices(config.device, available_devices(), jobs),
        threads=share_threads(available_cores(), jobs),
        memory_gb=config.max_memory_gb,
        should_stop=should_stop,
        runner=TaskRunner,
    )
    with shared_folder(beside) as folder, workers:
        yield AtOnce(jobs, workers, folder)
