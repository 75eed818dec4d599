"""What one fetch may use: bytes in all, room on the disk, and the patience with a server that hardly sends anything."""

import errno
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from seq2seq.errors import DecloudError
from seq2seq.fetching.failures import FetchError

# So many bytes in so long a time are the least; it outlasts the retries of an outage of a minute.
_WINDOW_S, _LEAST_BYTES = 180.0, 128 * 1024
_LOOK_BYTES = 32 * 2**20


class InputTooLargeError(DecloudError):
    """What is to be fetched has more bytes, or pixels, than an input may have."""

    code = "input-too-large"


class Budget:
    """Counts bytes against `max_bytes`, and keeps `floor_bytes` of the disk of `folder` free."""

    def __init__(self, folder: Path, *, max_bytes: int, floor_bytes: int) -> None:
        self._folder, self.max_bytes, self._floor_bytes = folder, max_bytes, floor_bytes
        self._done, self._looked_at = 0, 0

    @property
    def left(self) -> int:
        """Bytes that may still come."""
        return self.max_bytes - self._done

    def check(self, size: int, *, lacking: int | None = None) -> None:
        """Checks the next file. lacking: of its `size` bytes.

        Raises `InputTooLargeError`, and OSError where there is no room.
        """
        if size > self.left:
            before = f" after {self._done:,} of other files" if self._done else ""
            raise InputTooLargeError(f"has {size:,} bytes{before}, an input may have {self.max_bytes:,}")
        self.check_room(size if lacking is None else lacking)

    def arrived(self, size: int) -> None:
        """Looks now and then whether there is room, `size` bytes into a file. Raises as `check` does."""
        if size > self.left:
            raise InputTooLargeError(f"has more than the {self.max_bytes:,} bytes that an input may have")
        if size < self._looked_at or size - self._looked_at > _LOOK_BYTES:
            self._looked_at = size
            self.check_room(0)

    def take(self, size: int) -> None:
        """A file is complete."""
        self._done += size
        self._looked_at = 0

    def check_room(self, needed: int) -> None:
        """Raises OSError as a full disk does."""
        if shutil.disk_usage(self._folder).free - needed < self._floor_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._folder))


class Pace:
    """Notices a server that keeps a connection busy and sends next to nothing."""

    def __init__(self, *, window_s: float = _WINDOW_S, least_bytes: int = _LEAST_BYTES) -> None:
        self._window_s, self._least_bytes = window_s, least_bytes
        self._since, self._bytes = time.monotonic(), 0

    def start(self) -> None:
        """Begins anew."""
        self._since, self._bytes = time.monotonic(), 0

    def add(self, bytes_: int) -> None:
        """Counts what has come."""
        self._bytes += bytes_

    def check(self) -> None:
        """Raises `FetchError` where too little came."""
        if time.monotonic() - self._since < self._window_s:
            return
        if self._bytes < self._least_bytes:
            raise FetchError(f"is too slow: {self._bytes:,} bytes in {self._window_s:.0f} s")
        self.start()


def checks(*each: Callable[[], None]) -> Callable[[], None]:
    """Returns all of them as one."""

    def check() -> None:
        for one in each:
            one()

    return check
