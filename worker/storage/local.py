"""Files in a folder of this machine."""

import errno
import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from worker.errors import InvalidKey, NotFound, StorageUnavailable
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

# What is being written or removed. No key leads here: a key never begins with a dot.
_INCOMING = ".incoming"
_REMOVED = "removed-"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_IN_THE_WAY = frozenset({errno.ENOTDIR, errno.ELOOP, errno.EISDIR})
_CANNOT_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP})
# How often a folder may be deleted between opening it and renaming into it, or filled between emptying and removing it.
_RACES = 100


class LocalStorage:
    """A folder on one file system, whose files may be read as they are.

    A put is written in a folder beside, synced, renamed, and the rename synced: a reader, or the machine after a power
    cut, has the whole file, the earlier one or none. Every part of a key is opened relative to the one before and
    without following links: a link that somebody plants inside leads nowhere, also when it appears half-way.
    """

    def __init__(self, folder: Path) -> None:
        """Makes the folder where missing, and removes what killed processes left unfinished."""
        self.folder = Path(os.path.abspath(folder))
        self._tells_cached = hasattr(os, "RWF_NOWAIT")  # Linux
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_problem(error, str(self.folder), self.folder) from error
        with self._opened((_INCOMING,), _INCOMING, make=True) as incoming:
            _remove_remains(incoming)

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
        """Bytes `start` to `end` (exclusive; None: all that follow) in pieces. What is wrong is raised by this call."""
        chunks = self._range(key, start, end)
        next(chunks)
        return chunks

    def read_now(self, key: str, start: int, end: int) -> memoryview | None:
        """Bytes `start` to `end` (exclusive) where all of them are in the page cache, else None."""
        if not self._tells_cached:
            return None
        with self._reading(key) as handle:
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
        *folders, last = check_key(prefix)
        removed = _REMOVED + secrets.token_hex(16)
        with (
            suppress(NotFound),
            self._opened(folders, prefix) as folder,
            self._incoming() as incoming,
            self._translated(prefix),
        ):
            os.rename(last, removed, src_dir_fd=folder, dst_dir_fd=incoming)
            _remove(removed, incoming)

    def _copy(self, key: str, source: Source) -> None:
        check_key(key)
        with open_chunks(source) as (chunks, needed), self._incoming() as incoming:
            free = free_bytes(self.folder)
            if needed is not None and needed > free:  # before the disk is full for everybody else as well
                raise full(key, written=0, needed=needed, free=free)
            with self._created(key, incoming) as (name, handle):
                fill(handle, chunks, key, self.folder, needed)
                with self._translated(key):
                    os.fsync(handle)
                    self._rename(name, incoming, key)

    def _moved(self, key: str, source: Path) -> bool:
        """Whether one rename could do it: one file system, and no second name by which the file could be changed."""
        check_key(key)
        with open_plain(source) as handle:
            if os.fstat(handle).st_nlink != 1:
                return False
            try:
                with self._translated(key):
                    os.fsync(handle)
                    self._rename(source, None, key)
            except StorageUnavailable as error:
                if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EXDEV:
                    return False
                raise
        return True

    def _linked(self, key: str, path: Path) -> bool:
        *folders, last = check_key(key)
        with self._reading(key), self._opened(folders, key) as folder, beside(path) as temporary:
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
        with self._reading(key) as handle:
            at, stop = check_range(key, start, end, os.fstat(handle).st_size)
            yield b""  # `open_range` takes this one, so that the file is open and judged when it returns
            while at < stop:
                with self._translated(key):
                    chunk = os.pread(handle, min(CHUNK_BYTES, stop - at), at)
                if not chunk:
                    raise StorageUnavailable(f"{key} ends at byte {at}; it had at least {stop} when opened", key=key)
                at += len(chunk)
                yield chunk

    @contextmanager
    def _reading(self, key: str) -> Iterator[int]:
        *folders, last = check_key(key)
        with self._opened(folders, key) as folder, self._translated(key):
            # Opening a pipe that nobody writes to would wait for ever without O_NONBLOCK.
            handle = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise NotFound(f"no file {key} is stored", key=key)
            yield handle
        finally:
            os.close(handle)

    def _rename(self, name: str | Path, folder: int | None, key: str) -> None:
        """Moves `name` in `folder` to its key. A folder deleted meanwhile is made again, as if the put came after."""
        *folders, last = check_key(key)
        for attempt in range(_RACES):
            making = attempt > 0
            with suppress(NotFound), self._opened(folders, key, make=making) as target, self._translated(key):
                os.rename(name, last, src_dir_fd=folder, dst_dir_fd=target)
                os.fsync(target)
                if making:
                    self._sync_above(folders)
                return
        raise StorageUnavailable(f"{key} cannot be written: its folder was deleted {_RACES} times meanwhile", key=key)

    def _sync_above(self, folders: Sequence[str]) -> None:
        for depth in range(len(folders)):
            with suppress(NotFound), self._opened(folders[:depth], folders[0]) as above:
                os.fsync(above)

    @contextmanager
    def _created(self, key: str, incoming: int) -> Iterator[tuple[str, int]]:
        """A new file to fill: its name, gone at the end unless renamed, and a descriptor that holds a lock on it."""
        with self._translated(key):
            name, handle = _create(incoming)
        try:
            yield name, handle
        finally:
            os.close(handle)
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=incoming)

    @contextmanager
    def _incoming(self) -> Iterator[int]:
        with self._opened((_INCOMING,), _INCOMING) as handle:
            yield handle

    @contextmanager
    def _opened(self, folders: Sequence[str], key: str, *, make: bool = False) -> Iterator[int]:
        """A descriptor of the folder inside ours, reached without following a link."""
        with self._translated(key):
            handle = self._descend(folders, make)
        try:
            yield handle
        finally:
            os.close(handle)

    def _descend(self, folders: Sequence[str], make: bool) -> int:
        handle = self._open_root(made=tuple(folders) == (_INCOMING,) and make)
        for name in folders:
            outer = handle
            try:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(name, dir_fd=outer)
                handle = os.open(name, _FOLDER, dir_fd=outer)
            finally:
                os.close(outer)
        return handle

    def _open_root(self, *, made: bool) -> int:
        """Raises `StorageUnavailable` where the folder is gone, or another lies in its place, such as that of a disk
        that is not mounted: files must be neither missed nor stored there. made: this is the first time."""
        try:
            handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)  # ours may be a link: the operator's choice
        except (FileNotFoundError, NotADirectoryError) as error:
            raise StorageUnavailable("the storage's folder is gone; the operator has to put it back") from error
        if not made:
            try:
                os.stat(_INCOMING, dir_fd=handle, follow_symlinks=False)
            except FileNotFoundError as error:
                os.close(handle)
                said = "another folder lies where the storage was; the operator has to put it back"
                raise StorageUnavailable(said) from error
        return handle

    @contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise NotFound(f"no file {key} is stored", key=key) from None
        except OSError as error:
            if error.errno in _IN_THE_WAY:
                raise InvalidKey(f"{key} leads nowhere: a link, a file or a folder is in the way", key=key) from error
            raise write_problem(error, key, self.folder) from error


def _create(incoming: int) -> tuple[str, int]:
    """A new file and a descriptor that holds a lock on it: what nobody has locked, a killed process has left."""
    while True:
        name = secrets.token_hex(16)
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=incoming)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle).st_nlink:
                return name, handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # taken for remains in the moment before it was locked


def _remove_remains(incoming: int) -> None:
    for name in os.listdir(incoming):
        if name.startswith(_REMOVED):
            _remove(name, incoming)
            continue
        with suppress(OSError):  # renamed or removed meanwhile, or locked: somebody is writing it
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=incoming)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(name, dir_fd=incoming)
            finally:
                os.close(handle)


def _remove(name: str, folder: int) -> None:
    """Removes a file, a link or a tree; links in it are removed, not followed. Others may be removing it as well.

    Where a put that began before keeps filling it, the rest stays for the next start.
    """
    for _ in range(_RACES):
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return
        try:
            if stat.S_ISDIR(status.st_mode):
                shutil.rmtree(name, dir_fd=folder)
            else:
                os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
