"""SERVICE.md from service.json: a pure function of what was measured. Medians, spread, and the goals beside them."""

import statistics
from collections.abc import Callable, Iterator
from typing import Any

from page import number, reached, table

Row = dict[str, Any]
Results = dict[str, Any]

UPLOAD_RATIO, GROWN_MB = 0.6, 80.0
RATE, P99_MS, P99_TRAINING_MS, PYGEOAPI_RATIO = 1000.0, 25.0, 100.0, 3.0
FIRST_STEP_S, OURS_S = 12.0, 1.0
PAGE_MS = 20.0
DOWNLOAD_RATIO = 0.7
QUICK = "**A check of the benchmark's own code (`--quick`): these figures mean nothing.**"


def render(results: Results, *, quick: bool = False) -> str:
    """The whole page. Parts that were never measured say so."""
    blocks = ["# The service's speed", QUICK if quick else "", _head(results)]
    for name, (title, section) in SECTIONS.items():
        part = results.get(name)
        blocks += [f"## {title}", _provenance(part), section(_by_key(part)) if part and part["rows"] else ""]
    return "\n\n".join(block for block in blocks if block) + "\n"


def ratios(ours: list[float], theirs: list[float]) -> list[float]:
    """Of each pair that was measured one after the other."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def _by_key(part: Row) -> dict[str, Row]:
    return {row["key"]: row for row in part["rows"]}


def _head(results: Results) -> str:
    if not results:
        return "Nothing has been measured yet."
    latest = max((part["on"] for part in results.values()), key=lambda on: str(on["date"]))
    return "\n".join(
        [
            f"- Date: {latest['date']}, commit {latest['commit']}",
            f"- Machine: {latest['cpu']}, {latest['cores']} cores, {latest['ram_gb']} GiB",
            f"- Versions: {', '.join(f'{name} {found}' for name, found in latest['versions'].items())}",
            "- Repeat: `make bench ARGS='--only service'`; a part of it: "
            f"`make bench ARGS='--only service --measures upload status'` (measures: {', '.join(SECTIONS)})",
            "",
            "`decloud serve` with its defaults on SQLite and a local folder, one process for everything but jobs; only "
            "the limit on requests a minute is lifted. Ours and the peer's are asked in turn within one run, by the "
            "same client on the same machine; a ratio is the median of those of the pairs. Each figure is the median, "
            "with the smallest to the largest in brackets. *Load* is the machine's load average before: above 0 other "
            "work shared the cores, absolute figures are then a lower bound of speed, and ratios are what counts. "
            "Ours makes a SHA-256 of an upload, nginx checks nothing.",
        ]
    )


def _provenance(part: Row | None) -> str:
    if part is None:
        return "Not measured yet."
    note = f"{part['note']}. " if part.get("note") else ""
    return f"{note}Measured {part['on']['date']} at {part['on']['commit']}." if part["rows"] else note.strip()


def _several(values: list[float], digits: int = 0, unit: str = "") -> str:
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{number(middle, digits)}{unit} ({number(low, digits)} to {number(high, digits)})"


def _absent(row: Row) -> list[str]:
    return [f"No ratio: {row['absent']}."] if row.get("absent") else []


def _upload(rows: dict[str, Row]) -> str:
    row = rows["upload"]
    size, mb = row["bytes"], 1e6
    ours, theirs = [size / mb / s for s in row["ours_s"]], [size / mb / s for s in row["nginx_s"]]
    grown = [value / mb for value in row["grown_bytes"]]
    cells = [["`PUT /uploads/NAME`, MB/s", _several(ours), "", ""]]
    if theirs:
        ratio = ratios(ours, theirs)
        cells += [
            ["nginx WebDAV `PUT`, MB/s", _several(theirs), "", ""],
            ["ratio", _several(ratio, 2), f"≥ {UPLOAD_RATIO:g}", reached(statistics.median(ratio) >= UPLOAD_RATIO)],
        ]
    held = max(grown) < GROWN_MB
    cells.append(["growth of the API process, MB", _several(grown, 1), f"< {GROWN_MB:g}, each time", reached(held)])
    return "\n\n".join([table([f"{size / 1e9:g} GB", "", "goal", "reached"], cells), _loads([row]), *_absent(row)])


def _status(rows: dict[str, Row]) -> str:
    cells = []
    if row := rows.get("idle"):
        rate = statistics.median(one["rate"] for one in row["ours"])
        p99 = statistics.median(one["p99_s"] for one in row["ours"]) * 1000
        held = rate >= RATE and p99 < P99_MS
        cells.append(
            ["ours, no job running", *_asked(row["ours"]), f"≥ {RATE:g}/s, p99 < {P99_MS:g} ms", reached(held)]
        )
        if row["pygeoapi"]:
            ratio = ratios([one["rate"] for one in row["ours"]], [one["rate"] for one in row["pygeoapi"]])
            cells.append(["pygeoapi, TinyDB, 4 workers of gunicorn", *_asked(row["pygeoapi"]), "", ""])
            held = statistics.median(ratio) >= PYGEOAPI_RATIO
            cells.append(["ratio", _several(ratio, 1), "", "", f"≥ {PYGEOAPI_RATIO:g}", reached(held)])
    if row := rows.get("training"):
        p99 = statistics.median(one["p99_s"] for one in row["ours"]) * 1000
        goal = f"p99 < {P99_TRAINING_MS:g} ms"
        cells.append(["ours, of a job that trains", *_asked(row["ours"]), goal, reached(p99 < P99_TRAINING_MS)])
    head = ["`GET /jobs/ID`, 32 connections", "requests/s", "p50 ms", "p99 ms", "goal", "reached"]
    return "\n\n".join(
        [table(head, cells), _loads(rows.values()), *(line for r in rows.values() for line in _absent(r))]
    )


def _asked(loads: list[Row]) -> list[str]:
    return [
        _several([one["rate"] for one in loads]),
        _several([1000 * one["p50_s"] for one in loads], 1),
        _several([1000 * one["p99_s"] for one in loads], 1),
    ]


def _first_step(rows: dict[str, Row]) -> str:
    row = rows["first step"]
    served, alone, torch = row["served"], row["alone"], row["torch_s"]
    first = [one["first"] for one in served]
    more = [one["first"] - other["whole"] for one, other in zip(served, alone, strict=True)]
    dates, size = row["scene"]
    whole = [one["whole"] for one in alone]
    begun = [one["preparing"] for one in served]
    besides = [one - imported for one, imported in zip(begun, torch, strict=True)]
    held = [statistics.median(first) < FIRST_STEP_S, statistics.median(besides) < OURS_S]
    goals = [f"< {FIRST_STEP_S:g}", f"< {OURS_S:g}"]
    cells = [
        [
            "submission to the network's first update",
            _several(first, 2),
            goals[0],
            reached(held[0]),
        ],
        ["submission to the first ensemble of the prior", _several([one["learnt"] for one in served], 2), "", ""],
        ["the same run without the service, from the start of its process", _several(whole, 2), "", ""],
        ["difference of these two, in pairs", _several(more, 2), "", ""],
        ["submission to the beginning of the fit (of the prior)", _several(begun, 2), "", ""],
        ["`import torch` alone, in a process of its own", _several(torch, 2), "", ""],
        ["difference of these two: ours besides importing torch", _several(besides, 2), goals[1], reached(held[1])],
    ]
    marks = [name for name in served[0] if name not in ("first", "learnt") and all(name in one for one in served)]
    seen = ", ".join(f"{name} {statistics.median(one[name] for one in served):.2f} s" for name in marks)
    head = [f"{dates} dates, {size} x {size} pixels, simulated; seconds", "", "goal", "reached"]
    text = [
        f"Of {len(served)} runs. When the client saw what, after submission (median): {seen}.",
        "Progress is stored when a phase begins, else once a second. What lies between the prior's beginning and the "
        "network's first update is the fit of the prior, not the service.",
    ]
    return "\n\n".join([table(head, cells), " ".join(text), _loads([row])])


def _listing(rows: dict[str, Row]) -> str:
    def cells() -> Iterator[list[str]]:
        for row in rows.values():
            (http, *ends), sql = [1000 * s for s in row["http_s"]], 1000 * row["sql_s"][0]
            shown = f"{http:.1f} ({ends[0]:.1f} to {ends[1]:.1f})"
            yield [row["key"], shown, f"{sql:.1f}", f"< {PAGE_MS:g}", reached(http < PAGE_MS)]

    many = next(iter(rows.values()))["jobs"]
    head = [f"`GET /jobs` of {many:,} jobs; median of 50, ms", "over HTTP", "of that SQL", "goal", "reached"]
    return "\n\n".join([table(head, cells()), _loads(rows.values())])


def _claiming(rows: dict[str, Row]) -> str:
    row = rows["claiming"]
    rate = [row["jobs"] / s for s in row["seconds"]]
    each = "each exactly once" if row["once"] else "**not each exactly once**"
    cells = [[f"{row['jobs']:,} jobs, {row['claimers']} processes", each, _several(row["seconds"], 2), _several(rate)]]
    locked = f"Claims that found the database locked for 10 s, and were tried again: {sum(row['locked'])} in all runs."
    return "\n\n".join([table(["SQLite, synced", "claimed", "s", "jobs/s"], cells), locked, _loads([row])])


def _download(rows: dict[str, Row]) -> str:
    def cells() -> Iterator[list[str]]:
        for row in rows.values():
            ours, theirs = [r / 1e6 for r in row["ours"]], [r / 1e6 for r in row["nginx"]]
            ratio = ratios(ours, theirs) if theirs else []
            held = [_several(ratio, 2), f"≥ {DOWNLOAD_RATIO:g}", reached(statistics.median(ratio) >= DOWNLOAD_RATIO)]
            what = row["key"] + (f", {row['bytes'] / 1e9:g} GB" if row["key"] == "whole file" else ", 8 connections")
            yield (
                [what, _several(ours), _several(theirs), *held] if theirs else [what, _several(ours), "–", "–", "", "–"]
            )

    head = ["`GET /jobs/ID/results/PATH`", "ours MB/s", "nginx static MB/s", "ratio", "goal", "reached"]
    return "\n\n".join([table(head, cells()), _loads(rows.values()), *_absent(next(iter(rows.values())))])


def _loads(rows: Any) -> str:
    return "Load: " + ", ".join(f"{row['load']:g}" for row in rows) + "."


SECTIONS: dict[str, tuple[str, Callable[[dict[str, Row]], str]]] = {
    "upload": ("Upload", _upload),
    "status": ("A job's status", _status),
    "first-step": ("Submission to first step", _first_step),
    "listing": ("Lists", _listing),
    "claiming": ("Claims", _claiming),
    "download": ("Download", _download),
}
