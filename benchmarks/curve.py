"""The picture of `ebel2021` against `guided`: held-out RMSE over time on a logarithmic axis, as SVG."""

from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import Any

WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 30, 56, 50
GUIDED, PUBLISHED, SCALED, GREY = "#0072b2", "#d55e00", "#e69f00", "#777777"


@dataclass(frozen=True)
class Axes:
    """From seconds (logarithmic) and RMSE (linear, from 0) to the drawing's coordinates."""

    decades: tuple[int, int]
    top_rmse: float

    def x(self, seconds: float) -> float:
        low, high = self.decades
        share = (log10(max(seconds, 10.0**low)) - low) / (high - low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, rmse: float) -> float:
        return HEIGHT - BOTTOM - min(rmse / self.top_rmse, 1.0) * (HEIGHT - TOP - BOTTOM)


def draw(row: dict[str, Any]) -> str:
    """`row`: the part `paper` of results.json. Broken lines are extrapolated, and say so."""
    published, guided = row["ebel2021"], row["guided"]["curve"]
    whole_s = published["step_s"] * published["steps_total"]
    curves = [
        (GUIDED, "guided", guided),
        (PUBLISHED, "ebel2021, beginning of its published schedule", published["published"]["curve"]),
        (SCALED, "ebel2021, schedule scaled down", published["scaled"]["curve"]),
    ]
    curves = [(colour, name, points) for colour, name, points in curves if points]
    axes = _axes([point for _, _, points in curves for point in points], whole_s, row["linear_rmse"])
    parts = [*_frame(axes), _line(axes, row["linear_rmse"], "linear interpolation")]
    for index, (colour, name, points) in enumerate(curves):
        parts += [*_curve(axes, colour, points), _text(LEFT + 8, 16 + 15 * index, name, fill=colour)]
    if not published["published"]["complete"]:
        parts += _extrapolated(axes, curves[1:], whole_s)
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    style = 'font-family="sans-serif" font-size="12"'
    background = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n{background}\n' + "\n".join(parts) + "\n</svg>\n"


def _axes(points: list[dict[str, Any]], whole_s: float, linear_rmse: float) -> Axes:
    earliest = min(point["seconds"] for point in points)
    latest = max(whole_s, *(point["seconds"] for point in points))
    low = floor(log10(max(earliest, 0.1)))
    worst = max(linear_rmse, *(point["rmse"] for point in points))
    # A published fit that has seen few windows errs hugely; the interesting part is near interpolation.
    return Axes((low, max(low + 1, ceil(log10(latest)))), 1.1 * min(worst, 3 * linear_rmse))


def _frame(axes: Axes) -> list[str]:
    floor_y, ceiling_y = HEIGHT - BOTTOM, TOP
    parts = [_text(WIDTH / 2, HEIGHT - 12, "seconds, logarithmic", anchor="middle")]
    parts.append(f'<g transform="rotate(-90 18 {HEIGHT / 2})">{_text(18, HEIGHT / 2, "held-out RMSE", "middle")}</g>')
    for decade in range(axes.decades[0], axes.decades[1] + 1):
        x = axes.x(10.0**decade)
        parts += [
            _stroke([(x, floor_y), (x, ceiling_y)], "#e4e4e4"),
            _text(x, floor_y + 18, f"{10.0**decade:g}", "middle"),
        ]
    for k in range(5):
        rmse = axes.top_rmse * k / 4
        parts += [
            _stroke([(LEFT, axes.y(rmse)), (WIDTH - RIGHT, axes.y(rmse))], "#e4e4e4"),
            _text(LEFT - 6, axes.y(rmse) + 4, f"{rmse:.3f}", "end"),
        ]
    return parts


def _line(axes: Axes, rmse: float, name: str) -> str:
    y = axes.y(rmse)
    return _stroke([(LEFT, y), (WIDTH - RIGHT, y)], GREY) + _text(WIDTH - RIGHT - 4, y - 5, name, "end", fill=GREY)


def _curve(axes: Axes, colour: str, points: list[dict[str, Any]]) -> list[str]:
    places = [(axes.x(point["seconds"]), axes.y(point["rmse"])) for point in points]
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
    return [_stroke(places, colour, width=2), *dots]


def _extrapolated(axes: Axes, curves: list[tuple[str, str, list[dict[str, Any]]]], whole_s: float) -> list[str]:
    """From the best that `ebel2021` reached, level, to the end of its published schedule."""
    measured = [point for _, _, points in curves for point in points]
    if not measured:
        return []
    best = min(measured, key=lambda point: float(point["rmse"]))
    y, end = axes.y(best["rmse"]), axes.x(whole_s)
    label = "end of the published schedule (time extrapolated, RMSE unknown)"
    return [
        _stroke([(axes.x(best["seconds"]), y), (end, y)], PUBLISHED, dashes="5 5"),
        _stroke([(end, TOP), (end, HEIGHT - BOTTOM)], PUBLISHED, dashes="2 4"),
        _text(end - 5, HEIGHT - BOTTOM - 8, label, "end", fill=PUBLISHED),
    ]


def _stroke(places: list[tuple[float, float]], colour: str, *, width: float = 1, dashes: str = "none") -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    look = f'fill="none" stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dashes}"'
    return f'<polyline points="{points}" {look}/>'


def _text(x: float, y: float, text: str, anchor: str = "start", *, fill: str = "#333333") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}">{escape(text)}</text>'
