"""Where the pixels of a TIFF lie (TIFF 6.0; BigTIFF): so that the bytes of a window can be asked for, and no others.

The whole of every directory is read on the way, which is all that GDAL looks at before it reads a pixel.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.fetching.spans import Span

# Gives bytes by position and number; raises where the file does not have them.
ReadAt = Callable[[int, int], bytes]

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
_WIDTH, _HEIGHT, _SAMPLES, _ROWS, _PLANAR, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 277, 278, 284, 322, 323
_STRIPS, _TILES = (273, 279), (324, 325)  # offsets and byte counts
_MAX_DIRECTORIES, _MAX_ENTRIES = 64, 4096
MAX_HEADER_BYTES = 32 * 2**20
# COGs state a chunk's size before it, and repeat its last bytes behind it.
_GHOST_BYTES = 4


@dataclass(frozen=True, eq=False)
class TiffIndex:
    """The first, full-size image of a file. offsets, counts: of its chunks, planes one after the other, row by row."""

    height: int
    width: int
    chunk_height: int
    chunk_width: int
    offsets: NDArray[np.uint64]
    counts: NDArray[np.uint64]

    def aligned(self, row: int, row_end: int, column: int, column_end: int) -> tuple[int, int, int, int]:
        """The window grown to whole chunks, within the image."""
        return (
            row // self.chunk_height * self.chunk_height,
            min(self.height, -(-row_end // self.chunk_height) * self.chunk_height),
            column // self.chunk_width * self.chunk_width,
            min(self.width, -(-column_end // self.chunk_width) * self.chunk_width),
        )

    def spans(self, row: int, row_end: int, column: int, column_end: int) -> list[Span]:
        """The bytes of the chunks that a window touches, in all planes; chunks that were never written have none."""
        across, down = -(-self.width // self.chunk_width), -(-self.height // self.chunk_height)
        rows = np.arange(row // self.chunk_height, -(-row_end // self.chunk_height))
        columns = np.arange(column // self.chunk_width, -(-column_end // self.chunk_width))
        plane = (rows[:, None] * across + columns[None]).ravel()
        planes = max(1, len(self.offsets) // (across * down))
        chunks = np.concatenate([plane + number * across * down for number in range(planes)])
        written = chunks[self.counts[chunks] > 0]
        return [
            Span(
                max(0, int(self.offsets[chunk]) - _GHOST_BYTES),
                int(self.offsets[chunk]) + int(self.counts[chunk]) + _GHOST_BYTES,
            )
            for chunk in written
        ]


@dataclass(frozen=True)
class _Flavour:
    order: str
    offset: str
    entries: str

    def numbers(self, code: str, content: bytes) -> tuple[int, ...]:
        return struct.unpack(self.order + code, content)


def read_index(read: ReadAt) -> TiffIndex:
    """Walks all directories of a file. Raises ValueError for what is no TIFF, or none that GDAL would read."""
    budget = _Budget(read)
    start = budget.read(0, 4)
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None or start[2:] not in (b"*\0", b"\0*", b"+\0", b"\0+"):
        raise ValueError(f"is not a TIFF, its first bytes are {start!r}")
    big = b"+" in start[2:]
    flavour = _Flavour(order, "Q", "Q") if big else _Flavour(order, "I", "H")
    (at,) = flavour.numbers(flavour.offset, budget.read(8, 8) if big else budget.read(4, 4))
    first: dict[int, NDArray[Any]] | None = None
    for tags in _directories(budget, flavour, at):
        first = tags if first is None else first
    if first is None:
        raise ValueError("has no image")
    return _index(first)


class _Budget:
    """Reads, up to a limit: a header that is larger is an attack, or no header."""

    def __init__(self, read: ReadAt) -> None:
        self._read, self._left = read, MAX_HEADER_BYTES

    def read(self, at: int, size: int) -> bytes:
        self._left -= size
        if self._left < 0:
            raise ValueError(f"its header has more than {MAX_HEADER_BYTES / 2**20:.0f} MiB")
        return self._read(at, size)


def _directories(budget: _Budget, flavour: _Flavour, at: int) -> Iterator[dict[int, NDArray[Any]]]:
    """The whole numbers of each directory's tags; the other tags are read as well, and forgotten."""
    seen = {0}
    head, width = struct.calcsize("=" + flavour.entries), struct.calcsize("=" + flavour.offset)
    while at not in seen:
        if len(seen) > _MAX_DIRECTORIES:
            raise ValueError(f"has more than {_MAX_DIRECTORIES} directories")
        seen.add(at)
        (count,) = flavour.numbers(flavour.entries, budget.read(at, head))
        if count > _MAX_ENTRIES:
            raise ValueError(f"has {count} tags in a directory")
        size = 4 + 2 * width
        content = budget.read(at + head, count * size + width)
        tags: dict[int, NDArray[Any]] = {}
        for entry in (content[start : start + size] for start in range(0, count * size, size)):
            tag, kind, values = flavour.numbers("HH" + flavour.offset, entry[: 4 + width])
            length = values * _SIZES.get(kind, 1)
            stored = entry[4 + width :][:length]
            if length > width:
                (place,) = flavour.numbers(flavour.offset, entry[4 + width :])
                stored = budget.read(place, length)
            if kind in _INTEGERS:
                tags[tag] = np.frombuffer(stored, dtype=flavour.order + _INTEGERS[kind])
        yield tags
        (at,) = flavour.numbers(flavour.offset, content[-width:])


def _index(tags: dict[int, NDArray[Any]]) -> TiffIndex:
    def number(tag: int, default: int) -> int:
        return int(tags[tag][0]) if tag in tags and len(tags[tag]) else default

    height, width = number(_HEIGHT, 0), number(_WIDTH, 0)
    tiled = _TILES[0] in tags
    chunk_height = number(_TILE_HEIGHT, 0) if tiled else min(number(_ROWS, height), height)
    chunk_width = number(_TILE_WIDTH, 0) if tiled else width
    offsets, counts = (tags.get(tag, np.empty(0, np.uint64)) for tag in (_TILES if tiled else _STRIPS))
    if min(height, width, chunk_height, chunk_width) <= 0:
        raise ValueError(f"is {width} x {height} px in chunks of {chunk_width} x {chunk_height}")
    planes = number(_SAMPLES, 1) if number(_PLANAR, 1) == 2 else 1
    needed = -(-height // chunk_height) * -(-width // chunk_width) * planes
    if len(offsets) != needed or len(counts) != needed:
        raise ValueError(f"has {len(offsets)} offsets and {len(counts)} sizes for {needed} chunks")
    return TiffIndex(height, width, chunk_height, chunk_width, offsets.astype(np.uint64), counts.astype(np.uint64))
