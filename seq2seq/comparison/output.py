"""The folder of a comparison: looked at before anything is read, written when all methods are done."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq.comparison.case import Outcome
from seq2seq.comparison.jobs import describe_jobs
from seq2seq.comparison.parts import FOLDER
from seq2seq.comparison.scoring import GAP_CLASSES
from seq2seq.comparison.table import Difference, Row
from seq2seq.comparison.verdict import LEGEND, verdicts
from seq2seq.report.benchmark_pictures import Pictures
from seq2seq.report.benchmark_report import render
from seq2seq.report.figures import fixed, or_dash, ranged
from seq2seq.report.plain import to_plain
from seq2seq.validation.holdout import LINEAR
from seq2seq.writers import write_file
from seq2seq.writers.own_folder import check_own_folder

CSV, MARKDOWN, PAGE, VALUES = "table.csv", "table.md", "report.html", "results.json"
_OURS = {CSV, MARKDOWN, PAGE, VALUES, FOLDER}


def check_folder(out: Path) -> None:
    """Raises `OutputError` where a comparison may not write into `out`: only into a new or empty folder, or its own."""
    check_own_folder(out, _OURS, "benchmark")


def write_all(out: Path, results: Mapping[str, Any]) -> None:
    """Writes the four files. results: facts, `rows` of the table, `failures` and `outcomes`. Raises `OutputError`."""
    rows: Sequence[Row] = results["rows"]
    values = to_plain({**results, "outcomes": [each.to_dict() for each in results["outcomes"]]})
    at_once = describe_jobs(values["jobs"], max_minutes=values["max_minutes"])
    values |= {"verdicts": verdicts(values["rows"]), "legend": LEGEND, "at_once": at_once}
    text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False)
    write_file(out / VALUES, (text + "\n").encode())
    write_file(out / CSV, as_csv(rows).encode())
    write_file(out / MARKDOWN, as_markdown(values).encode())
    write_file(out / PAGE, render(values, _pictures(results["outcomes"])).encode())


def _pictures(outcomes: Iterable[Outcome]) -> Pictures:
    """By input and gap, then by method."""
    found: Pictures = {}
    for each in outcomes:
        if each.picture is not None:
            found.setdefault((each.case.input, each.case.gap), {})[each.method] = each.picture
    return found


def as_csv(rows: Sequence[Row]) -> str:
    """A line for each row, all that it has; empty: not measured."""
    bands = dict.fromkeys(band for row in rows for band in row.by_band)
    references = dict.fromkeys(name for row in rows for name in row.differences)
    lines = [_csv_line(row, bands, references) for row in rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]) if lines else ["gap"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def as_markdown(values: Mapping[str, Any]) -> str:
    """A table for each kind of gap, then what failed. values: as results.json holds them."""
    made = f"decloud {values['version']}, {values['device'] or 'no device'}, {values['created']}:"
    lines = ["# Methods side by side", "", made, "", f"    {values['command']}", "", values["explanation"], ""]
    if values["at_once"]:
        lines += [values["at_once"], ""]
    for gap in dict.fromkeys(row["gap"] for row in values["rows"]):
        rows = [row for row in values["rows"] if row["gap"] == gap]
        head, cells = _shown(rows)
        lines += [
            f"## Gaps: {gap}",
            "",
            *(f"- {sentence}" for sentence in values["verdicts"][gap]),
            "",
            *_table(head, cells),
            "",
        ]
    if any(row["cut"] for row in values["rows"]):
        lines += [values["legend"], ""]
    if values["failures"]:
        failed = [[each[name] for name in ("method", "case", "reason")] for each in values["failures"]]
        lines += ["## Not finished", "", *_table(["method", "case", "reason"], failed), ""]
    return "\n".join(lines)


def summary(results: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Head and lines of the last table, that of all gaps, narrow enough for a terminal."""
    rows = to_plain(results["rows"])
    last = [row for row in rows if row["gap"] == rows[-1]["gap"]]
    first_reference = next((name for row in last for name in row["differences"]), LINEAR)
    lines = [
        [
            _name(row),
            f"{row['cases']}/{row['of']}",
            fixed(row["scores"]["psnr"], 2),
            ranged(row["differences"].get(first_reference)),
            fixed(row["seconds"], 1),
        ]
        for row in last
    ]
    return ["method", "cases", "PSNR, dB", f"over {first_reference}, dB", "seconds"], lines


def _shown(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    references = list(dict.fromkeys(name for row in rows for name in row["differences"]))
    over = [f"over {name}, dB" for name in references]
    head = ["method", "cases", "RMSE", "PSNR, dB", "SAM, °", "SSIM", *over, "seconds", "GB"]
    return head, [_cells(row, references) for row in rows]


def _cells(row: Mapping[str, Any], references: Iterable[str]) -> list[str]:
    scores = row["scores"]
    return [
        _name(row),
        f"{row['cases']}/{row['of']}",
        fixed(scores["rmse"], 4),
        fixed(scores["psnr"], 2),
        fixed(scores["sam"], 2),
        fixed(scores["ssim"], 3),
        *(ranged(row["differences"].get(name)) for name in references),
        fixed(row["seconds"], 1),
        fixed(row["memory_gb"], 2),
    ]


def _name(row: Mapping[str, Any]) -> str:
    """`guided (40 % of steps)`, of a row that was cut."""
    return f"{row['name']} ({row['cut']})" if row["cut"] else str(row["name"])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_line(head), _line(["---"] * len(head)), *map(_line, rows)]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(or_dash(cell).replace('|', '/') for cell in cells)} |"


def _csv_line(row: Row, bands: Iterable[str], references: Iterable[str]) -> dict[str, Any]:
    return {
        "gap": row.gap,
        "method": row.method,
        "prediction": "alone" if row.alone else "blended",
        "cases": row.cases,
        "of": row.of,
        "dates": row.dates,
        "pixels": row.scores.pixels,
        "rmse": row.scores.rmse,
        "psnr_db": row.scores.psnr,
        "mae": row.scores.mae,
        "sam_degrees": row.scores.sam,
        "ssim": row.scores.ssim,
        "seconds": row.seconds,
        "memory_gb": row.memory_gb,
        "steps_share": row.steps,
        "cut": row.cut,
        **{f"rmse {name}": row.by_gap.get(name) for name in GAP_CLASSES},
        **{f"rmse {band}": row.by_band.get(band) for band in bands},
        **{
            f"over {name}, {part}": value
            for name in references
            for part, value in _ends(row.differences.get(name)).items()
        },
    }


def _ends(found: Difference | None) -> dict[str, float | None]:
    if found is None:
        return {"db": None, "low_db": None, "high_db": None}
    return {"db": found.measured_db, "low_db": found.low_db, "high_db": found.high_db}
