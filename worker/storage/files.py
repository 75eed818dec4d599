"""Files outside the storage: what is put is read from them, what is got is written to them, whole or not at all."""

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.errors import ServiceError, StorageFullError, StorageUnavailable

CHUNK_BYTES = 2**20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

Source = bytes | Path | Iterable[bytes]


@contextmanager
def open_plain(path: Path) -> Iterator[int]:
    """Lends a descriptor of the plain file `path`. Raises ValueError for a link, a pipe or a device.

    None of these is ever stored: a link in the place of a result would publish whatever it points to.
    """
    if path.is_symlink():
        raise ValueError(f"{path} is a link, not a file")
    # Opening a pipe that nobody writes to would wait for ever without O_NONBLOCK.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError(f"{path} is not a plain file")
        yield handle
    finally:
        os.close(handle)


@contextmanager
def open_chunks(source: Source) -> Iterator[tuple[Iterator[bytes], int | None]]:
    """Lends the source's bytes in pieces, and says how many they are where that is known."""
    if isinstance(source, bytes):
        yield iter([source]), len(source)
    elif isinstance(source, Path):
        with open_plain(source) as handle:
            yield iter(lambda: os.read(handle, CHUNK_BYTES), b""), os.fstat(handle).st_size
    else:
        yield iter(source), None


def write_all(handle: int, content: bytes | bytearray) -> None:
    """Calls `os.write` until everything is written: one call may take only a part."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(handle, rest) :]


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Lends an unused name in the folder of `path`, which is made where missing; what is left under it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def land(path: Path, chunks: Iterable[bytes]) -> None:
    """Writes beside `path` and renames. Raises `StorageFullError`, and whatever reading the chunks raises."""
    with beside(path) as temporary:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            fill(handle, chunks, path.name, path.parent)
        finally:
            os.close(handle)
        os.replace(temporary, path)


def fill(handle: int, chunks: Iterable[bytes], name: str, folder: Path, needed: int | None = None) -> None:
    """Writes the chunks. A failure to write is a `ServiceError`; a failure of the source passes as it is."""
    written = 0
    for chunk in chunks:
        try:
            write_all(handle, chunk)
        except OSError as error:
            raise write_problem(error, name, folder, written, needed) from error
        written += len(chunk)


def write_problem(error: OSError, name: str, folder: Path, written: int = 0, needed: int | None = None) -> ServiceError:
    """Returns `StorageFullError` with the numbers where space is what is missing, else `StorageUnavailable`."""
    if error.errno in _FULL:
        return full(name, written=written, needed=needed, free=free_bytes(folder))
    return StorageUnavailable(f"{name} cannot be written: {error.strerror or error}", key=name)


def full(name: str, *, written: int, needed: int | None, free: int) -> StorageFullError:
    """Returns the error of a full disk, quota or size limit, in the one wording for all."""
    of = "" if needed is None else f" of {needed:,}"
    return StorageFullError(
        f"no space for {name}: {written:,}{of} bytes written, {free:,} bytes free",
        key=name,
        written_bytes=written,
        needed_bytes=needed,
        free_bytes=free,
    )


def free_bytes(folder: Path) -> int:
    """Returns how many bytes may still be written below `folder`."""
    return shutil.disk_usage(folder).free
