"""report.html of a comparison: quality by gap length, by band and over the time spent; cost; pictures; failures.

Figures are taken from values as results.json holds them, pictures are given beside them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq.report.benchmark_pictures import Pictures, Section, picture_sections
from seq2seq.report.candidates import LINEAR
from seq2seq.report.charts import CategoryChart, Dumbbell, Point, Scatter, category_chart, dumbbell, scatter
from seq2seq.report.figures import fixed, ranged
from seq2seq.report.templates import template
from seq2seq.report.thumbnails import sigma_colours

Values = Mapping[str, Any]

# Colours of report.css that rows take in turn, the best first; then once more, with other dashes.
_COLOURS = ("candidate-0", "candidate-1", "other", "candidate-3", "candidate-2", "nearest")
_AGAIN = " again"
# Of methods that others are compared with, beside linear interpolation.
_REFERENCE = "result"
# Lines that are told apart in one chart, beside those of linear interpolation and the other references.
_MOST_LINES = 5
# dB; what is less is no difference to look at.
_LEAST_SPAN_DB = 0.5
# Times the error of linear interpolation; what is worse lies at the end of its rail.
_WORST = 2.0
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
    cut: str
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
class Cost:
    """What a method took, with shares of the most that any took, for bars."""

    name: str
    colour: str
    seconds: str
    seconds_share: float
    memory: str
    memory_share: float


@dataclass(frozen=True)
class Block:
    """All about one kind of gap. references: heads of the columns of differences. verdict: sentences. pictures: one
    section for each input."""

    gap: str
    references: list[str]
    lines: list[Line]
    by_gap: Errors
    by_band: Errors
    lengths: CategoryChart
    time: Scatter
    cost: list[Cost]
    verdict: list[str]
    pictures: list[Section]


def render(values: Values, pictures: Pictures) -> str:
    """The whole page."""
    by_gap = {
        gap: [row for row in values["rows"] if row["gap"] == gap]
        for gap in dict.fromkeys(row["gap"] for row in values["rows"])
    }
    colours = _colours(values)
    chosen = {gap: [row["method"] for row in _charted(rows)] for gap, rows in by_gap.items()}
    sections = picture_sections(values, pictures, colours, chosen)
    blocks = [
        _block(gap, rows, colours, values["verdicts"][gap], sections.get(gap, [])) for gap, rows in by_gap.items()
    ]
    return template("benchmark.html.jinja").render(
        results=values,
        blocks=blocks,
        cut=any(row["cut"] for row in values["rows"]),
        error_colours=sigma_colours(),
    )


def _colours(values: Values) -> dict[str, str]:
    """One for each method, the same in all charts: references keep theirs, the best of the last table come first."""
    rows = values["rows"]
    references = {name for row in rows for name in row["differences"]} - {LINEAR}
    ranked = dict.fromkeys(row["method"] for row in rows if row["gap"] == rows[-1]["gap"])
    others = [name for name in dict.fromkeys([*ranked, *values["methods"]]) if name not in {LINEAR, *references}]
    rounds = [_COLOURS[k % len(_COLOURS)] + (_AGAIN if k >= len(_COLOURS) else "") for k in range(len(others))]
    return {LINEAR: LINEAR, **dict.fromkeys(references, _REFERENCE), **dict(zip(others, rounds, strict=True))}


def _charted(rows: Sequence[Values]) -> list[Values]:
    """The rows that charts show: the best few, and those that all are compared with. Rows that lack cases would be of
    other pixels."""
    complete = [row for row in rows if row["cases"] == row["of"] and not row["alone"]] or list(rows)
    references = {LINEAR, *(name for row in rows for name in row["differences"])}
    best = [row["name"] for row in complete if row["name"] not in references][:_MOST_LINES]
    return [row for row in complete if row["name"] in references or row["name"] in best]


def _block(
    gap: str, rows: Sequence[Values], colours: Mapping[str, str], verdict: list[str], pictures: list[Section]
) -> Block:
    references = list(dict.fromkeys(name for row in rows for name in row["differences"]))
    floor = next((row["scores"]["rmse"] for row in rows if row["name"] == LINEAR), None)
    most = max(row["scores"]["rmse"] for row in rows)
    most = most if floor is None else min(most, _WORST * floor)
    columns = {
        name: _column([row["scores"][name] for row in rows], rows, decimals, more=more)
        for name, decimals, more in _METRICS
    }
    lines = [
        Line(
            name=row["name"],
            cut=row["cut"],
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
        cost=_cost(rows, colours),
        verdict=verdict,
        pictures=pictures,
    )


def _cost(rows: Sequence[Values], colours: Mapping[str, str]) -> list[Cost]:
    """Of each method, the quickest first."""
    shown = sorted((row for row in rows if not row["alone"]), key=lambda row: float(row["seconds"]))
    seconds = max((row["seconds"] for row in shown), default=0) or 1
    memory = max((row["memory_gb"] or 0 for row in shown), default=0) or 1
    return [
        Cost(
            row["name"],
            colours[row["method"]],
            fixed(row["seconds"], 1),
            row["seconds"] / seconds,
            fixed(row["memory_gb"], 2),
            (row["memory_gb"] or 0) / memory,
        )
        for row in shown
    ]


def _errors(rows: Sequence[Values], part: str) -> Errors:
    names = _lengths(rows) if part == "by_gap" else list(dict.fromkeys(name for row in rows for name in row[part]))
    columns = [_column([row[part].get(name) for row in rows], rows, 4, more=False) for name in names]
    return Errors(names, [(row["name"], [column[k] for column in columns]) for k, row in enumerate(rows)])


def _lengths(rows: Sequence[Values]) -> list[str]:
    """The classes of gap length that occur, the shortest first: `20 to 45 days`."""
    return sorted({name for row in rows for name in row["by_gap"]}, key=lambda name: float(name.split()[0]))


def _by_length(rows: Sequence[Values], colours: Mapping[str, str]) -> CategoryChart:
    """RMSE of the best methods and of those that all are compared with."""
    shown = _charted(rows)
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
