"""Ranges of bytes: which are here, which are lacking, how they are best asked for. Pure functions of numbers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Span:
    """Bytes from `start` (included) to `end` (excluded); at least one."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"span from {self.start} to {self.end}")

    @property
    def size(self) -> int:
        """The number of bytes."""
        return self.end - self.start


def merged(spans: Iterable[Span], gap: int = 0) -> list[Span]:
    """The same bytes in as few spans as can be, sorted; gaps of up to `gap` bytes are filled."""
    result: list[Span] = []
    for span in sorted(spans):
        if result and span.start <= result[-1].end + gap:
            result[-1] = Span(result[-1].start, max(result[-1].end, span.end))
        else:
            result.append(span)
    return result


def lacking(wanted: Iterable[Span], here: Sequence[Span]) -> list[Span]:
    """The bytes of `wanted` that are not `here`, which is merged and sorted."""
    return [part for span in merged(wanted) for part in _without(span, here)]


def split(spans: Iterable[Span], longest: int) -> list[Span]:
    """The same bytes in spans of at most `longest`."""
    return [
        Span(start, min(start + longest, span.end)) for span in spans for start in range(span.start, span.end, longest)
    ]


def _without(span: Span, here: Sequence[Span]) -> Iterator[Span]:
    start = span.start
    for held in here:
        if held.end <= start:
            continue
        if held.start >= span.end:
            break
        if held.start > start:
            yield Span(start, held.start)
        start = held.end
        if start >= span.end:
            return
    if start < span.end:
        yield Span(start, span.end)
