"""What a finished run says of itself: the content of report.json, from the facts of its tiles."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2seq.config import ReconstructionConfig
from seq2seq.readers import SequenceInfo, SequenceSource
from seq2seq.report.inspection import describe_input
from seq2seq.report.schema import DateReport, HoldoutReport, PixelReport, Report, SeriesReport
from seq2seq.report.series import PixelSeries, ndvi_bands
from seq2seq.sequence import Float32, days_since_first
from seq2seq.validation.assessment import Assessment, GapAssessment, pool
from seq2seq.validation.gain import DateErrors, ToFill
from seq2seq.validation.holdout import DATE_KINDS, GAP_EDGES
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
WORTH_SAYING = 0.0005  # share of suspected pixels below which nobody need be told
DECIMALS = 4  # of an index in [-1, 1]


@dataclass(frozen=True)
class TileFacts:
    """What a finished tile tells the report; plain values, kept as JSON."""

    assessment: dict[str, Any] | None
    curve: list[dict[str, float | None]]
    device: str
    seconds: dict[str, float]
    suspected: float = 0.0  # share of the observed pixels, see `screening`


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
    described["warnings"] += _doubts(float(np.mean([fact.suspected for fact in facts])))
    described["warnings"] += [] if len(proofs) == len(facts) else [NO_HOLDOUT]
    return {
        "version": version("decloud"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "method": config.method,
        "seed": config.seed,
        "device": first.device,
        "config": config.recorded(),
        "software": _software(),
        "input": described,
        "holdout": describe_holdout(pool(proofs), described["dates"]),
        "training": {"steps": len(first.curve), "tiles": len(facts), "curve": first.curve},  # type: ignore[typeddict-item]
        "series": _series(source.info, series),
        "resources": {
            "seconds": {"reading": seconds["reading"], **_tile_seconds(facts), "writing": seconds["writing"]},
            "peak_memory_gb": peak_memory_gb,
        },
        "perceptual": {
            "requested": config.perceptual,
            "used": perceptual.used,
            "reason": perceptual.reason,
        },
    }


def describe_holdout(pooled: Assessment | None, dates: Sequence[str]) -> HoldoutReport:
    """The report's `holdout`; dates: all of the sequence, ISO."""
    if pooled is None:
        return {
            "pixels": 0,
            "explanation": NO_HOLDOUT,
            "gain": None,
            "methods": {},
            "by_band": {},
            "by_gap": [],
            "by_date": [],
            "coverage_90": float("nan"),
        }
    gain, plain = pooled.gain, asdict(pooled)
    return {
        "pixels": pooled.pixels,
        "explanation": EXPLANATION.format(pixels=pooled.pixels, dates=len({e.date for e in pooled.by_date})),
        "gain": None if gain is None else asdict(gain),  # type: ignore[typeddict-item]
        "methods": plain["methods"],
        "by_band": plain["by_band"],
        "by_gap": plain["by_gap"],
        "by_date": [_date_errors(errors, dates) for errors in pooled.by_date],
        "coverage_90": pooled.coverage_90,
    }


def assessment_of(values: dict[str, Any]) -> Assessment:
    """The inverse of `asdict` after a trip through JSON."""
    return Assessment(
        **{
            **values,
            "methods": {name: Scores(**scores) for name, scores in values["methods"].items()},
            "by_gap": tuple(GapAssessment(**{**gap, "gap_days": tuple(gap["gap_days"])}) for gap in values["by_gap"]),
            "by_date": tuple(DateErrors(**errors) for errors in values["by_date"]),
            "to_fill": tuple(ToFill(**fill) for fill in values["to_fill"]),
        }
    )


def _date_errors(errors: DateErrors, dates: Sequence[str]) -> DateReport:
    high = GAP_EDGES[errors.gap + 1]
    return {
        "date": dates[errors.date],
        "dates": DATE_KINDS[errors.kind],
        "gap_days": (GAP_EDGES[errors.gap], None if np.isinf(high) else high),
        "pixels": errors.pixels,
        "rmse": {"result": errors.result**0.5, "linear": errors.linear**0.5},
    }


def _series(info: SequenceInfo, series: Sequence[PixelSeries]) -> SeriesReport | None:
    """None where a band is missing or no pixel has anything to show."""
    bands = ndvi_bands(info.bands)
    if not bands or not series:
        return None
    return {
        "index": "NDVI",
        "bands": list(bands),
        "days": days_since_first(info.dates).tolist(),
        "pixels": [_pixel(pixel) for pixel in series],
    }


def _pixel(pixel: PixelSeries) -> PixelReport:
    return {
        "row": pixel.row,
        "column": pixel.column,
        "share": round(pixel.share, DECIMALS),
        "values": _rounded(pixel.values),
        "sigma": _rounded(pixel.sigma),
        "observation": list(_rounded(pixel.observation)),
        "linear": _rounded(pixel.linear),
    }


def _rounded(values: Float32) -> list[float]:
    return [round(float(value), DECIMALS) for value in values]


def _tile_seconds(facts: Sequence[TileFacts]) -> dict[str, float]:
    """Of all tiles together, by phase."""
    phases = list(dict.fromkeys(phase for fact in facts for phase in fact.seconds))
    return {phase: sum(fact.seconds.get(phase, 0.0) for fact in facts) for phase in phases}


def _doubts(suspected: float) -> list[str]:
    if suspected < WORTH_SAYING:
        return []
    return [
        f"{suspected:.1%} of the clear pixels look like clouds or shadows that the masks missed. They are delivered as "
        "they are, but nothing was learnt from them."
    ]


def _software() -> dict[str, str]:
    names = ("torch", "numpy", "rasterio", "lightgbm")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
