"""How a process that works in an attempt's folder ends: whatever is raised becomes an exit code and error.json."""

import contextlib
import errno
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from worker.errors import one_line
from worker.processes.parent_link import message_pipe
from worker.running import shortages
from worker.running.job_folder import BAD_INPUT, BUG, DONE, ERROR, OUT_OF_MEMORY, SHORT, STOPPED

# What torch says besides, in a plain RuntimeError.
_NO_MEMORY = ("can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")

Report = Callable[..., None]
ShouldStop = Callable[[], bool]


class BadInput(Exception):  # noqa: N818
    """The user's files were refused; `problem` says why."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("detail", ""))
        self.problem = problem


def concluded(work: Callable[[], None]) -> int:
    """Works in the current folder and says how it ended."""
    from seq2seq.errors import DecloudError, OutputError, Stopped

    Path(ERROR).unlink(missing_ok=True)
    here = Path.cwd()  # it may be gone when it is asked for
    try:
        work()
    except Stopped:
        return STOPPED
    except BadInput as refused:
        return _end(BAD_INPUT, **refused.problem)
    except OutputError as error:
        return _cannot_write(error, here)
    except DecloudError as error:
        return _end(BAD_INPUT, code=error.code, detail=str(error))
    except Exception as error:
        if _is_out_of_memory(error):
            return _end(OUT_OF_MEMORY, code="out-of-memory", detail=one_line(error))
        return _short(error, shortages.of_error(error, here.parent.parent, is_lost=_is_lost(here)))
    return DONE


def reporter() -> Report:
    """Returns what sends one JSON line into the supervisor's pipe; without a supervisor nothing is sent."""
    pipe = message_pipe()

    def report(kind: str, **values: Any) -> None:
        if pipe is not None:
            os.write(pipe, (json.dumps({"kind": kind, **values}) + "\n").encode())

    return report


def _is_out_of_memory(error: BaseException) -> bool:
    """Python's, numpy's, torch's on a GPU and torch's on the CPU, which is no type of its own."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"MemoryError", "OutOfMemoryError"}) or any(words in str(error) for words in _NO_MEMORY)


def _cannot_write(error: BaseException, here: Path) -> int:
    """Torch does not say why it could not write: then it was for want of space."""
    found = shortages.of_error(error, here.parent.parent, is_lost=_is_lost(here))
    if found is None and not isinstance(error.__cause__, PermissionError):
        found = shortages.of_number(errno.ENOSPC, free_bytes=shortages.free_bytes(here))
    return _short(error, found)


def _is_lost(here: Path) -> bool:
    """Whether another folder, or none, lies where this process began to work."""
    try:
        return not os.path.samefile(here, ".")
    except OSError:
        return True


def _short(error: BaseException, found: shortages.Shortage | None) -> int:
    """What the machine lacks passes, or the operator mends it; what else ended the job is a bug."""
    if found is None:
        return _bug()
    print(f"decloud: {one_line(error)}", file=sys.stderr)
    return _end(SHORT, **found.reason)


def _bug() -> int:
    """The trace is for the operator's log alone."""
    traceback.print_exc()
    return BUG


def _end(status: int, **problem: Any) -> int:
    try:
        Path(ERROR).write_text(json.dumps(problem))
    except OSError:  # a full disk cannot be reported in a file; the exit code reports it
        with contextlib.suppress(OSError):
            Path(ERROR).unlink()
    return status


def leave(status: int) -> NoReturn:
    """Ends at once: no thread is waited for, and no signal or library can change the status any more."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
