"""Many stored files as one ZIP that is written nowhere: its length is known first, and any part of it can be had."""

import hashlib
import struct
import time
from bisect import bisect_right
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice

from worker.storage import Storage
from worker.storage.checks import check_key, check_range

# From these values on a field is full and ZIP64's stands in for it.
_MOST_BYTES = 0xFFFFFFFF
_MOST_FILES = 0xFFFF
_PLAIN, _ZIP64 = 20, 45  # versions of the format: 2.0, 4.5
_MADE_BY = 3 << 8 | _ZIP64  # 3: the mode below is Unix's
_MODE = 0o100644 << 16
_UTF8_NAME = 1 << 11
_STORED = 0
# The years the format can say: 1980 to 2107.
_EARLIEST, _LATEST = 315532800, 4354819198


@dataclass(frozen=True)
class ArchiveEntry:
    """One file of an archive: its name there, the key it is stored under, and what a ZIP says before its bytes."""

    name: str
    key: str
    size: int
    crc32: int

    def __post_init__(self) -> None:
        check_key(self.name)  # what is fit for a key is safe to unpack
        if self.size < 0 or not 0 <= self.crc32 <= 0xFFFFFFFF:
            raise ValueError(f"{self.name}: size is {self.size}, crc32 is {self.crc32}")


class Archive:
    """A ZIP of `entries`, stored (COGs are compressed already), ZIP64 where it has to be.

    Its bytes follow from `entries` and `modified` alone: a broken download goes on where it stopped, also next week and
    from another machine. Source: PKWARE APPNOTE 6.3.10, sections 4.3 to 4.5.
    """

    def __init__(self, storage: Storage, entries: Sequence[ArchiveEntry], *, modified: float) -> None:
        """`modified`: seconds since 1970, the time every file in it bears (UTC, even seconds). Reads nothing."""
        names = {entry.name for entry in entries}
        if len(names) != len(entries):
            raise ValueError(f"{len(entries)} files have {len(names)} names")
        self._storage = storage
        self._pieces = _pieces(entries, _dos_time(modified))
        self._starts = list(accumulate((_length(piece) for piece in self._pieces), initial=0))
        self.size = self._starts[-1]

    @property
    def etag(self) -> str:
        """Changes where a byte could: hex digest over headers and keys, 64 letters."""
        digest = hashlib.sha256()
        for piece in self._pieces:
            digest.update(piece if isinstance(piece, bytes) else piece.key.encode() + b"\0")
        return digest.hexdigest()

    def open_range(self, start: int = 0, end: int | None = None) -> Generator[bytes, None, None]:
        """Bytes `start` to `end` (exclusive; None: to the last) in pieces. Raises `RangeNotSatisfiable` at once.

        A stored file that is missing or too short raises where its bytes are due: the receiver sees a short answer.
        """
        chunks = self._range(*check_range("the archive", start, end, self.size))
        next(chunks)
        return chunks

    def _range(self, start: int, stop: int) -> Generator[bytes, None, None]:
        yield b""  # `open_range` takes this one, so that closing always finds it running
        first = bisect_right(self._starts, start) - 1
        for at, piece in islice(zip(self._starts, self._pieces, strict=False), first, None):
            low, high = max(start - at, 0), min(stop - at, _length(piece))
            if low >= high:
                continue
            if isinstance(piece, bytes):
                yield piece[low:high]
            else:
                yield from self._storage.open_range(piece.key, low, high)


def _pieces(entries: Sequence[ArchiveEntry], stamp: tuple[int, int]) -> list[bytes | ArchiveEntry]:
    """Header and file in turn, then the directory."""
    pieces: list[bytes | ArchiveEntry] = []
    directory, offset = [], 0
    for entry in entries:
        header = _file_header(entry, stamp)
        directory.append(_directory_header(entry, stamp, offset))
        pieces += [header, entry]
        offset += len(header) + entry.size
    joined = b"".join(directory)
    return [*pieces, joined + _end(len(entries), len(joined), offset)]


def _length(piece: bytes | ArchiveEntry) -> int:
    return len(piece) if isinstance(piece, bytes) else piece.size


def _file_header(entry: ArchiveEntry, stamp: tuple[int, int]) -> bytes:
    name, large = entry.name.encode(), entry.size >= _MOST_BYTES
    extra = _zip64_extra([entry.size, entry.size] if large else [])  # here both or none, 4.5.3
    version, size = (_ZIP64, _MOST_BYTES) if large else (_PLAIN, entry.size)
    fixed = (version, _UTF8_NAME, _STORED, *stamp, entry.crc32, size, size, len(name), len(extra))
    return struct.pack("<4s5H3L2H", b"PK\3\4", *fixed) + name + extra


def _directory_header(entry: ArchiveEntry, stamp: tuple[int, int], offset: int) -> bytes:
    name = entry.name.encode()
    values = (entry.size, entry.size, offset)
    extra = _zip64_extra([value for value in values if value >= _MOST_BYTES])
    size, _, place = (min(value, _MOST_BYTES) for value in values)
    version = _ZIP64 if extra else _PLAIN
    fixed = (_MADE_BY, version, _UTF8_NAME, _STORED, *stamp, entry.crc32, size, size, len(name), len(extra))
    return struct.pack("<4s6H3L5H2L", b"PK\1\2", *fixed, 0, 0, 0, _MODE, place) + name + extra


def _zip64_extra(values: Sequence[int]) -> bytes:
    return struct.pack(f"<2H{len(values)}Q", 1, 8 * len(values), *values) if values else b""


def _end(count: int, size: int, offset: int) -> bytes:
    """The records after a directory of `count` headers in `size` bytes at `offset`."""
    plain = struct.pack(
        "<4s4H2LH",
        b"PK\5\6",
        *(0, 0, min(count, _MOST_FILES), min(count, _MOST_FILES)),
        *(min(size, _MOST_BYTES), min(offset, _MOST_BYTES), 0),
    )
    if count < _MOST_FILES and size < _MOST_BYTES and offset < _MOST_BYTES:
        return plain
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, _MADE_BY, _ZIP64, 0, 0, count, count, size, offset)
    return record + struct.pack("<4sLQL", b"PK\6\7", 0, offset + size, 1) + plain


def _dos_time(seconds: float) -> tuple[int, int]:
    """Time and date as ZIP packs them."""
    at = time.gmtime(min(max(seconds, _EARLIEST), _LATEST))
    return at.tm_hour << 11 | at.tm_min << 5 | at.tm_sec // 2, (at.tm_year - 1980) << 9 | at.tm_mon << 5 | at.tm_mday
