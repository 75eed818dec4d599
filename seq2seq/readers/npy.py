"""Arrays in .npy files, mapped and never unpickled: the header is checked against the file before anything is read."""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from seq2seq.errors import UnreadableFileError, UnsafeArchiveError
from seq2seq.readers.archive import DEFAULT_LIMITS, ArchiveLimits, check_space
from seq2seq.readers.base import Member

_MAX_HEADER = 10_000
_MAX_AXES = 8
_PIECE = 2**20
_HEADERS = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}


@dataclass(frozen=True)
class NpyArray:
    """An array in a file. name: the user's name of it. at: where its values begin, in bytes."""

    name: str
    path: Path
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran_order: bool
    at: int

    def mapped(self) -> NDArray[Any]:
        """The array; what is looked at is read, and nothing else."""
        order: Any = "F" if self.fortran_order else "C"
        return np.memmap(self.path, dtype=self.dtype, mode="r", offset=self.at, shape=self.shape, order=order)


def open_npy(path: Path, *, name: str) -> NpyArray:
    """The array in the file that messages call `name`.

    Raises `UnreadableFileError` for objects, which only a pickle could hold, for a file that is cut, and for no .npy.
    """
    try:
        with path.open("rb") as file:
            array = _header(file, path, name)
        size = path.stat().st_size
    except OSError as error:
        raise UnreadableFileError(f"{name}: cannot be read ({error.strerror})", file=name) from error
    if array.at + _bytes(array) > size:
        raise UnreadableFileError(
            f"{name}: the file is truncated, it has {size:,} of {array.at + _bytes(array):,} bytes", file=name
        )
    return array


@contextmanager
def plain(members: Sequence[Member], *, limits: ArchiveLimits = DEFAULT_LIMITS) -> Iterator[list[Member]]:
    """The members, those that are called .gz inflated, within `limits` for all of them, and without that suffix.

    What they are inflated to goes with the context. Raises `UnsafeArchiveError` for more than `limits`,
    `UnreadableFileError` for what is no gzip, `OutputError` where the disk is full.
    """
    packed = [member for member in members if member.name.endswith(".gz")]
    left = limits.allowed(sum(member.path.stat().st_size for member in packed))
    found = [member for member in members if not member.name.endswith(".gz")]
    with TemporaryDirectory(prefix="decloud-") as folder:
        for index, member in enumerate(packed):
            target = Path(folder, str(index))
            left -= _inflate(member, target, left, limits)
            found.append(Member(member.name.removesuffix(".gz"), target))
        yield sorted(found, key=lambda member: member.name)


def _inflate(member: Member, target: Path, allowed: int, limits: ArchiveLimits) -> int:
    """Bytes written, counted as they come."""
    written = 0
    try:
        with gzip.open(member.path, "rb") as packed, target.open("xb") as file:
            while piece := packed.read(_PIECE):
                written += len(piece)
                if written > min(allowed, limits.file_bytes):
                    raise UnsafeArchiveError(
                        f"{member.name}: inflates to more than {min(allowed, limits.file_bytes):,} bytes, which is "
                        "more than is allowed for its size; save it without compression",
                        file=member.name,
                    )
                check_space(target.parent, len(piece), member.name, limits)
                file.write(piece)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UnreadableFileError(f"{member.name}: not a readable gzip ({error})", file=member.name) from error
    return written


def _header(file: BinaryIO, path: Path, name: str) -> NpyArray:
    try:
        version = npy_format.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"version {version[0]}.{version[1]} of the format is not read")
        shape, fortran_order, dtype = _HEADERS[version](file, max_header_size=_MAX_HEADER)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        words = " ".join(str(error).split())[:160]
        raise UnreadableFileError(f"{name}: not a readable .npy ({words})", file=name) from error
    if dtype.hasobject:
        raise UnreadableFileError(
            f"{name}: holds Python objects, which only a pickle can hold, and no pickle is loaded; save numbers",
            file=name,
        )
    if dtype.kind not in "biuf":
        raise UnreadableFileError(f"{name}: dtype {str(dtype)[:40]} holds no pixels", file=name)
    if len(shape) > _MAX_AXES or any(length < 0 for length in shape):
        raise UnreadableFileError(f"{name}: an array of shape {str(shape)[:80]} is not read", file=name)
    return NpyArray(name, path, dtype, tuple(shape), fortran_order, file.tell())


def _bytes(array: NpyArray) -> int:
    return prod(array.shape) * array.dtype.itemsize
