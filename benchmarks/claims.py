"""Do the ranges that runs claim for their gain hold? From finished runs of cases whose truth is known.

python benchmarks/claims.py DIR [DIR ...]   enters finished runs, DIR/CASE-SEED of ../shared/data/CASE, into claims.json
                                            and prints the table of METHOD.md
python benchmarks/claims.py                 prints it from claims.json

A row holds the judged gain, the measured gain and the bootstrap's bare ends (steps 1 and 2 of
`seq2seq/validation/gain.py`), dB.
The allowances of step 3 are the most that bare ends missed by, rounded up to 0.05: the lower one as a share of the
measured gain (of 1 dB at least), the upper one in dB. A row is judged by allowances from all other places: three masks
of one scene are one place.
"""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from parts import SHARED, judge

from seq2seq.validation.gain import ALLOWANCE_HIGH_DB, ALLOWANCE_LOW, LEAST_MEASURED_DB

FILE = Path(__file__).with_name("claims.json")
ROUNDED_TO = 0.05
Row = dict[str, Any]


def place(row: Row) -> str:
    """Cases of one place share the first word of their name; every simulated scene is a place of its own."""
    case: str = row["case"]
    return case if case.startswith("sim") else case.split("-")[0]


def allowances(rows: Sequence[Row]) -> tuple[float, float]:
    """(low, high) such that every row lies in its range."""
    low = max(0.0, *((row["low_db"] - row["gain_db"]) / _size(row) for row in rows))
    high = max(0.0, *(row["gain_db"] - row["high_db"] for row in rows))
    return _up(low), _up(high)


def widened(row: Row, low: float, high: float) -> tuple[float, float]:
    """The claimed range by those allowances, dB."""
    return row["low_db"] - low * _size(row), row["high_db"] + high


def left_out(rows: Sequence[Row], row: Row) -> tuple[float, float]:
    """The range of `row` by allowances that no run at its place had a say in."""
    return widened(row, *allowances([other for other in rows if place(other) != place(row)]))


def table(rows: Sequence[Row]) -> str:
    """Markdown, a line a run, and how many ranges hold."""
    head = ["run", "judged", "held-out, as it is", "claimed range", "range without its place", "holds"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    low, high = allowances(rows)
    held = 0
    for row in rows:
        claimed, blind = widened(row, low, high), left_out(rows, row)
        holds = blind[0] <= row["gain_db"] <= blind[1]
        held += holds
        cells = [f"{row['case']}, seed {row['seed']}", *(f"{row[name]:+.2f}" for name in ("gain_db", "plain_db"))]
        cells += [f"{low_end:+.1f} to {high_end:+.1f}" for low_end, high_end in (claimed, blind)]
        lines.append(f"| {' | '.join([*cells, 'yes' if holds else '**no**'])} |")
    lines += ["", f"{held} of {len(rows)} hold without their place; allowances {low:.2f} and {high:.2f}."]
    return "\n".join(lines)


def enter(folder: Path, rows: list[Row]) -> list[Row]:
    """The rows with those of the finished runs in `folder`."""
    found = {(row["case"], row["seed"]): row for row in rows}
    for report in sorted(folder.glob("*/report.json")):
        case, _, seed = report.parent.name.rpartition("-")
        row = _row(SHARED / "data" / case, report.parent, case, int(seed))
        found[row["case"], row["seed"]] = row
    return [found[key] for key in sorted(found)]


def _row(case: Path, out: Path, name: str, seed: int) -> Row:
    holdout = json.loads((out / "report.json").read_text())["holdout"]
    gain, methods = holdout["gain"], holdout["methods"]
    row = {
        "case": name,
        "seed": seed,
        "gain_db": judge(case, out)["gain_db"],
        "plain_db": methods["result"]["psnr"] - methods["linear"]["psnr"],
        "measured_db": gain["measured_db"],
    }
    bare = {
        "low_db": gain["low_db"] + ALLOWANCE_LOW * _size(row),
        "high_db": gain["high_db"] - ALLOWANCE_HIGH_DB,
    }
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in (row | bare).items()}


def _size(row: Row) -> float:
    return max(abs(float(row["measured_db"])), LEAST_MEASURED_DB)


def _up(value: float) -> float:
    return round(math.ceil(value / ROUNDED_TO - 1e-9) * ROUNDED_TO, 4)


def main() -> None:
    rows: list[Row] = json.loads(FILE.read_text()) if FILE.is_file() else []
    for folder in map(Path, sys.argv[1:]):
        rows = enter(folder, rows)
    FILE.write_text("[\n" + ",\n".join(" " + json.dumps(row) for row in rows) + "\n]\n")
    print(table(rows))


if __name__ == "__main__":
    main()
