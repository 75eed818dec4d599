"""Methods of a comparison that end badly, for tests. Run as a program it is the command line with `Hanging`."""

import os
import signal
import time
from pathlib import Path

import torch

from seq2seq.comparison.case import Outcome
from seq2seq.comparison.child import TaskRunner
from seq2seq.nn.devices import available_cores

# A folder in which each process that hangs leaves a file, named by its number.
HANGS = "TEST_HANGS"


class Dying(TaskRunner):
    """`nearest` is killed, as the system does where memory ends, and `median` leaves; the others are as they are."""

    def run(self, task, shared, device, on_progress):
        """See `TaskRunner`."""
        if task.method == "nearest":
            os.kill(os.getpid(), signal.SIGKILL)
        if task.method == "median":
            os._exit(3)
        return super().run(task, shared, device, on_progress)


class Hanging(TaskRunner):
    """`median` never ends; the others are as they are."""

    def run(self, task, shared, device, on_progress):
        """See `TaskRunner`."""
        if task.method == "median":
            (Path(os.environ[HANGS]) / str(os.getpid())).touch()
            time.sleep(600)
        return super().run(task, shared, device, on_progress)


class Telling(TaskRunner):
    """Says what it has of the machine."""

    def run(self, task, shared, device, on_progress):
        """See `TaskRunner`."""
        return Outcome(task.case, task.method, reason=f"{device}, {available_cores()}, {torch.get_num_threads()}")


class NotStarting(TaskRunner):
    """Cannot be made."""

    def __init__(self):
        os._exit(7)


def main() -> None:
    """The command line."""
    import unruly_runners  # by a name that another process can find

    from seq2seq.commands.main import main as command_line
    from seq2seq.comparison import at_once

    at_once.TaskRunner = unruly_runners.Hanging
    command_line()


if __name__ == "__main__":
    main()
