"""Conditional and partial requests: entity tags and byte ranges (RFC 9110, sections 13 and 14)."""

import re

from worker.errors import RangeNotSatisfiable

_TAG = re.compile(r'(?:W/)?"[^"]*"')
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
