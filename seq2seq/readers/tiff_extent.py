"""The bytes that a TIFF says it has (TIFF 6.0, section 2; BigTIFF). GDAL reads a truncated file as far as it goes.

What is cut off is often the tail of the metadata: band names, no-data value or CRS would silently be missing.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
_CHUNKS = ((273, 279), (324, 325))  # offsets and byte counts of strips, of tiles
_MAX_DIRECTORIES = 64  # overviews and masks
_MAX_ENTRIES = 4096  # GDAL's libtiff refuses more; a GeoTIFF has about 25
_MAX_ARRAY_BYTES = 64 * 2**20


@dataclass(frozen=True)
class _Flavour:
    """Formats of the numbers: `order` of bytes, an offset, the number of entries, and of values in one."""

    order: str
    offset: str
    entries: str

    def unpack(self, code: str, content: bytes) -> tuple[int, ...]:
        return struct.unpack(f"{self.order}{code}", content)


@dataclass(frozen=True)
class _Entry:
    """One tag: where its values lie, and how long they are."""

    kind: int
    count: int
    at: int

    @property
    def end(self) -> int:
        return self.at + _SIZES.get(self.kind, 1) * self.count


def declared_bytes(path: str | os.PathLike[str]) -> int:
    """The end of the last directory, tag value, strip or tile of the file. Raises ValueError where it has no structure.

    A file that is shorter is truncated. Directories that are linked in a circle are read once.
    """
    with open(path, "rb") as file:
        flavour, first = _preamble(file)
        end = 0
        for tags, directory_end in _directories(file, flavour, first):
            ends = [entry.end for _, entry in tags]
            end = max([end, directory_end, *ends, *_chunk_ends(file, flavour, dict(tags))])
        return end


def tag_contents(path: str | os.PathLike[str], tag: int) -> list[bytes]:
    """The bytes of the tag wherever it stands, also twice in one directory. Raises as `declared_bytes` does."""
    with open(path, "rb") as file:
        flavour, first = _preamble(file)
        found = [entry for tags, _ in _directories(file, flavour, first) for known, entry in tags if known == tag]
        return [_read(file, entry.at, entry.end - entry.at) for entry in found]


def _directories(file: BinaryIO, flavour: _Flavour, offset: int) -> Iterator[tuple[list[tuple[int, _Entry]], int]]:
    """The tags of each directory, and where it ends."""
    seen = {0}
    while offset not in seen and len(seen) <= _MAX_DIRECTORIES:
        seen.add(offset)
        tags, offset, end = _directory(file, flavour, offset)
        yield tags, end


def _preamble(file: BinaryIO) -> tuple[_Flavour, int]:
    """The flavour and the offset of the first directory."""
    start = _read(file, 0, 4)
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None:
        raise ValueError("no TIFF byte order")
    if start[2:] in (b"+\0", b"\0+"):
        flavour = _Flavour(order, "Q", "Q")
        return flavour, flavour.unpack("Q", _read(file, 8, 8))[0]
    flavour = _Flavour(order, "I", "H")
    return flavour, flavour.unpack("I", _read(file, 4, 4))[0]


def _directory(file: BinaryIO, flavour: _Flavour, offset: int) -> tuple[list[tuple[int, _Entry]], int, int]:
    """Tags with their entries, offset of the next directory, and where this one ends."""
    head, width = struct.calcsize(flavour.entries), struct.calcsize(flavour.offset)
    (count,) = flavour.unpack(flavour.entries, _read(file, offset, head))
    if count > _MAX_ENTRIES:
        raise ValueError(f"{count} tags in a directory, at most {_MAX_ENTRIES} are allowed")
    size = 4 + 2 * width
    content = _read(file, offset + head, count * size + width)
    tags = []
    for index in range(count):
        tag, kind, values, value_offset = flavour.unpack(
            f"HH{flavour.offset}{flavour.offset}", content[index * size : (index + 1) * size]
        )
        inline = values * _SIZES.get(kind, 1) <= width
        at = offset + head + (index + 1) * size - width if inline else value_offset
        tags.append((tag, _Entry(kind, values, at)))
    (following,) = flavour.unpack(flavour.offset, content[-width:])
    return tags, following, offset + head + len(content)


def _chunk_ends(file: BinaryIO, flavour: _Flavour, entries: dict[int, _Entry]) -> list[int]:
    """Where the last strip and the last tile end; an offset of 0 is a chunk that was never written."""
    ends = []
    for offsets_tag, counts_tag in _CHUNKS:
        if offsets_tag in entries and counts_tag in entries:
            offsets = _integers(file, flavour, entries[offsets_tag])
            counts = _integers(file, flavour, entries[counts_tag])
            common = min(len(offsets), len(counts))
            written = offsets[:common] > 0
            # as floats, so that sums beyond 64 bits do not wrap; they are far beyond any file
            reached = offsets[:common][written].astype(np.float64) + counts[:common][written]
            if reached.size:
                last = int(reached.argmax())
                ends.append(int(offsets[:common][written][last]) + int(counts[:common][written][last]))
    return ends


def _integers(file: BinaryIO, flavour: _Flavour, entry: _Entry) -> NDArray[Any]:
    code = _INTEGERS.get(entry.kind)
    if code is None:
        raise ValueError(f"offsets of type {entry.kind}")
    return np.frombuffer(_read(file, entry.at, entry.end - entry.at), dtype=flavour.order + code)


def _read(file: BinaryIO, at: int, size: int) -> bytes:
    """Exactly that many bytes. A size that no directory has is corruption, not a reason to allocate it."""
    if size > _MAX_ARRAY_BYTES:
        raise ValueError(f"{size} bytes at {at} in a directory")
    available = os.fstat(file.fileno()).st_size
    if at + size > available:
        raise ValueError(f"ends at byte {available}, within a directory")
    file.seek(at)
    return file.read(size)
