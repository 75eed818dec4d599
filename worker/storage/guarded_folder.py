"""A folder whose files are reached by descriptors, one part of a key after the other, and never through a link."""

import errno
import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from worker.errors import InvalidKey, NotFound, StorageUnavailable
from worker.storage.checks import check_key
from worker.storage.files import write_problem

# What is being written or removed. No key leads here: a key never begins with a dot.
_INCOMING = ".incoming"
_REMOVED = "removed-"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_IN_THE_WAY = frozenset({errno.ENOTDIR, errno.ELOOP, errno.EISDIR})
# How often a folder may be deleted between opening it and renaming into it, or filled between emptying and removing it.
_RACES = 100


class GuardedFolder:
    """Opens, renames and removes files below `path`; a link that somebody plants inside leads nowhere."""

    def __init__(self, path: Path) -> None:
        """Makes the folder where missing, and removes what killed processes left unfinished."""
        self.path = Path(os.path.abspath(path))
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_problem(error, str(self.path), self.path) from error
        with self.opened((_INCOMING,), _INCOMING, make=True) as incoming:
            _remove_remains(incoming)

    @contextmanager
    def reading(self, key: str) -> Iterator[int]:
        """Lends a descriptor of the file `key`. Raises `NotFound` for all that is no plain file."""
        *folders, last = check_key(key)
        with self.opened(folders, key) as folder, self.translated(key):
            # Opening a pipe that nobody writes to would wait for ever without O_NONBLOCK.
            handle = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise NotFound(f"no file {key} is stored", key=key)
            yield handle
        finally:
            os.close(handle)

    def rename(self, name: str | Path, folder: int | None, key: str) -> None:
        """Moves `name` in `folder` to its key. A folder deleted meanwhile is made again, as if the put came after."""
        *folders, last = check_key(key)
        for attempt in range(_RACES):
            making = attempt > 0
            with suppress(NotFound), self.opened(folders, key, make=making) as target, self.translated(key):
                os.rename(name, last, src_dir_fd=folder, dst_dir_fd=target)
                os.fsync(target)
                if making:
                    self._sync_above(folders)
                return
        raise StorageUnavailable(f"{key} cannot be written: its folder was deleted {_RACES} times meanwhile", key=key)

    def remove(self, prefix: str) -> None:
        """Removes the key `prefix` and all below, for readers at one moment. Nothing there: no error."""
        *folders, last = check_key(prefix)
        removed = _REMOVED + secrets.token_hex(16)
        with (
            suppress(NotFound),
            self.opened(folders, prefix) as folder,
            self.incoming() as incoming,
            self.translated(prefix),
        ):
            os.rename(last, removed, src_dir_fd=folder, dst_dir_fd=incoming)
            _remove(removed, incoming)

    def _sync_above(self, folders: Sequence[str]) -> None:
        for depth in range(len(folders)):
            with suppress(NotFound), self.opened(folders[:depth], folders[0]) as above:
                os.fsync(above)

    @contextmanager
    def created(self, key: str, incoming: int) -> Iterator[tuple[str, int]]:
        """Lends a new file to fill: its name, gone at the end unless renamed, and a descriptor with a lock on it."""
        with self.translated(key):
            name, handle = _create(incoming)
        try:
            yield name, handle
        finally:
            os.close(handle)
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=incoming)

    @contextmanager
    def incoming(self) -> Iterator[int]:
        """Lends a descriptor of the folder where files are written before they get their key."""
        with self.opened((_INCOMING,), _INCOMING) as handle:
            yield handle

    @contextmanager
    def opened(self, folders: Sequence[str], key: str, *, make: bool = False) -> Iterator[int]:
        """Lends a descriptor of the folder inside ours, reached without following a link."""
        with self.translated(key):
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
            handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)  # ours may be a link: the operator's choice
        except (FileNotFoundError, NotADirectoryError) as error:
            raise StorageUnavailable("the storage's folder is gone; the operator has to put it back") from error
        if not made:
            try:
                os.stat(_INCOMING, dir_fd=handle, follow_symlinks=False)
            except FileNotFoundError as error:
                os.close(handle)
                detail = "another folder lies where the storage was; the operator has to put it back"
                raise StorageUnavailable(detail) from error
        return handle

    @contextmanager
    def translated(self, key: str) -> Iterator[None]:
        """Has errors of the system raised as what they mean for `key`."""
        try:
            yield
        except FileNotFoundError:
            raise NotFound(f"no file {key} is stored", key=key) from None
        except OSError as error:
            if error.errno in _IN_THE_WAY:
                raise InvalidKey(f"{key} leads nowhere: a link, a file or a folder is in the way", key=key) from error
            raise write_problem(error, key, self.path) from error


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
