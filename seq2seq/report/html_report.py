"""report.json and report.html: what was done, how good it is, what was used and what was not.

The page is one file: styles, charts and pictures are inside, nothing is loaded from anywhere.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq.report import sections
from seq2seq.report.candidates import LINEAR, RESULT, TITLES, candidates
from seq2seq.report.charts import stacked_bar
from seq2seq.report.contradictions import contradiction_rows
from seq2seq.report.masked import masked_dates, masked_rows
from seq2seq.report.plain import to_plain
from seq2seq.report.schema import Report
from seq2seq.report.templates import template
from seq2seq.report.thumbnails import Thumbnail, sigma_colours
from seq2seq.writers.output import write_file


def write_report(
    folder: Path,
    report: Report | Mapping[str, Any],
    *,
    thumbnails: Sequence[Thumbnail],
    titles: Mapping[str, tuple[str, str]] = TITLES,
    masked: Sequence[bytes] = (),
) -> None:
    """Writes report.json and report.html into `folder`. Raises `OutputError`.

    report: also as report.json's values. titles: what candidates are called, in prose and in the heads of tables, in
    the order in which they are listed. masked: a PNG for each date of who masked what, see `report.masked`; none: that
    part is left out.
    """
    values = to_plain(report)
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    write_file(folder / "report.json", (text + "\n").encode())
    write_file(folder / "report.html", render(values, thumbnails, titles, masked).encode())


def render(
    report: Mapping[str, Any],
    thumbnails: Sequence[Thumbnail],
    titles: Mapping[str, tuple[str, str]] = TITLES,
    masked: Sequence[bytes] = (),
) -> str:
    """The whole page. report: values as report.json holds them. Raises ValueError for pictures of other dates."""
    holdout, source, seconds = report["holdout"], report["input"], report["resources"]["seconds"]
    known = candidates(sections.candidate_names(holdout), titles)
    compared, blended = sections.gap_candidates(holdout, known)
    both = candidates((RESULT, LINEAR), titles)
    linear = holdout["methods"].get(LINEAR)
    return template("report.html.jinja").render(
        report=report,
        years=sorted({date[:4] for date in source["dates"]}),
        result=holdout["methods"].get(RESULT),
        linear=linear,
        cards=list(zip(thumbnails, source["cloud_fraction"], source["s1"]["dates"], strict=True)),
        requested=(requested := source.get("requested") or ()),
        cloudy=sections.cloudy_share(source["dates"], source["cloud_fraction"], requested),
        sigma_colours=sigma_colours(),
        pixels=sections.pixel_charts(report["series"]),
        metrics=sections.METRICS,
        scores=sections.score_rows(holdout, known),
        bands=sections.band_rows(holdout),
        rivals=[both[RESULT], both[LINEAR]],
        compared=compared,
        blended=blended,
        gaps=sections.gap_rows(holdout, compared, known),
        curves=sections.fit_curves(report["training"], linear),
        contradictions=contradiction_rows(report.get("contradictions") or ()),
        uses=sections.uses(source, report["perceptual"], report["config"], report["training"].get("notes", ())),
        files={each["path"]: each["about"] for each in report.get("files") or ()},
        phases=sections.phases(seconds),
        time=stacked_bar(seconds, sections.phases(seconds)),
        masked_rows=masked_rows(source["masked"], source["grid"]) if masked else (),
        masked_dates=masked_dates(source["masked"], source["grid"], source["dates"], masked) if masked else (),
    )
