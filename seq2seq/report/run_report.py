"""The content of report.json, from the facts of a run's tiles."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2seq.config import ReconstructionConfig
from seq2seq.readers import SequenceInfo, SequenceSource
from seq2seq.report.contradictions import pool_contradictions
from seq2seq.report.inspection import describe_input
from seq2seq.report.schema import (
    BandScores,
    CurvePoint,
    DateReport,
    FileReport,
    GainReport,
    GapReport,
    HoldoutReport,
    PerceptualReport,
    PixelReport,
    Report,
    Resources,
    ScoresReport,
    SeriesReport,
    TrainingReport,
    WholeDatesReport,
)
from seq2seq.report.series import PixelSeries, ndvi_bands
from seq2seq.sequence import Float32, days_since_first
from seq2seq.validation.assessment import Assessment, GapAssessment, pool
from seq2seq.validation.claim import FilledDate, HiddenDate
from seq2seq.validation.gain import DateErrors
from seq2seq.validation.holdout import DATE_KINDS, FULLY_CLOUDED, GAP_EDGES, LINEAR, RESULT
from seq2seq.validation.metrics import Scores

if TYPE_CHECKING:
    from seq2seq.nn.vgg import Perceptual

EXPLANATION = (
    "These clear pixels were hidden from the scored fit, as whole dates and in the shapes of this sequence's clouds: "
    "{pixels:,} pixels on {dates} dates that had been clear, while what is filled lies on cloudier ones. "
    "Blend weights and the uncertainty come from them as well; intervals are widened because these pixels lie on few "
    "dates, so they cover more than 90 % here. The delivered images come from the same method fitted again with these "
    "pixels included."
)
NO_HOLDOUT = "Too few clear pixels to hide any of them: nothing is proven, so the result is interpolation in time."
REQUESTED = (
    " {count} dates were asked for and never acquired. What is measured on fully clouded dates is all that is known of "
    "them; the claimed gain is that of acquired dates alone."
)
WORTH_REPORTING = 0.0005  # share of suspected pixels below which there is no warning
DECIMALS = 4  # of an index in [-1, 1]


@dataclass(frozen=True)
class TileFacts:
    """The facts of a finished tile that a report is made of; plain values, kept as JSON."""

    assessment: dict[str, Any] | None
    curve: list[dict[str, Any]]
    device: str
    seconds: dict[str, float]
    suspected: float = 0.0  # share of the observed pixels, see `screening`
    notes: Sequence[str] = ()
    contradictions: Sequence[dict[str, Any]] = ()


def compose_report(
    source: SequenceSource,
    config: ReconstructionConfig,
    facts: Sequence[TileFacts],
    series: Sequence[PixelSeries],
    *,
    perceptual: "Perceptual",
    seconds: Mapping[str, float],
    peak_memory_gb: float,
) -> Report:
    """The report of a run over all its tiles. seconds: of reading and writing, which no tile knows."""
    proofs = [assessment_of(fact.assessment) for fact in facts if fact.assessment is not None]
    first = next((fact for fact in facts if fact.curve), facts[0])
    described = describe_input(source)
    suspected = float(np.mean([fact.suspected for fact in facts]))
    unproven = () if len(proofs) == len(facts) else (NO_HOLDOUT,)
    return Report(
        version=version("decloud"),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        method=config.method,
        seed=config.seed,
        device=first.device,
        config=config.recorded(),
        software=_software(),
        input=replace(described, warnings=(*described.warnings, *_suspicions(suspected), *unproven)),
        holdout=_with_requested(describe_holdout(pool(proofs), described.dates), described.requested),
        training=_training(facts, first),
        series=_series(source.info, series),
        resources=Resources(
            {"reading": seconds["reading"], **_tile_seconds(facts), "writing": seconds["writing"]}, peak_memory_gb
        ),
        perceptual=PerceptualReport(config.perceptual, perceptual.used, perceptual.reason),
        files=_files(config),
        contradictions=pool_contradictions([fact.contradictions for fact in facts], described.dates) or None,
    )


def _training(facts: Sequence[TileFacts], first: TileFacts) -> TrainingReport:
    curve = tuple(CurvePoint(**point) for point in first.curve)
    notes = tuple(dict.fromkeys(note for fact in facts for note in fact.notes))
    return TrainingReport(len(curve), len(facts), curve, notes)


def describe_holdout(pooled: Assessment | None, dates: Sequence[str]) -> HoldoutReport:
    """The report's `holdout`; dates: all of the sequence, ISO."""
    if pooled is None:
        return HoldoutReport(0, NO_HOLDOUT, None, {}, {}, (), (), coverage_90=float("nan"))
    gain = pooled.gain
    return HoldoutReport(
        pixels=pooled.pixels,
        explanation=EXPLANATION.format(pixels=pooled.pixels, dates=len({e.date for e in pooled.by_date})),
        gain=None if gain is None else GainReport(**asdict(gain)),
        methods={name: ScoresReport(**asdict(scores)) for name, scores in pooled.methods.items()},
        by_band={
            band: {name: BandScores(**scores) for name, scores in methods.items()}
            for band, methods in pooled.by_band.items()
        },
        by_gap=tuple(GapReport(**asdict(gap)) for gap in pooled.by_gap),
        by_date=tuple(_date_errors(errors, dates) for errors in pooled.by_date),
        coverage_90=pooled.coverage_90,
    )


