"""Lines of several methods beside what is true, over bands or over time, as geometry in SVG units."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seq2seq.report.charts import HEIGHT, WIDTH, Frame, Point, span_of

# Several stand in a row: one method each.
SMALL_WIDTH = 262.0
# Along the axis, the room that one label takes.
_LABEL_ROOM = 34.0
Line = tuple[str, str, Sequence[float | None]]


@dataclass(frozen=True)
class Drawn:
    """A line of one method; parts: SVG lists of points, broken where there is no value."""

    name: str
    colour: str
    parts: tuple[str, ...]


@dataclass(frozen=True)
class LinesChart:
    """lines: of methods. truth: what is true, as a line; dots: what methods saw of it; rings: what was hidden.
    ticks: labels along the axis. mark: where the pictured date stands, None over bands."""

    frame: Frame
    label: str
    lines: tuple[Drawn, ...]
    truth: tuple[str, ...]
    dots: tuple[Point, ...]
    rings: tuple[Point, ...]
    ticks: tuple[tuple[float, str], ...]
    mark: float | None


def spectrum_chart(
    bands: Sequence[str],
    truth: Sequence[float | None],
    lines: Sequence[Line],
    *,
    label: str,
    width: float = WIDTH,
    beside: Sequence[Line] = (),
) -> LinesChart:
    """Reflectance by band, all hidden from the methods. lines: (name, colour, a value for each band). beside:
    what charts with the same axis show."""
    places = [float(k) for k in range(len(bands))]
    frame = _frame(width, -0.4, len(bands) - 0.6, [truth, *_values(lines, beside)], from_zero=True)
    every = max(1, round(_LABEL_ROOM / ((frame.right - frame.left) / len(bands)) + 0.49))
    return LinesChart(
        frame,
        label,
        _drawn(frame, places, lines),
        _parts(frame, places, truth),
        (),
        _points(frame, places, truth),
        tuple((frame.place(place, 0)[0], bands[int(place)]) for place in places[::every]),
        None,
    )


def index_chart(
    days: Sequence[float],
    truth: Sequence[float | None],
    shown: Sequence[bool],
    lines: Sequence[Line],
    *,
    ends: tuple[str, str],
    mark: float,
    label: str,
    width: float = WIDTH,
    beside: Sequence[Line] = (),
) -> LinesChart:
    """An index over days. truth: None where not observed; shown: whether methods saw it. ends: labels of the first and
    the last day. mark: the day of the picture. beside: what charts with the same axis show."""
    frame = _frame(width, days[0], days[-1], [truth, *_values(lines, beside)])
    seen = [value if saw else None for value, saw in zip(truth, shown, strict=True)]
    hidden = [None if saw else value for value, saw in zip(truth, shown, strict=True)]
    x = frame.place(mark, 0)[0]
    return LinesChart(
        frame,
        label,
        _drawn(frame, days, lines),
        (),
        _points(frame, days, seen),
        _points(frame, days, hidden),
        ((frame.left, ends[0]), (frame.right, ends[1])),
        x,
    )


def _values(*lines: Sequence[Line]) -> list[Sequence[float | None]]:
    return [values for some in lines for _, _, values in some]


def _frame(
    width: float, first: float, last: float, series: Iterable[Sequence[float | None]], *, from_zero: bool = False
) -> Frame:
    values = [value for each in series for value in each if value is not None]
    low, high = span_of(values or [0.0])
    return Frame(width, first, last, 0.0 if from_zero and low > 0 else low, high, HEIGHT)


def _drawn(frame: Frame, places: Sequence[float], lines: Sequence[Line]) -> tuple[Drawn, ...]:
    return tuple(Drawn(name, colour, _parts(frame, places, values)) for name, colour, values in lines)


def _points(frame: Frame, places: Sequence[float], values: Sequence[float | None]) -> tuple[Point, ...]:
    return tuple(frame.place(x, y) for x, y in zip(places, values, strict=True) if y is not None)


def _parts(frame: Frame, places: Sequence[float], values: Sequence[float | None]) -> tuple[str, ...]:
    parts: list[list[Point]] = [[]]
    for x, y in zip(places, values, strict=True):
        if y is None:
            parts.append([])
        else:
            parts[-1].append((x, y))
    return tuple(frame.path(part) for part in parts if part)
