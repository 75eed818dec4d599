"""The data folder of `decloud serve`: private, and one server's at a time."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from worker.errors import ServiceError

# Who serves this folder: {"pid": ..., "url": ...}. Whether anybody does, only the lock on it shows.
LOCK = "serve.lock"
# The first API key, for whoever may read the folder.
KEY = "key"
_TRIES = 5


class CannotServe(ServiceError):  # noqa: N818  named as the operator sees it
    """Raised where the server cannot start, with what is to be changed."""

    code = "cannot-serve"


@contextmanager
def held(folder: Path) -> Iterator[IO[str]]:
    """Holds the folder, made where it is missing, readable by its owner alone, and locked until the end.

    The lock goes with the process, however that ends. Gives the lock's file, for `announce`. Raises `CannotServe`.
    """
    try:
        _make(folder)
        with open(folder / LOCK, "a+", encoding="utf-8") as file:
            _lock(folder, file)
            yield file
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        raise CannotServe(f"{error.filename or folder}: cannot be the data folder ({error.strerror})") from error


def announce(lock: IO[str], url: str) -> None:
    """Writes into the lock's file who serves, and where."""
    lock.seek(0)
    lock.truncate()
    json.dump({"pid": os.getpid(), "url": url}, lock)
    lock.flush()


def server_of(folder: Path) -> dict[str, Any] | None:
    """The entry of the server of this folder (pid, url); None where none serves it now."""
    try:
        with open(folder / LOCK, encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                entry = json.loads(file.read() or "{}")
                return entry if isinstance(entry, dict) and "url" in entry else None
    except (OSError, ValueError):
        return None
    return None


def _make(folder: Path) -> None:
    is_ours = (folder / LOCK).exists()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if is_ours or not any(folder.iterdir()):  # a folder with other things in it may be meant to be seen
        with suppress(PermissionError):  # a volume that belongs to another and is lent to us
            folder.chmod(0o700)
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise CannotServe(f"{folder}: no permission to write there; choose another folder with --data")


def _lock(folder: Path, file: IO[str]) -> None:
    for _ in range(_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:  # another server, or somebody who just looks whether there is one
            time.sleep(0.05)
    entry: dict[str, Any] = {}
    with suppress(ValueError):
        file.seek(0)
        entry = json.loads(file.read())
    who = f" at {entry['url']}, process {entry['pid']}" if {"url", "pid"} <= set(entry) else ""
    raise CannotServe(f"{folder}: is served already{who}")
