"""report.html of a comparison: quality by gap length, by band and over the time spent; what was not finished.

Everything is taken from values as results.json holds them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq.report.candidates import LINEAR
from seq2seq.report.charts import CategoryChart, Dumbbell, Point, Scatter, category_chart, dumbbell, scatter
from seq2seq.report.figures import fixed, ranged
from seq2seq.report.templates import template

Values = Mapping[str, Any]

# Colours of report.css that rows take in turn.
_COLOURS = ("candidate-0", "candidate-1", "candidate-2", "candidate-3", "other", "nearest")
# Lines that are told apart in one chart, beside that of linear interpolation.
_MOST_LINES = 4
# dB; what is less is no difference to look at.
_LEAST_SPAN_DB = 0.5
_METRICS = (("rmse", 4, False), ("psnr", 2, True), ("sam", 2, False), ("ssim", 3, True))


@dataclass(frozen=True)
class Cell:
    """A figure, and whether it is the best of its column among rows that finished every case."""

    text: str
    best: bool


@dataclass(frozen=True)
class Line:
    """One row of the table of scores."""

    name: str
    colour: str
    cases: str
    scores: list[Cell]
    differences: list[str]
    drawing: Dumbbell | None
    seconds: str
    memory: str


@dataclass(frozen=True)
class Errors:
    """A table of errors: its columns, and a line of figures for each name."""

    head: list[str]
    lines: list[tuple[str, list[Cell]]]


@dataclass(frozen=True)
class Block:
    """All about one kind of gap. references: heads of the columns of differences."""

    gap: str
    references: list[str]
    lines: list[Line]
    by_gap: Errors
    by_band: Errors
    lengths: CategoryChart
    time: Scatter


def render(values: Values) -> str:
    """The whole page."""
    gaps = dict.fromkeys(row["gap"] for row in values["rows"])
    colours = _colours(values["methods"])
    blocks = [_block(gap, [row for row in values["rows"] if row["gap"] == gap], colours) for gap in gaps]
    return template("benchmark.html.jinja").render(results=values, blocks=blocks)


def _colours(methods: Mapping[str, str]) -> dict[str, str]:
    """One for each method; linear interpolation keeps its own in every report."""
    others = [name for name in methods if name != LINEAR]
    return {LINEAR: LINEAR, **{name: _COLOURS[k % len(_COLOURS)] for k, name in enumerate(others)}}


def _block(gap: str, rows: Sequence[Values], colours: Mapping[str, str]) -> Block:
    references = list(dict.fromkeys(name for row in rows for name in row["differences"]))
    floor = next((row["scores"]["rmse"] for row in rows if row["name"] == LINEAR), None)
    most = max(row["scores"]["rmse"] for row in rows)
    columns = {
        name: _column([row["scores"][name] for row in rows], rows, decimals, more=more)
        for name, decimals, more in _METRICS
    }
    lines = [
        Line(
            name=row["name"],
            colour=colours[row["method"]],
            cases=f"{row['cases']}/{row['of']}",
            scores=[column[k] for column in columns.values()],
            differences=[ranged(row["differences"].get(name)) for name in references],
            drawing=None if floor is None else dumbbell(row["scores"]["rmse"], floor, most=most),
            seconds=fixed(row["seconds"], 1),
            memory=fixed(row["memory_gb"], 2),
        )
        for k, row in enumerate(rows)
    ]
    return Block(
        gap,
        references,
        lines,
        by_gap=_errors(rows, "by_gap"),
        by_band=_errors(rows, "by_band"),
        lengths=_by_length(rows, colours),
        time=_over_time(rows, colours),
    )


def _errors(rows: Sequence[Values], part: str) -> Errors:
    names = _lengths(rows) if part == "by_gap" else list(dict.fromkeys(name for row in rows for name in row[part]))
    columns = [_column([row[part].get(name) for row in rows], rows, 4, more=False) for name in names]
    return Errors(names, [(row["name"], [column[k] for column in columns]) for k, row in enumerate(rows)])


def _lengths(rows: Sequence[Values]) -> list[str]:
    """The classes of gap length that occur, the shortest first: `20 to 45 days`."""
    return sorted({name for row in rows for name in row["by_gap"]}, key=lambda name: float(name.split()[0]))


def _by_length(rows: Sequence[Values], colours: Mapping[str, str]) -> CategoryChart:
    """RMSE of the best methods and of linear interpolation; those that lack cases would be of other pixels."""
    complete = [row for row in rows if row["cases"] == row["of"] and not row["alone"]] or list(rows)
    others = [row for row in complete if row["name"] != LINEAR][:_MOST_LINES]
    shown = [*others, *(row for row in complete if row["name"] == LINEAR)]
    names = _lengths(rows)
    lines = [(row["name"], colours[row["method"]], [row["by_gap"].get(name) for name in names]) for row in shown]
    return category_chart(names, lines, label="RMSE by length of the gap")


def _column(values: Sequence[float | None], rows: Sequence[Values], decimals: int, *, more: bool) -> list[Cell]:
    """Rows that lack cases are measured on other pixels, so that they are never the best."""
    complete = [
        value for value, row in zip(values, rows, strict=True) if value is not None and row["cases"] == row["of"]
    ]
    best = fixed((max if more else min)(complete, default=None), decimals)
    texts = [fixed(value, decimals) for value in values]
    return [
        Cell(text, bool(complete) and text == best and row["cases"] == row["of"])
        for text, row in zip(texts, rows, strict=True)
    ]


def _over_time(rows: Sequence[Values], colours: Mapping[str, str]) -> Scatter:
    """PSNR over seconds, of what users get."""
    shown = [row for row in rows if not row["alone"]]
    points: list[tuple[Point, str, str]] = [
        ((max(row["seconds"], 1e-2), row["scores"]["psnr"]), row["name"], colours[row["method"]]) for row in shown
    ]
    decades = [10.0**power for power in range(-2, 7)]
    low, high = (end([point[0] for point, _, _ in points]) for end in (min, max))
    first = max(each for each in decades if each <= low)
    last = min((each for each in decades if each > high), default=10 ** math.ceil(math.log10(high)))
    return scatter(points, first=first, last=last, label="PSNR, dB, over seconds", least_span=_LEAST_SPAN_DB)
