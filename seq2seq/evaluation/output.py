"""The table of an evaluation: our row beside those published, each with its source and how sure that is."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2seq.evaluation.base import Protocol
from seq2seq.evaluation.scored import FOLDER, Failure, SampleScores, combine
from seq2seq.report.figures import fixed, or_dash
from seq2seq.report.plain import to_plain
from seq2seq.writers import write_file
from seq2seq.writers.own_folder import check_own_folder

if TYPE_CHECKING:
    from seq2seq.evaluation.runner import Plan

CSV, MARKDOWN, VALUES = "table.csv", "table.md", "results.json"
_OURS = {CSV, MARKDOWN, VALUES, FOLDER}
MEASURED = "measured here"


@dataclass(frozen=True)
class Row:
    """A line of the table. samples: None where it was published. values: by metric; None: not known."""

    method: str
    samples: int | None
    values: dict[str, float | None]
    source: str
    certainty: str


def check_folder(out: Path) -> None:
    """Raises `OutputError` unless `out` is new, empty, or of an evaluation."""
    check_own_folder(out, _OURS, "evaluation")


def rows(protocol: Protocol, method: str, scores: Sequence[SampleScores]) -> list[Row]:
    """Ours first, then those published, as the protocol has them."""
    ours = {metric.name: combine(scores, metric) for metric in protocol.metrics}
    published = [
        Row(row.method, None, {metric.name: row.values.get(metric.name) for metric in protocol.metrics}, row.source,
            row.certainty)
        for row in protocol.published
    ]  # fmt: skip
    return [Row(method, len(scores), ours, f"decloud {version('decloud')}", MEASURED), *published]


def results(
    plan: "Plan", root: Path, names: Sequence[str], scores: Sequence[SampleScores], failures: Sequence[Failure]
) -> dict[str, Any]:
    """What results.json holds. names: of all samples of the split that were found."""
    protocol = plan.protocol
    method = f"{plan.config.method}, {'blended' if plan.blended else 'alone'}, clouds {plan.clouds}"
    described = {
        metric.name: {
            "unit": metric.unit,
            "about": metric.about,
            "higher_is_better": metric.higher_is_better,
            "aggregation": metric.aggregation.name,
        }
        for metric in protocol.metrics
    }
    return {
        "version": version("decloud"),
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "dataset": plan.info.name,
        "source": plan.info.source,
        "licence": plan.info.licence,
        "path": str(root),
        "split": plan.split,
        "protocol": {"name": protocol.name, "title": protocol.title, "about": protocol.about},
        "method": method,
        "clouds": plan.clouds,
        "blended": plan.blended,
        "samples": len(scores),
        "of": len(names),
        "seconds": float(np.mean([each.seconds for each in scores])),
        "metrics": described,
        "rows": rows(protocol, method, scores),
        "notes": [*_caveats(plan, names, scores, failures), *protocol.notes],
        "failures": list(failures),
        "config": plan.config.recorded(),
        "scores": list(scores),
    }


def write_all(out: Path, found: Mapping[str, Any], protocol: Protocol) -> None:
    """Writes the three files. Raises `OutputError`."""
    text = json.dumps(to_plain(found), indent=1, ensure_ascii=False, allow_nan=False)
    write_file(out / VALUES, (text + "\n").encode())
    write_file(out / CSV, as_csv(found["rows"], protocol).encode())
    write_file(out / MARKDOWN, as_markdown(found, protocol).encode())


def as_csv(table: Sequence[Row], protocol: Protocol) -> str:
    """A line for each row; empty: not known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["method", "samples", *map(_head, protocol.metrics), "source", "certainty"])
    for row in table:
        values = [row.values[metric.name] for metric in protocol.metrics]
        cells = [row.method, row.samples, *values, row.source, row.certainty]
        writer.writerow(["" if cell is None else cell for cell in cells])
    return text.getvalue()


def as_markdown(found: Mapping[str, Any], protocol: Protocol) -> str:
    """The table, what its columns mean, what to bear in mind, and what failed."""
    made = f"decloud {found['version']}, {found['created']}: {found['samples']} of {found['of']} samples, "
    lines = [f"# {protocol.title}", "", protocol.about, "", f"{made}{found['seconds']:.1f} s each.", ""]
    lines += [*_table(*shown(found, protocol)), "", "## Metrics", ""]
    for metric in protocol.metrics:
        better = "higher" if metric.higher_is_better else "lower"
        lines.append(f"- **{_head(metric)}** ({better} is better; {metric.aggregation.name}): {metric.about}")
    lines += ["", "## Bear in mind", "", *(f"- {note}" for note in found["notes"]), ""]
    if found["failures"]:
        failed = [[each.sample, each.reason] for each in found["failures"]]
        lines += ["## Not finished", "", *_table(["sample", "reason"], failed), ""]
    return "\n".join(lines)


def shown(found: Mapping[str, Any], protocol: Protocol) -> tuple[list[str], list[list[str]]]:
    """Head and lines of the table, for people."""
    lines = [
        [
            row.method,
            *(fixed(row.values[each.name], each.decimals) for each in protocol.metrics),
            row.source,
            row.certainty,
        ]
        for row in found["rows"]
    ]
    return ["method", *map(_head, protocol.metrics), "source", "certainty"], lines


def _head(metric: Any) -> str:
    return f"{metric.name}, {metric.unit}" if metric.unit else str(metric.name)


def _caveats(
    plan: "Plan", names: Sequence[str], scores: Sequence[SampleScores], failures: Sequence[Failure]
) -> list[str]:
    """Why this row may not be held against published ones."""
    caveats = []
    if len(scores) < len(names):
        failed = f", {len(failures)} of them failed" if failures else ""
        caveats.append(
            f"Only {len(scores)} of {len(names)} samples are in our row{failed}: it is not comparable with the others."
        )
    if plan.split != plan.protocol.split:
        caveats.append(f"Published rows are of the {plan.protocol.split} split, ours of {plan.split}.")
    there = [area for area in plan.info.splits[plan.split] if any(name.startswith(f"{area}/") for name in names)]
    areas = plan.info.splits[plan.split]
    if there and len(there) < len(areas):
        caveats.append(f"Of the {len(areas)} areas of the split, {len(areas) - len(there)} are not there.")
    return caveats


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    return [_line(head), _line(["---"] * len(head)), *map(_line, lines)]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(or_dash(cell).replace('|', '/') for cell in cells)} |"
