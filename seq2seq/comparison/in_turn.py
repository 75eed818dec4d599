"""Methods one after another in this process, so that their seconds can be held against each other."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from seq2seq.comparison.case import Case, Outcome
from seq2seq.comparison.running import run_method
from seq2seq.comparison.task import OpenInput, Task
from seq2seq.progress import Progress, ShouldStop

OnTaskProgress = Callable[[Task, Progress], None]


class InTurn:
    """Runs tasks in their order. jobs: how many at once."""

    jobs = 1

    def __init__(self, should_stop: ShouldStop) -> None:
        self._should_stop = should_stop

    def outcomes(
        self, given: OpenInput, tasks: Sequence[Task], on_progress: OnTaskProgress
    ) -> Iterator[tuple[Task, Outcome]]:
        """Yields what each task came to, as it ends. Raises `Stopped` where `should_stop` said so."""
        observations = given.source.read()
        case: Case | None = None
        for task in tasks:
            if case is None or case.name != task.case:
                case = Case(task.case, observations, task.config.validation)
            yield (
                task,
                run_method(
                    case,
                    task.config,
                    perceptual=given.perceptual,
                    on_progress=partial(on_progress, task),
                    should_stop=self._should_stop,
                ),
            )
