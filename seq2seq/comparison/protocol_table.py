"""The table of a published protocol on somebody's own sequence: our lines, then theirs."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq.comparison.output import CSV, MARKDOWN, VALUES
from seq2seq.report.figures import fixed, or_dash
from seq2seq.report.plain import to_plain
from seq2seq.writers import write_file

COLUMNS = {"RMSE": 4, "NRMSE": 3, "PSNR": 2, "SSIM": 3, "SAM": 2}
HEAD = ("method", "area", "cases", "RMSE", "NRMSE", "PSNR, dB", "SSIM", "SAM, °", "source")


@dataclass(frozen=True)
class Line:
    """values: by column; what is missing is not known. cases: None where it was published."""

    method: str
    area: str
    values: Mapping[str, float]
    source: str
    cases: int | None = None


def cells(line: Line) -> list[str]:
    """The line for people, in the order of `HEAD`."""
    figures = [fixed(line.values.get(name), decimals) for name, decimals in COLUMNS.items()]
    return [line.method, line.area, or_dash(line.cases), *figures, line.source]


def write_table(
    out: Path, title: str, lines: Sequence[Line], notes: Iterable[str], failures: Sequence[tuple[str, str, str | None]]
) -> None:
    """Writes table.csv, table.md and results.json. failures: method, case, reason. Raises `OutputError`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    for line in lines:
        writer.writerow([line.method, line.area, line.cases, *map(line.values.get, COLUMNS), line.source])
    write_file(out / CSV, text.getvalue().encode())
    rows = [_row(HEAD), _row(["---"] * len(HEAD)), *(_row(cells(line)) for line in lines)]
    page = [f"# {title}", "", *rows, "", *(f"- {note}" for note in notes), ""]
    if failures:
        page += ["## Not finished", "", *(f"- {method}, {case}: {reason}" for method, case, reason in failures), ""]
    write_file(out / MARKDOWN, "\n".join(page).encode())
    found = {"title": title, "rows": list(lines), "notes": list(notes), "failures": list(failures)}
    write_file(out / VALUES, (json.dumps(to_plain(found), indent=1, ensure_ascii=False) + "\n").encode())


def _row(values: Iterable[str]) -> str:
    return f"| {' | '.join(value.replace('|', '/') for value in values)} |"
