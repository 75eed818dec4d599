"""Conditional and partial requests and content negotiation: entity tags, byte ranges, Accept (RFC 9110, sections 12 to
14)."""

import re
from collections.abc import Sequence

from worker.errors import RangeNotSatisfiable

_TAG = re.compile(r'(?:W/)?"[^"]*"')
_WEIGHT = re.compile(r"[01](\.\d{0,3})?", re.ASCII)
_RANGE = re.compile(r"bytes=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE | re.ASCII)


def names(header: str | None, etag: str) -> bool:
    """Whether If-None-Match names the tag (weakly compared), or everything."""
    if header is None:
        return False
    return header.strip() == "*" or any(tag.removeprefix("W/") == etag for tag in _TAG.findall(header))


def part(range_header: str | None, if_range: str | None, *, size: int, etag: str) -> tuple[int, int] | None:
    """The bytes asked for, end exclusive; None: all of them.

    Several ranges at once, other units, and what cannot be understood are answered with the whole, as is a range of
    another version of the file (If-Range). Raises `RangeNotSatisfiable` for a range that begins behind the end.
    """
    if range_header is None or (if_range is not None and if_range.strip() != etag):
        return None
    match = _RANGE.fullmatch(range_header.strip())
    if match is None or match[0].endswith("=-"):
        return None
    first, last = match[1], match[2]
    if not first:
        if not last:
            return None
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= size or start >= stop:
        raise RangeNotSatisfiable(
            f"{range_header.strip()[:100]} of a file of {size} bytes", size=size, start=start, end=stop
        )
    return start, stop


def preferred(accept: str | None, offered: Sequence[str]) -> str:
    """The media type offered that Accept weighs most; the first one where it names none, or fits none.

    A media type's parameters do not distinguish offers.
    """
    weights: dict[str, float] = {}
    for entry in (accept or "*/*").split(","):
        kind, *parameters = (part.strip().lower() for part in entry.split(";"))
        weights[kind] = _weight(parameters)

    def weight(media_type: str) -> float:
        kind = media_type.partition(";")[0]
        ranges = (kind, f"{kind.partition('/')[0]}/*", "*/*")
        return next((weights[each] for each in ranges if each in weights), 0.0)

    return max(offered, key=weight)


def _weight(parameters: Sequence[str]) -> float:
    text = next((each.removeprefix("q=") for each in parameters if each.startswith("q=")), "1")
    return float(text) if _WEIGHT.fullmatch(text) else 0.0
