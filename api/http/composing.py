"""Bodies made of stored files and text between them: at constant memory, their size known first."""

import base64
import hashlib
from bisect import bisect_right
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import accumulate

Chunks = Generator[bytes, None, None]
# Three bytes are four characters.
_FROM, _TO = 3, 4
_ENCODED_AT_ONCE = _FROM << 18


@dataclass(frozen=True)
class Part:
    """size: bytes. open_range: those from start to end, exclusive. tag: differs where the bytes do."""

    size: int
    open_range: Callable[[int, int], Chunks]
    tag: str


def literal(content: bytes) -> Part:
    """A part that is in memory."""

    def open_range(start: int, stop: int) -> Chunks:
        yield content[start:stop]

    return Part(len(content), open_range, hashlib.sha256(content).hexdigest())


def joined(parts: Sequence[Part]) -> Part:
    """All parts, one after the other."""
    starts = list(accumulate((part.size for part in parts), initial=0))

    def open_range(start: int, stop: int) -> Chunks:
        first = max(bisect_right(starts, start) - 1, 0)
        for at, part in zip(starts[first:], parts[first:], strict=False):
            low, high = max(start - at, 0), min(stop - at, part.size)
            if low < high:
                yield from part.open_range(low, high)

    tags = hashlib.sha256("\0".join(part.tag for part in parts).encode())
    return Part(starts[-1], open_range, tags.hexdigest())


def in_base64(part: Part) -> Part:
    """The same part as text (RFC 4648, section 4)."""
    size = _TO * -(-part.size // _FROM)

    def open_range(start: int, stop: int) -> Chunks:
        first = start // _TO * _FROM
        last = min(part.size, -(-stop // _TO) * _FROM)
        skipped, wanted = start % _TO, stop - start
        for encoded in _encoded(part.open_range(first, last)):
            piece = encoded[skipped : skipped + wanted]
            skipped, wanted = 0, wanted - len(piece)
            if piece:  # an empty one would pass for the end
                yield piece

    return Part(size, open_range, f"{part.tag} base64")


def _encoded(chunks: Chunks) -> Chunks:
    """Each piece but the last is a multiple of three bytes before it is encoded."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) >= _ENCODED_AT_ONCE:
            yield base64.b64encode(held[:_ENCODED_AT_ONCE])
            del held[:_ENCODED_AT_ONCE]
    yield base64.b64encode(held)
