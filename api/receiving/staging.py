"""An upload's file while it grows: bytes at their place, and the sum of all so far. Its calls block."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from api.errors import Refusal
from worker.storage.files import CHUNK_BYTES, write_all, write_problem

if TYPE_CHECKING:
    from hashlib import _Hash


class StagedFile:
    """A file that only this process writes, open at `position`: what lies before is kept, what lies behind is not.

    digest: SHA-256 of everything before `position`; None where an earlier process wrote some of it.
    """

    def __init__(self, path: Path, position: int, digest: "_Hash | None") -> None:
        """Raises `Refusal` where another process is writing, or bytes that were stored are no longer there."""
        self.path = path
        self._handle = _open_alone(path)
        stored = os.fstat(self._handle).st_size
        if stored < position:
            self.close()
            raise Refusal(
                "upload-gone",
                f"{position} bytes were stored and {stored} are there: begin a new upload",
                offset=position,
                stored=stored,
            )
        os.lseek(self._handle, position, os.SEEK_SET)
        self.position = position
        self.digest = hashlib.sha256() if position == 0 else digest

    def write(self, content: bytes | bytearray) -> None:
        """Writes at `position`, which counts what is written whole. Raises `StorageFullError`, `StorageUnavailable`."""
        try:
            write_all(self._handle, content)
        except OSError as error:
            raise write_problem(error, "the upload", self.path.parent, self.position) from error
        if self.digest is not None:
            self.digest.update(content)
        self.position += len(content)

    def sync(self) -> None:
        """Makes what is written survive a power cut."""
        try:
            os.fdatasync(self._handle)
        except OSError as error:
            raise write_problem(error, "the upload", self.path.parent, self.position) from error

    def close(self) -> None:
        """Lets others write it."""
        os.close(self._handle)


def _open_alone(path: Path) -> int:
    """A descriptor with a lock on the file that has this name now."""
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            raise write_problem(error, "the upload", path.parent) from error
        if not _lock(handle):
            os.close(handle)
            raise _locked()
        if os.fstat(handle).st_nlink:
            return handle
        os.close(handle)  # moved or removed in the moment before it was locked


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keeps other processes from the file meanwhile. Raises `Refusal` where one has it, and FileNotFoundError."""
    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        if not _lock(handle):
            raise _locked()
        if not os.fstat(handle).st_nlink:
            raise FileNotFoundError(path)
        yield
    finally:
        os.close(handle)


def _locked() -> Refusal:
    return Refusal("upload-locked", "another server process is at work on this upload")


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_idle(path: Path) -> bool:
    """Whether no process is writing the file."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return _lock(handle)
    finally:
        os.close(handle)


def sha256_of(path: Path, length: int) -> str:
    """The sum of the first `length` bytes, which are then all there is."""
    with path.open("r+b") as file:
        file.truncate(length)
        digest = hashlib.sha256()
        while piece := file.read(CHUNK_BYTES):
            digest.update(piece)
    return digest.hexdigest()
