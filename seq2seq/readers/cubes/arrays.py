"""What a cube file holds, whatever it is stored in: groups of arrays with named axes, read chunk by chunk."""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.errors import UnreadableFileError

# One chunk is decoded whole, and lies in memory up to three times while it is.
MAX_CHUNK_BYTES = 2**29
MAX_ARRAYS = 4096
# Coordinates: as long as a side of a scene may be, and a band has a name.
MAX_COORDINATE = 2**20
MAX_BANDS = 512
MAX_DATES = 20_000
# Decoded chunks that hold other dates than the one that was asked for, of all files of an input.
CACHE_BYTES = 2**29
# Planes that are kept whole rather than window by window.
_SMALL_BYTES = 16 * 2**20

Region = tuple[slice, ...]


@dataclass(frozen=True, eq=False)
class Array:
    """One array. file, name: as messages call them. dims: names of its axes, "" where unknown.

    dtype: None where it holds no numbers; `kind` says what instead. chunks: None: any region can be read by itself.
    load: the values of a region, for chunked arrays that of one chunk inside the array; None: was never written, and is
    `fill`. Raises `UnreadableFileError`.
    """

    file: str
    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: "np.dtype[Any] | None"
    kind: str
    chunks: tuple[int, ...] | None
    fill: Any
    attributes: Mapping[str, Any]
    load: Callable[[Region], "NDArray[Any] | None"]

    @property
    def place(self) -> str:
        """For messages."""
        return f"{self.file}, {self.name}"

    @property
    def pieces(self) -> tuple[int, ...]:
        """The shape of a chunk; of what can be read in any region, a row."""
        return self.chunks or (*(1 for _ in self.shape[:-1]), *self.shape[-1:])


@dataclass(frozen=True, eq=False)
class Group:
    """Arrays that lie together. path: "" for the file's own. parent: whose coordinates they may use."""

    path: str
    arrays: Mapping[str, Array]
    attributes: Mapping[str, Any]
    parent: "Group | None" = None

    def find(self, name: str) -> Array | None:
        """The array of that name here or further up."""
        if name in self.arrays:
            return self.arrays[name]
        return self.parent.find(name) if self.parent else None


def check_numbers(array: Array) -> None:
    """Raises `UnreadableFileError` for what holds no numbers, or is stored in chunks that nobody can decode."""
    if array.dtype is None:
        raise UnreadableFileError(f"{array.place}: holds {array.kind}, no numbers; it is not read", file=array.file)
    itemsize = array.dtype.itemsize
    if array.chunks is not None and math.prod(array.chunks) * itemsize > MAX_CHUNK_BYTES:
        raise UnreadableFileError(
            f"{array.place}: stored in chunks of {math.prod(array.chunks) * itemsize:,} bytes, allowed are "
            f"{MAX_CHUNK_BYTES:,}; store it in smaller ones",
            file=array.file,
        )


def chunk_regions(array: Array, region: Region) -> Iterator[Region]:
    """The regions of all chunks that share something with `region`, inside the array; `region` where there are none."""
    if array.chunks is None:
        yield region
        return
    spans = [range(part.start // size * size, part.stop, size) for part, size in zip(region, array.chunks, strict=True)]
    for starts in product(*spans):
        yield tuple(
            slice(start, min(start + size, length))
            for start, size, length in zip(starts, array.chunks, array.shape, strict=True)
        )


def read(array: Array, region: Region) -> NDArray[Any]:
    """The values of a region, none of it empty. Raises `UnreadableFileError`."""
    check_numbers(array)
    out = np.empty([part.stop - part.start for part in region], dtype=array.dtype)
    for stored in chunk_regions(array, region):
        shared = tuple(slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(stored, region, strict=True))
        target = _within(shared, region)
        values = array.load(stored)
        out[target] = array.fill if values is None else values[_within(shared, stored)]
    return out


def read_all(array: Array, most: int) -> NDArray[Any]:
    """All values of a coordinate. Raises `UnreadableFileError` where there are more than `most`."""
    if math.prod(array.shape) > most:
        raise UnreadableFileError(
            f"{array.place}: has {math.prod(array.shape):,} values, at most {most:,} are allowed", file=array.file
        )
    if array.dtype is None:
        values = array.load(tuple(slice(0, length) for length in array.shape))
        if values is not None:
            return values
    return read(array, tuple(slice(0, length) for length in array.shape))


@dataclass(frozen=True, eq=False)
class RegionCache:
    """Reads regions of arrays, and keeps what comes with them: a chunk that holds many dates is decoded once a window.

    Kept is the window alone, at most `most_bytes` of all arrays together.
    """

    most_bytes: int = CACHE_BYTES
    _kept: "OrderedDict[tuple[Any, ...], NDArray[Any]]" = field(default_factory=OrderedDict)
    _lock: Any = field(default_factory=RLock)

    def read(self, array: Array, region: Region, *, plane: tuple[int, int]) -> NDArray[Any]:
        """The values of a region that is one index long on all axes but those of its `plane`."""
        check_numbers(array)
        assert array.dtype is not None
        grown = tuple(
            part if axis in plane else _grown(part, size, length)
            for axis, (part, size, length) in enumerate(zip(region, array.pieces, array.shape, strict=True))
        )
        whole = tuple(
            slice(0, length) if axis in plane else part
            for axis, (part, length) in enumerate(zip(grown, array.shape, strict=True))
        )
        if _bytes(array, whole) <= _SMALL_BYTES:
            grown = whole
        elif grown == region or _bytes(array, grown) > self.most_bytes:
            return read(array, region)
        with self._lock:
            return self._region(array, grown)[_within(region, grown)]

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._kept.clear()

    def _region(self, array: Array, region: Region) -> NDArray[Any]:
        key = (id(array), *((part.start, part.stop) for part in region))
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        values = read(array, region)
        self._kept[key] = values
        while sum(one.nbytes for one in self._kept.values()) > self.most_bytes and len(self._kept) > 1:
            self._kept.popitem(last=False)
        return values


def _grown(part: slice, size: int, length: int) -> slice:
    """Out to whole chunks."""
    return slice(part.start // size * size, min(length, -(-part.stop // size) * size))


def _bytes(array: Array, region: Region) -> int:
    assert array.dtype is not None
    return int(math.prod(part.stop - part.start for part in region) * array.dtype.itemsize)


def _within(inner: Region, outer: Region) -> Region:
    return tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(inner, outer, strict=True))
