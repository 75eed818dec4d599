"""METHODS.md from methods.json: a pure function of what was measured."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from page import machine, number, provenance, table

Row = dict[str, Any]
Results = dict[str, Any]  # part -> {"rows": [...], "note": why not measured, or None, "on": circumstances}

ALL_GAPS = "all"
LINEAR = "linear"


def render(results: Results, *, quick: bool = False) -> str:
    """The whole page. Parts that were never measured say so."""
    blocks = ["# Methods side by side", _HEAD, *map(_machines, [results] if results else [])]
    for name, (title, section) in SECTIONS.items():
        part = results.get(name)
        blocks += [f"## {title}", provenance(part, results), section(part["rows"]) if part and part["rows"] else ""]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _machines(results: Results) -> str:
    latest = max((part["on"] for part in results.values()), key=lambda on: str(on["date"]))
    versions = ", ".join(f"{name} {found}" for name, found in latest["versions"].items())
    return f"Machine: {machine(latest)}. Versions: {versions}."


def comparison(rows: Sequence[Row]) -> str:
    """First what each method gains on each case, then the tables of the cases."""
    return "\n\n".join([_COMPARISON, _gains(rows), *(_case(row) for row in rows)])


def _gains(rows: Sequence[Row]) -> str:
    """Methods down, cases across: over linear interpolation, of all gaps together; what a user gets, then alone."""
    gains = {row["key"]: _over_linear(row) for row in rows}
    names = dict.fromkeys(name for found in gains.values() for name in found)
    ordered = sorted(names, key=lambda name: _place(name, gains))
    lines = [[name, *(_pair(found.get(name)) for found in gains.values())] for name in ordered]
    return table(["over linear, dB: result (alone)", *gains], lines)


def _over_linear(row: Row) -> dict[str, tuple[float | None, float | None]]:
    """By method: dB of the result and of the method alone, where measured on all of its cases."""
    found: dict[str, tuple[float | None, float | None]] = {}
    for each in _of_all_gaps(row["results"]["rows"]):
        known = each["differences"].get(LINEAR)
        value = known["measured_db"] if known and each["cases"] == each["of"] else None
        result, alone = found.get(each["method"], (None, None))
        found[each["method"]] = (result, value) if each["alone"] else (value, alone)
    found.pop(LINEAR, None)
    return found


def _of_all_gaps(rows: Sequence[Row]) -> list[Row]:
    kinds = {row["gap"] for row in rows}
    return [row for row in rows if row["gap"] == (ALL_GAPS if ALL_GAPS in kinds else row["gap"])]


def _pair(found: tuple[float | None, float | None] | None) -> str:
    result, alone = found or (None, None)
    return f"{number(result, 2, sign=True)} ({number(alone, 2, sign=True)})"


def _place(name: str, gains: Mapping[str, Mapping[str, tuple[float | None, float | None]]]) -> tuple[int, float]:
    """By mean gain; behind them those that lack a case."""
    values = [found.get(name, (None, None))[0] for found in gains.values()]
    known = [value for value in values if value is not None]
    return len(values) - len(known), -statistics.mean(known or [0.0])


def _case(row: Row) -> str:
    """The tables of one case."""
    results = row["results"]
    made = [f"    {row['simulated']}"] if row["simulated"] else []
    blocks = [f"### {row['key']}", "\n".join([*made, f"    {row['command']}"]), row.get("note") or ""]
    for gap in dict.fromkeys(each["gap"] for each in results["rows"]):
        inside = [each for each in results["rows"] if each["gap"] == gap]
        blocks += [f"Gaps: {gap}", table(_CASE_HEAD, map(_case_line, inside))]
    if results["failures"]:
        failed = ([each["method"], each["case"], each["reason"]] for each in results["failures"])
        blocks += ["Not finished:", table(["method", "case", "reason"], failed)]
    return "\n\n".join(block for block in blocks if block)


def _case_line(row: Row) -> list[str]:
    scores = row["scores"]
    return [
        f"{row['name']}{_mark(row)}",
        f"{row['cases']}/{row['of']}",
        number(scores["rmse"], 4),
        number(scores["psnr"], 2),
        number(scores["sam"], 2),
        number(scores["ssim"], 3),
        _ranged(row["differences"].get(LINEAR)),
        _ranged(row["differences"].get("guided")),
        number(row["seconds"], 1),
        number(row["memory_gb"], 2),
    ]


def _mark(row: Row) -> str:
    """Where its time was over before its steps were."""
    return f" ({row['cut']})" if row.get("cut") else ""


def _ranged(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "–"
    text = number(found["measured_db"], 2, sign=True)
    if found["low_db"] is None:
        return text
    return f"{text} ({number(found['low_db'], 2, sign=True)} to {number(found['high_db'], 2, sign=True)})"


def temporal(rows: Sequence[Row]) -> str:
    """Seconds, and how many times as long the loops take."""
    shape = " x ".join(map(str, rows[0]["shape"]))
    lines = [
        [
            row["key"],
            f"{number(row['seconds'], 3)} ({number(row['least_s'], 3)} to {number(row['most_s'], 3)})",
            *(_times(row[name], row["seconds"]) for name in ("loop_s", "fusets_s")),
            row["loop_is"] or "–",
        ]
        for row in rows
    ]
    head = ["method", "seconds", "a loop over pixels", "FuseTS", "what the loop does for each pixel"]
    return f"{_TEMPORAL.format(shape=shape)}\n\n{table(head, lines)}"


def _times(seconds: float | None, ours: float) -> str:
    return "–" if seconds is None else f"{number(seconds, 1)} s, {seconds / ours:.0f} x"


def ablations(rows: Sequence[Row]) -> str:
    """Both, variant beside variant, means over seeds with smallest and largest."""
    parts = dict.fromkeys(row["part"] for row in rows)
    return "\n\n".join(block for part in parts for block in _ablation(part, [r for r in rows if r["part"] == part]))


def _ablation(part: str, rows: Sequence[Row]) -> Iterable[str]:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["case"], row["variant"]), []).append(row)
    lines = [
        [case, variant, str(len(found)), *(_spread(found, *column) for column in _ABLATION_COLUMNS)]
        for (case, variant), found in groups.items()
    ]
    head = ["case", "variant", "seeds", "MAE, hidden", "PSNR, hidden", "SAM, hidden", "MAE, shown", "SAM, shown"]
    return f"### {_ABLATIONS[part][0]}", _ABLATIONS[part][1], table(head, lines)


def _spread(rows: Sequence[Row], pixels: str, metric: str, digits: int) -> str:
    values = [row[pixels][metric] for row in rows]
    middle = number(statistics.mean(values), digits)
    return middle if len(values) == 1 else f"{middle} ({min(values):.{digits}f} to {max(values):.{digits}f})"


_HEAD = """Every figure comes from the command beside it; `python benchmarks/methods.py` repeats all of them. Pixels
were hidden before any method began, the same ones for all, and no method has seen one of them. What the columns mean is
in `docs/comparing.md`."""
_COMPARISON = """Where a command has `--max-minutes`, long methods are cut off, and marked with their share of steps:
their rows say what they reach in that time, not what they can. The result is what `decloud run` delivers, blended with
interpolation as the method's own held-out pixels say; *alone* is the method without that."""
_TEMPORAL = """{shape} (dates, bands, rows, columns), simulated, half of it cloudy. Median of three rounds in turn in
one process, smallest and largest in brackets. Loops and FuseTS 2.0.1 (GPy, vam.whittaker; one call for each band with
radar) were timed on some pixels and multiplied; FuseTS has a process and a Python of its own."""
_CASE_HEAD = ["method", "cases", "RMSE", "PSNR, dB", "SAM, °", "SSIM", "over linear, dB", "over guided, dB", "s", "GB"]
_ABLATION_COLUMNS = (
    ("hidden", "mae", 4),
    ("hidden", "psnr", 2),
    ("hidden", "sam", 2),
    ("shown", "mae", 4),
    ("shown", "sam", 2),
)
_ABLATIONS = {
    "carl": (
        "DSen2-CR: cloud-adaptive loss or plain L1",
        "Pairs of dates (`--set pairs=dates`), the network alone. *Shown* is what it saw clear, and is to reproduce; "
        "*hidden* is what it is to reconstruct. Means over seeds, smallest and largest in brackets.",
    ),
    "noise": (
        "The published method: radar or noise as its input",
        "`ebel2021` at a fiftieth of its schedule, the network alone, cloud-shaped gaps. Means over seeds, "
        "smallest and largest in brackets.",
    ),
}
SECTIONS = {
    "comparison": ("All methods on the same hidden pixels", comparison),
    "temporal": ("Seconds of methods without training", temporal),
    "ablations": ("Choices of the literature", ablations),
}
