"""The report's charts as geometry, in SVG units: the template draws them, the style sheet knows light and dark."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Point = tuple[float, float]

WIDTH, HEIGHT = 520.0, 190.0
# Several stand side by side: fewer units across, so that letters keep their size.
SERIES_WIDTH = 350.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 12.0, 12.0, 26.0
# From one line of text to the next.
_TEXT_ROOM = 13.0
# A dumbbell's rail begins here and is so long.
_RAIL_START, _RAIL_LENGTH = 6.0, 188.0


@dataclass(frozen=True)
class Level:
    """A horizontal line at `y` with its label."""

    y: float
    label: str


@dataclass(frozen=True)
class Frame:
    """Axes of a chart: x from `first` to `last`, y from `low` to `high`, on a drawing of `width` x `height`, the x
    axis' labels included."""

    width: float
    first: float
    last: float
    low: float
    high: float
    height: float = HEIGHT

    @property
    def left(self) -> float:
        """Where the y axis stands."""
        return _LEFT

    @property
    def right(self) -> float:
        """Where lines end."""
        return self.width - _RIGHT

    def place(self, x: float, y: float) -> Point:
        """A value's place in the drawing."""
        across, up = (x - self.first) / ((self.last - self.first) or 1), (y - self.low) / (self.high - self.low)
        return self.left + across * (self.right - self.left), self.height - _BOTTOM - up * (
            self.height - _TOP - _BOTTOM
        )

    def path(self, points: Sequence[Point]) -> str:
        """Values as an SVG list of points."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.place(*point) for point in points))

    def levels(self) -> tuple[Level, ...]:
        """Three to six round values across the chart."""
        return tuple(Level(self.place(self.first, tick)[1], number(tick)) for tick in _ticks(self.low, self.high))


@dataclass(frozen=True)
class LineChart:
    """Values over steps, as a line that ends in a dot; beside it a level to compare with."""

    frame: Frame
    label: str
    line: str
    end: Point
    reference: Level | None


@dataclass(frozen=True)
class SeriesChart:
    """One pixel over time: the result with its interval, interpolation as dashes, what was observed as dots."""

    frame: Frame
    label: str
    interval: str
    linear: str
    line: str
    dots: tuple[Point, ...]


@dataclass(frozen=True)
class Dot:
    """A named value in the drawing. name_y: where its name stands, so that no two lie on each other; leftwards: on the
    left of it, where the right has no room."""

    x: float
    y: float
    name_y: float
    name: str
    colour: str
    leftwards: bool


@dataclass(frozen=True)
class Scatter:
    """Named values over a quantity on a logarithmic axis. ticks: places and labels of its powers of ten."""

    frame: Frame
    label: str
    dots: tuple[Dot, ...]
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class NamedLine:
    """A line in the drawing, with a dot at each value; its name stands beside the last one."""

    name: str
    colour: str
    line: str
    dots: tuple[Point, ...]


@dataclass(frozen=True)
class CategoryChart:
    """Values by ordered categories, a line for each name. ticks: where each category stands, and what it is called."""

    frame: Frame
    label: str
    lines: tuple[NamedLine, ...]
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Dumbbell:
    """Two errors on one rail, as places along it: ours and theirs."""

    ours: float
    theirs: float
    better: bool


@dataclass(frozen=True)
class Part:
    """A part of a stacked bar: its name, its fraction of the whole and the class of its colour."""

    name: str
    fraction: float
    colour: str


def line_chart(points: Sequence[Point], *, label: str, reference: tuple[str, float] | None = None) -> LineChart:
    """Values over steps. points: (step, value), at least one, finite. reference: a named level to compare with."""
    low, high = span_of([y for _, y in points] + ([reference[1]] if reference else []))
    frame = Frame(WIDTH, 0, max(x for x, _ in points) or 1, low, high)
    return LineChart(
        frame,
        f"{label}, {number(points[0][1])} to {number(points[-1][1])}",
        frame.path(points),
        frame.place(*points[-1]),
        Level(frame.place(0, reference[1])[1], reference[0]) if reference else None,
    )


def series_chart(
    days: Sequence[float],
    *,
    values: Sequence[float],
    half_width: Sequence[float],
    observed: Sequence[float | None],
    linear: Sequence[float],
    label: str,
) -> SeriesChart:
    """A series of one pixel. days: at least one, increasing; all others are as long. observed: None is no dot."""
    upper = [value + half for value, half in zip(values, half_width, strict=True)]
    lower = [value - half for value, half in zip(values, half_width, strict=True)]
    dots = [(day, value) for day, value in zip(days, observed, strict=True) if value is not None]
    low, high = span_of([*upper, *lower, *linear, *(value for _, value in dots)])
    frame = Frame(SERIES_WIDTH, days[0], days[-1], low, high)
    above, below = (list(zip(days, edge, strict=True)) for edge in (upper, lower))
    return SeriesChart(
        frame,
        label,
        interval=frame.path(above + below[::-1]),
        linear=frame.path(list(zip(days, linear, strict=True))),
        line=frame.path(list(zip(days, values, strict=True))),
        dots=tuple(frame.place(*dot) for dot in dots),
    )


def scatter(
    points: Sequence[tuple[Point, str, str]], *, first: float, last: float, label: str, least_span: float
) -> Scatter:
    """Values over a quantity above 0. points: ((quantity, value), name, colour), at least one; first, last: ends of the
    axis; least_span: of values, so that no difference looks large that is none."""
    low, high = span_of([value for (_, value), _, _ in points])
    margin = max(least_span - (high - low), 0) / 2
    tall = max(HEIGHT, _TEXT_ROOM * len(points) + _TOP + _BOTTOM)
    frame = Frame(WIDTH, math.log10(first), math.log10(last), low - margin, high + margin, tall)
    placed = sorted((frame.place(math.log10(x), y)[::-1], name, colour) for (x, y), name, colour in points)
    names_y = _apart([y for (y, _), _, _ in placed], tall)
    dots = tuple(
        Dot(x, y, name_y, name, colour, leftwards=x > frame.width / 2)
        for ((y, x), name, colour), name_y in zip(placed, names_y, strict=True)
    )
    powers = range(math.ceil(math.log10(first)), math.floor(math.log10(last)) + 1)
    ticks = tuple((frame.place(power, low)[0], number(10.0**power)) for power in powers)
    return Scatter(frame, label, dots, ticks)


def category_chart(
    categories: Sequence[str], lines: Sequence[tuple[str, str, Sequence[float | None]]], *, label: str
) -> CategoryChart:
    """Values from 0 up by category. lines: (name, colour, a value for each category or None), one value at least."""
    _, high = span_of([value for _, _, values in lines for value in values if value is not None])
    frame = Frame(WIDTH, -0.5, len(categories) - 0.5, 0.0, high)
    drawn = []
    for name, colour, values in lines:
        points = [(float(k), value) for k, value in enumerate(values) if value is not None]
        drawn.append(NamedLine(name, colour, frame.path(points), tuple(frame.place(*point) for point in points)))
    ticks = tuple((frame.place(k, 0.0)[0], name) for k, name in enumerate(categories))
    return CategoryChart(frame, label, tuple(drawn), ticks)


def dumbbell(ours: float, theirs: float, *, most: float) -> Dumbbell:
    """Two errors on a line from 0 to `most`."""
    a, b = (_RAIL_START + _RAIL_LENGTH * min(value / most, 1) if most > 0 else _RAIL_START for value in (ours, theirs))
    return Dumbbell(a, b, better=ours <= theirs)


def stacked_bar(parts: Mapping[str, float], colours: Mapping[str, str]) -> list[Part]:
    """Parts above 0 in their proportions."""
    total = sum(parts.values()) or 1
    return [Part(name, value / total, colours[name]) for name, value in parts.items() if value > 0]


def number(value: float) -> str:
    """Four digits, as on an axis."""
    return f"{value:.4g}"


def _apart(places: Sequence[float], height: float) -> list[float]:
    """Increasing places, moved as little as downwards and back takes until each has room for a line of text."""
    bottom = height - _BOTTOM
    room = min(_TEXT_ROOM, (bottom - _TOP) / max(len(places), 1))
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + room) if moved else place)
    for k in range(len(moved) - 1, -1, -1):
        moved[k] = min(moved[k], bottom if k == len(moved) - 1 else moved[k + 1] - room)
    return moved


def span_of(values: Sequence[float]) -> Point:
    """A little more than the values span, never empty."""
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or abs(high) * 0.1 or 1.0
    return low - margin, high + margin


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round values in the range, fewer where floating point has no more of them there."""
    rough = (high - low) / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    ticks = [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return [tick for tick in ticks if low <= tick <= high]
