"""The report's charts, as inline SVG and plain boxes. Colours are classes: the style sheet knows light and dark."""

import math
from collections.abc import Mapping, Sequence

from seq2seq.report.html import Markup, element, join

Point = tuple[float, float]

_WIDTH, _HEIGHT = 520.0, 190.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 12.0, 12.0, 26.0
# Several stand side by side: fewer units across, so that letters keep their size.
_SERIES_WIDTH = 350.0


def line_chart(
    points: Sequence[Point], *, label: str, class_: str, reference: tuple[str, float] | None = None
) -> Markup:
    """Values over steps. points: (step, value), at least one, finite. reference: a named level to compare with."""
    values = [y for _, y in points] + ([reference[1]] if reference else [])
    low, high = _range(values)
    last_step = max(x for x, _ in points) or 1

    def place(x: float, y: float) -> Point:
        across, up = x / last_step, (y - low) / (high - low)
        return _LEFT + across * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)

    grid = [_level(place(0, tick)[1], _number(tick)) for tick in _ticks(low, high)]
    path = _path([place(*point) for point in points])
    end_x, end_y = place(*points[-1])
    return element(
        "svg",
        element("title", f"{label}, {_number(points[0][1])} to {_number(points[-1][1])}"),
        *grid,
        _reference_line(place(0, reference[1])[1], reference[0]) if reference else None,
        element("polyline", points=path, class_=f"line {class_}"),
        element("circle", cx=end_x, cy=end_y, r=3.5, class_=f"dot {class_}"),
        element("text", "0", x=_LEFT, y=_HEIGHT - 8, class_="tick"),
        element("text", f"step {last_step:.0f}", x=_WIDTH - _RIGHT, y=_HEIGHT - 8, class_="tick end"),
        viewBox=f"0 0 {_WIDTH:g} {_HEIGHT:g}",
        role="img",
        class_="chart",
    )


def few_points(points: Sequence[Point]) -> Markup:
    """A handful of values over steps, as a line of figures: too few for a chart to say more."""
    return element(
        "ol",
        *(element("li", element("b", f"{y:.2f}"), element("span", f"step {x:.0f}")) for x, y in points),
        class_="few",
    )


def series_chart(
    days: Sequence[float],
    ends: tuple[str, str],
    *,
    values: Sequence[float],
    half_width: Sequence[float],
    observed: Sequence[float | None],
    linear: Sequence[float],
    label: str,
) -> Markup:
    """A series of one pixel: the result with its interval, interpolation as dashes, what was observed as dots.

    days: at least one, increasing; ends: names of the first and last. All others are as long; observed None: no dot.
    """
    seen = [value for value in observed if value is not None]
    upper = [value + half for value, half in zip(values, half_width, strict=True)]
    lower = [value - half for value, half in zip(values, half_width, strict=True)]
    low, high = _range([*upper, *lower, *linear, *seen])
    span = (days[-1] - days[0]) or 1

    def place(day: float, value: float) -> Point:
        across, up = (day - days[0]) / span, (value - low) / (high - low)
        return _LEFT + across * (_SERIES_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)

    def line(numbers: Sequence[float]) -> list[Point]:
        return [place(day, number) for day, number in zip(days, numbers, strict=True)]

    dots = [place(day, value) for day, value in zip(days, observed, strict=True) if value is not None]
    return element(
        "svg",
        element("title", label),
        *(_level(place(days[0], tick)[1], _number(tick), width=_SERIES_WIDTH) for tick in _ticks(low, high)),
        element("polygon", points=_path(line(upper) + line(lower)[::-1]), class_="interval result"),
        element("polyline", points=_path(line(linear)), class_="line dashed linear"),
        element("polyline", points=_path(line(values)), class_="line result"),
        *(element("circle", cx=x, cy=y, r=2.6, class_="dot seen") for x, y in dots),
        element("text", ends[0], x=_LEFT, y=_HEIGHT - 8, class_="tick"),
        element("text", ends[1], x=_SERIES_WIDTH - _RIGHT, y=_HEIGHT - 8, class_="tick end"),
        viewBox=f"0 0 {_SERIES_WIDTH:g} {_HEIGHT:g}",
        role="img",
        class_="chart",
    )


def scale_bar(colours: Sequence[str], low: str, high: str) -> Markup:
    """A legend for pictures in a scale of colours: from `low` to `high`."""
    boxes = [element("i", style=f"background:{colour}") for colour in colours]
    return element("span", low, element("span", *boxes, class_="ramp"), high, class_="scale")


def dumbbell(ours: float, theirs: float, *, most: float) -> Markup:
    """Two errors on a line from 0 to `most`: ours and theirs, joined in the colour of the better one."""
    a, b = (6 + 188 * min(value / most, 1) if most > 0 else 6 for value in (ours, theirs))
    return element(
        "svg",
        element("line", x1=6, x2=194, y1=9, y2=9, class_="rail"),
        element("line", x1=a, x2=b, y1=9, y2=9, class_="gain" if ours <= theirs else "loss"),
        element("circle", cx=b, cy=9, r=4.5, class_="dot linear"),
        element("circle", cx=a, cy=9, r=5.5, class_="dot result"),
        viewBox="0 0 200 18",
        class_="dumbbell",
        aria_hidden="true",
    )


def shares(parts: Mapping[str, float], *, classes: Mapping[str, str]) -> Markup:
    """A bar of parts in their proportions, each with its name and share on hovering."""
    total = sum(parts.values()) or 1
    boxes = [
        element(
            "i",
            title=f"{name} {value / total:.0%}",
            class_=classes.get(name, ""),
            style=f"flex-grow:{value / total:.4f}",
        )
        for name, value in parts.items()
        if value > 0
    ]
    return element("div", *boxes, class_="shares")


def bar(fraction: float, *, class_: str) -> Markup:
    """A bar filled to `fraction`, 0 to 1."""
    return element("span", element("i", style=f"width:{min(max(fraction, 0), 1):.1%}"), class_=f"bar {class_}")


def _path(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _level(y: float, label: str, *, width: float = _WIDTH) -> Markup:
    return join(
        element("line", x1=_LEFT, x2=width - _RIGHT, y1=y, y2=y, class_="grid"),
        element("text", label, x=_LEFT - 8, y=y + 4, class_="tick end"),
    )


def _reference_line(y: float, label: str) -> Markup:
    return join(
        element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_="reference"),
        element("text", label, x=_WIDTH - _RIGHT, y=y - 5, class_="tick end"),
    )


def _range(values: Sequence[float]) -> tuple[float, float]:
    """A little more than the values span, never empty."""
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or abs(high) * 0.1 or 1.0
    return low - margin, high + margin


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round values in the range."""
    rough = (high - low) / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step)
    return [round(n * step, 12) for n in range(first, math.floor(high / step) + 1)]


def _number(value: float) -> str:
    return f"{value:.4g}"
