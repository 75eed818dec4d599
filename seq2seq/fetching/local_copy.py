"""A remote file, as far as it was needed: its bytes at their places in a sparse file of the same size.

GDAL opens that file, and never an address: what it may read, which driver reads it and how its faults are told is the
same as for the user's own files, and no sidecar, redirect or nested source can lead it elsewhere.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from seq2seq.fetching.answers import FileFacts
from seq2seq.fetching.failures import FetchError
from seq2seq.fetching.metering import Meter
from seq2seq.fetching.spans import Span, lacking, merged, split
from seq2seq.fetching.transport import Address, Transport

# The first request of a file: the header of a COG is within it.
HEAD_BYTES = 32 * 1024
# Two ranges that lie nearer are asked for as one; one that is longer, as several, so that less is lost when it breaks.
_GAP_BYTES = 64 * 1024
_LONGEST_BYTES = 8 * 2**20
MAX_FILE_BYTES = 4 * 2**30


class LocalCopy:
    """The copy at `path` of the file at `address`. Raises `FetchError`, and OSError where the disk is full."""

    def __init__(self, path: Path, address: Address, transport: Transport, meter: Meter) -> None:
        self.path, self._address, self._transport, self._meter = path, address, transport, meter
        self._here: list[Span] = []
        self._facts: FileFacts | None = None
        self._get(Span(0, HEAD_BYTES))

    @property
    def size(self) -> int:
        """Bytes of the remote file."""
        assert self._facts is not None
        return self._facts.size

    def ensure(self, spans: Iterable[Span]) -> None:
        """Gets what is lacking of `spans`; beyond the end of the file there is nothing."""
        within = [Span(span.start, min(span.end, self.size)) for span in spans if span.start < self.size]
        for span in split(merged(lacking(within, self._here), _GAP_BYTES), _LONGEST_BYTES):
            self._get(span)

    def ensure_all(self) -> None:
        """Gets the whole file."""
        self.ensure([Span(0, self.size)])

    def read(self, at: int, size: int) -> bytes:
        """These bytes. Raises ValueError where the file ends before."""
        if at + size > self.size:
            raise ValueError(f"ends at byte {self.size:,}, within its header")
        if size == 0:
            return b""
        self.ensure([Span(at, at + size)])
        with self.path.open("rb") as file:
            file.seek(at)
            return file.read(size)

    def _get(self, span: Span) -> None:
        """Writes the bytes as they come; what a broken transfer got is written, too, and not asked for again."""
        with open(self.path, "r+b" if self._facts else "wb") as file:

            def write(at: int, content: bytes) -> None:
                if at + len(content) > MAX_FILE_BYTES:
                    raise FetchError(f"has more than {MAX_FILE_BYTES / 2**30:.0f} GiB")
                file.seek(at)
                file.write(content)
                self._here = merged([*self._here, Span(at, at + len(content))])

            facts = self._transport.read(self._address, span, write, self._meter, self._facts)
            if self._facts is None:
                if not 0 < facts.size <= MAX_FILE_BYTES:
                    raise FetchError(f"has {facts.size:,} bytes, at most {MAX_FILE_BYTES:,} are fetched")
                file.flush()
                os.truncate(file.fileno(), facts.size)
                self._facts = facts