def _with_requested(holdout: HoldoutReport, requested: Sequence[str] | None) -> HoldoutReport:
    """Says apart what whole hidden dates get, where dates were asked for."""
    if not requested:
        return holdout
    said = holdout.explanation + REQUESTED.format(count=len(requested))
    return replace(holdout, explanation=said, whole_dates=_whole_dates(holdout.by_gap))


def _whole_dates(by_gap: Sequence[GapReport]) -> WholeDatesReport | None:
    parts = [gap for gap in by_gap if gap.dates == FULLY_CLOUDED and gap.coverage_90 is not None]
    if not parts:
        return None
    pixels = [gap.pixels for gap in parts]
    rmse = {
        name: float(np.sqrt(np.average([gap.rmse[name] ** 2 for gap in parts], weights=pixels)))
        for name in (RESULT, LINEAR)
    }
    coverage = np.average([gap.coverage_90 or 0.0 for gap in parts], weights=pixels)
    return WholeDatesReport(sum(pixels), rmse, float(coverage))


def assessment_of(values: dict[str, Any]) -> Assessment:
    """The inverse of `asdict` after a trip through JSON."""
    return Assessment(
        **{
            **values,
            "methods": {name: Scores(**scores) for name, scores in values["methods"].items()},
            "by_gap": tuple(GapAssessment(**{**gap, "gap_days": tuple(gap["gap_days"])}) for gap in values["by_gap"]),
            "by_date": tuple(DateErrors(**errors) for errors in values["by_date"]),
            "hidden": tuple(HiddenDate(**date) for date in values["hidden"]),
            "filled": tuple(FilledDate(**date) for date in values["filled"]),
            "error_scales": None if values["error_scales"] is None else tuple(values["error_scales"]),
        }
    )


def _date_errors(errors: DateErrors, dates: Sequence[str]) -> DateReport:
    high = GAP_EDGES[errors.gap + 1]
    return DateReport(
        date=dates[errors.date],
        dates=DATE_KINDS[errors.kind],
        gap_days=(GAP_EDGES[errors.gap], None if np.isinf(high) else high),
        pixels=errors.pixels,
        rmse={"result": errors.result**0.5, "linear": errors.linear**0.5},
    )


def _series(info: SequenceInfo, series: Sequence[PixelSeries]) -> SeriesReport | None:
    """None where a band is missing or no pixel has anything to show."""
    bands = ndvi_bands(info.bands)
    if not bands or not series:
        return None
    days = tuple(days_since_first(info.dates).tolist())
    return SeriesReport("NDVI", bands, days, tuple(_pixel(pixel) for pixel in series))


def _pixel(pixel: PixelSeries) -> PixelReport:
    return PixelReport(
        row=pixel.row,
        column=pixel.column,
        share=round(pixel.share, DECIMALS),
        values=_rounded(pixel.values),
        sigma=_rounded(pixel.sigma),
        observation=_rounded(pixel.observation),
        linear=_rounded(pixel.linear),
    )


def _rounded(values: Float32) -> tuple[float, ...]:
    return tuple(round(float(value), DECIMALS) for value in values)


def _tile_seconds(facts: Sequence[TileFacts]) -> dict[str, float]:
    """Of all tiles together, by phase."""
    phases = list(dict.fromkeys(phase for fact in facts for phase in fact.seconds))
    return {phase: sum(fact.seconds.get(phase, 0.0) for fact in facts) for phase in phases}


def _suspicions(suspected: float) -> list[str]:
    if suspected < WORTH_REPORTING:
        return []
    return [
        f"{suspected:.1%} of the clear pixels look like clouds or shadows that the masks missed. They are delivered as "
        "they are, but nothing was learnt from them."
    ]


def _files(config: ReconstructionConfig) -> tuple[FileReport, ...]:
    """What this run writes, from the table of products."""
    return tuple(FileReport(file.path, product.title, product.about) for product, file in config.outputs.files)


def _software() -> dict[str, str]:
    names = ("torch", "numpy", "rasterio", "lightgbm")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
