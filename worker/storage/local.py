"""Files in a folder of this machine."""

import errno
import os
import stat
from collections.abc import Generator
from pathlib import Path

from worker.errors import StorageUnavailable
from worker.storage.checks import check_key, check_range
from worker.storage.files import (
    CHUNK_BYTES,
    Source,
    beside,
    fill,
    free_bytes,
    full,
    land,
    open_chunks,
    open_plain,
    write_problem,
)
from worker.storage.guarded_folder import GuardedFolder

_CANNOT_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP})


class LocalStorage:
    """Keeps files in a folder on one file system, where they may be read as they are.

    A put is written in a folder beside, synced, renamed, and the rename synced: a reader, or the machine after a power
    cut, has the whole file, the earlier one or none. Every part of a key is opened relative to the one before and
    without following links: a link that somebody plants inside leads nowhere, also when it appears half-way.
    """

    def __init__(self, folder: Path) -> None:
        """Makes the folder where missing, and removes what killed processes left unfinished."""
        self._tells_cached = hasattr(os, "RWF_NOWAIT")  # Linux
        self._guarded = GuardedFolder(folder)

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._guarded.path

    def put(self, key: str, source: Source, *, take: bool = False) -> None:
        """Stores the source's bytes; `take` moves the file `source` in place of copying it, and it is gone after."""
        if take and isinstance(source, Path) and self._moved(key, source):
            return
        self._copy(key, source)
        if take and isinstance(source, Path):
            source.unlink()

    def get(self, key: str, path: Path, *, link: bool = False) -> None:
        """Writes the file to `path`; with `link` that may be a second name of the stored file, never to be changed."""
        if not (link and self._linked(key, path)):
            land(path, self.open_range(key))

    def open_range(self, key: str, start: int = 0, end: int | None = None) -> Generator[bytes, None, None]:
        """Reads bytes `start` to `end` (exclusive; None: to the last) in pieces. This call raises what is wrong."""
        chunks = self._range(key, start, end)
        next(chunks)
        return chunks

    def read_now(self, key: str, start: int, end: int) -> memoryview | None:
        """Reads bytes `start` to `end` (exclusive) where all of them are in the page cache; else returns None."""
        if not self._tells_cached:
            return None
        with self._guarded.reading(key) as handle:
            at, stop = check_range(key, start, end, os.fstat(handle).st_size)
            return self._read_cached(handle, at, stop - at)

    def _read_cached(self, handle: int, at: int, count: int) -> memoryview | None:
        content = bytearray(count)
        try:
            complete = os.preadv(handle, [content], at, os.RWF_NOWAIT) == count
        except BlockingIOError:
            return None
        except OSError:  # a file system that cannot tell
            self._tells_cached = False
            return None
        return memoryview(content) if complete else None

    def delete_prefix(self, prefix: str) -> None:
        """Deletes the key `prefix` and all below `prefix/`, for readers at one moment. Nothing there: no error."""
        self._guarded.remove(prefix)

    def _copy(self, key: str, source: Source) -> None:
        check_key(key)
        with open_chunks(source) as (chunks, needed), self._guarded.incoming() as incoming:
            free = free_bytes(self.folder)
            if needed is not None and needed > free:  # before the disk is full for everybody else as well
                raise full(key, written=0, needed=needed, free=free)
            with self._guarded.created(key, incoming) as (name, handle):
                fill(handle, chunks, key, self.folder, needed)
                with self._guarded.translated(key):
                    os.fsync(handle)
                    self._guarded.rename(name, incoming, key)

    def _moved(self, key: str, source: Path) -> bool:
        """Whether one rename could do it: one file system, and no second name by which the file could be changed."""
        check_key(key)
        with open_plain(source) as handle:
            if os.fstat(handle).st_nlink != 1:
                return False
            try:
                with self._guarded.translated(key):
                    os.fsync(handle)
                    self._guarded.rename(source, None, key)
            except StorageUnavailable as error:
                if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EXDEV:
                    return False
                raise
        return True

    def _linked(self, key: str, path: Path) -> bool:
        *folders, last = check_key(key)
        with self._guarded.reading(key), self._guarded.opened(folders, key) as folder, beside(path) as temporary:
            try:
                os.link(last, temporary, src_dir_fd=folder, follow_symlinks=False)
            except OSError as error:
                if error.errno in _CANNOT_LINK:
                    return False
                raise write_problem(error, path.name, path.parent) from error
            if not stat.S_ISREG(temporary.lstat().st_mode):  # put there since it was opened
                return False
            os.replace(temporary, path)
        return True

    def _range(self, key: str, start: int, end: int | None) -> Generator[bytes, None, None]:
        with self._guarded.reading(key) as handle:
            at, stop = check_range(key, start, end, os.fstat(handle).st_size)
            yield b""  # `open_range` takes this one, so that the file is open and judged when it returns
            while at < stop:
                with self._guarded.translated(key):
                    chunk = os.pread(handle, min(CHUNK_BYTES, stop - at), at)
                if not chunk:
                    raise StorageUnavailable(f"{key} ends at byte {at}; it had at least {stop} when opened", key=key)
                at += len(chunk)
                yield chunk
