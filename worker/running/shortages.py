"""What a machine may lack for a while: disk space, descriptors, processes, memory, its work folder. One table for all.

No job is to blame for it: it is waited out, costs no attempt, and is said to users and operators in the same words.
"""

import contextlib
import errno
import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SPACE, HOST, FOLDER = "storage-full", "worker-exhausted", "work-folder-unusable"
# What one job takes in its supervisor's process: pipes, its log, a connection; with some to spare.
_DESCRIPTORS = 12
# More would be no use, and some programs walk through all that they may have.
_MOST_DESCRIPTORS = 1 << 20

_HOST = {
    errno.EMFILE: "the worker has as many files open as one process may",
    errno.ENFILE: "as many files are open as the machine allows",
    errno.EAGAIN: "no further process or thread may be started",
    errno.ENOMEM: "there is no memory to start a process with",
}
_FOLDER = {
    errno.EROFS: "is read-only",
    errno.EACCES: "does not let the worker in",
    errno.EPERM: "does not let the worker in",
    errno.ENOENT: "is gone",
    errno.ENOTDIR: "is not a folder",
    errno.EEXIST: "is not a folder",
    errno.ELOOP: "is not a folder",
    errno.ESTALE: "is gone",
    errno.EIO: "cannot be read or written",
    errno.ENXIO: "cannot be read or written",
}
_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
# Each may as well be a mistake of ours; it is the folder's where that is not there any more.
_PERHAPS = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.ELOOP})
_NO_THREAD = "can't start new thread"
# As libraries print it that do not raise OSError: the dynamic linker, OpenMP, OpenBLAS.
_PRINTED = {
    **{os.strerror(number): number for number in (errno.EMFILE, errno.ENFILE, errno.EAGAIN)},
    _NO_THREAD: errno.EAGAIN,
}


@dataclass(frozen=True)
class Shortage:
    """Says what is lacking. code: SPACE, HOST or FOLDER. detail: one sentence for a job's owner.

    number: the kernel's, of `errno`.
    """

    code: str
    detail: str
    number: int
    free_bytes: int | None = None

    @property
    def reason(self) -> dict[str, Any]:
        """The reason of a job that waits."""
        free = {"free_bytes": self.free_bytes} if self.code == SPACE else {}
        return {"code": self.code, "detail": self.detail, **free}


def of_number(number: int, *, free_bytes: int | None = None) -> Shortage | None:
    """Finds the shortage by an `errno` that is known to be about the host or the work folder."""
    if number in _SPACE:
        free = "" if free_bytes is None else f" ({free_bytes / 2**20:,.0f} MiB free)"
        return Shortage(SPACE, f"There is no disk space left for this job{free}.", number, free_bytes)
    if number in _HOST:
        return Shortage(HOST, f"The worker's machine is short: {_HOST[number]}.", number)
    if number in _FOLDER:
        return Shortage(FOLDER, f"The worker's folder {_FOLDER[number]}.", number)
    return None


def of_error(error: BaseException, root: Path, *, is_lost: bool) -> Shortage | None:
    """Finds what `error`, or its cause, tells of the host or of the work folder `root`. None: it may be our bug.

    is_lost: the attempt's own folder, below `root`, is gone or another one.
    """
    for cause in _causes(error):
        number = _number(cause)
        if number is not None and (number not in _FOLDER or _is_about(cause, number, root, is_lost)):
            return of_number(number, free_bytes=free_bytes(root))
    return None


def of_output(printed: str) -> Shortage | None:
    """Finds what a program that ended by itself has printed of the host."""
    return next((of_number(number) for words, number in _PRINTED.items() if words in printed), None)


def look(root: Path) -> Shortage | None:
    """Finds what a job that began now would lack. Writes nothing."""
    try:
        with _opened(root, _DESCRIPTORS):
            if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
                is_read_only = bool(os.statvfs(root).f_flag & os.ST_RDONLY)
                return of_number(errno.EROFS if is_read_only else errno.EACCES)
    except OSError as error:
        return of_number(error.errno or 0)
    return None


def of_folder(root: Path, *, is_lost: bool) -> Shortage | None:
    """Looks as `look` does; an attempt's folder that is lost counts as well."""
    return look(root) or (of_number(errno.ENOENT) if is_lost else None)


def free_bytes(folder: Path) -> int | None:
    """Returns what is free on its disk; None where that cannot be known."""
    for there in (folder, *folder.parents):
        with contextlib.suppress(OSError):
            status = os.statvfs(there)
            return status.f_bavail * status.f_frsize
    return None


def use_all_descriptors() -> tuple[int, int]:
    """Raises this process's limit of open files to what it may be; returns the limit before and now."""
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if before == resource.RLIM_INFINITY or before >= wanted:
        return before, before
    with contextlib.suppress(OSError, ValueError):  # macOS allows less than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return before, resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _number(cause: BaseException) -> int | None:
    if isinstance(cause, OSError):
        return cause.errno
    if isinstance(cause, MemoryError):
        return errno.ENOMEM
    return errno.EAGAIN if isinstance(cause, RuntimeError) and _NO_THREAD in str(cause) else None


def _is_about(cause: BaseException, number: int, root: Path, is_lost: bool) -> bool:
    if number in _PERHAPS or not _is_below(cause, root):
        return of_folder(root, is_lost=is_lost) is not None
    return True


def _is_below(cause: BaseException, root: Path) -> bool:
    names = (getattr(cause, "filename", None), getattr(cause, "filename2", None))
    paths = [Path(os.fsdecode(name)) for name in names if isinstance(name, str | bytes)]
    return any(not path.is_absolute() or path.is_relative_to(root) for path in paths)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


@contextlib.contextmanager
def _opened(folder: Path, count: int) -> Iterator[None]:
    with contextlib.ExitStack() as handles:
        for _ in range(count):
            handles.callback(os.close, os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
        yield
