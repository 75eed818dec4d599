"""The parts of the page that need more than a value and its format: tables of errors, charts, what was used.

Every function takes values as report.json holds them, and gives what the template shows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq.report.candidates import LINEAR, RESULT, Candidate
from seq2seq.report.charts import (
    Dumbbell,
    LineChart,
    Part,
    Point,
    SeriesChart,
    dumbbell,
    line_chart,
    series_chart,
    stacked_bar,
)
from seq2seq.report.figures import fixed, percent
from seq2seq.validation.calibration import NORMAL_90

Values = Mapping[str, Any]

# Fewer points than this are figures, no chart.
_FEW_POINTS = 6
_PHASE_COLOURS = 8  # report.css has phase-0 to phase-7


@dataclass(frozen=True)
class Metric:
    """A column of the score table."""

    key: str
    title: str
    decimals: int
    more_is_better: bool


METRICS = (
    Metric("psnr", "PSNR, dB", 2, True),
    Metric("rmse", "RMSE", 4, False),
    Metric("mae", "MAE", 4, False),
    Metric("nrmse", "NRMSE", 3, False),
    Metric("sam", "SAM, °", 2, False),
    Metric("ssim", "SSIM", 3, True),
)
_NOT_MEASURED = {"rmse": None, "psnr": None, "mae": None}
_MASK_SOURCES = {
    "user": "yours, from the folder MASK",
    "scl": "yours, classes of SCL",
    "s2cloudless": "s2cloudless, from ten bands",
    "rules": "rules on brightness and colour",
    "score": "the cloud score of DSen2-CR",
    "csmask": "the network ukis-csmask",
}


@dataclass(frozen=True)
class ScoreRow:
    """One candidate's scores, each with whether it is the best of all."""

    candidate: Candidate
    scores: tuple[tuple[str, bool], ...]
    pixels: int


@dataclass(frozen=True)
class BandRow:
    """One band's errors, of the result and of interpolation."""

    band: str
    result: Values
    linear: Values
    drawing: Dumbbell | None


@dataclass(frozen=True)
class GapRow:
    """One kind of date and gap length: errors in the order of the table's candidates, and what was blended."""

    dates: str
    days: str
    pixels: int
    errors: tuple[float | None, ...]
    blend: list[Part]
    fallback: bool
    coverage: float | None


@dataclass(frozen=True)
class Curve:
    """A curve of the fit: a chart, or its points where there are few."""

    title: str
    chart: LineChart | None
    points: Sequence[Point]


@dataclass(frozen=True)
class Use:
    """Something that went into the result or did not, and why."""

    used: bool
    name: str
    detail: str


def candidate_names(holdout: Values) -> set[str]:
    """All that the report compares or blends."""
    gaps = [name for gap in holdout["by_gap"] for part in ("rmse", "weights") for name in gap[part]]
    return {*holdout["methods"], *gaps}


def score_rows(holdout: Values, known: Mapping[str, Candidate]) -> list[ScoreRow]:
    """In the order of `known`."""
    scores = holdout["methods"]
    best = {metric.key: _best([row[metric.key] for row in scores.values()], metric) for metric in METRICS}
    return [
        ScoreRow(candidate, tuple(_cell(scores[name], metric, best) for metric in METRICS), scores[name]["pixels"])
        for name, candidate in known.items()
        if name in scores
    ]


def band_rows(holdout: Values) -> list[BandRow]:
    """One for each band, drawn on a common scale."""
    pairs = [
        (band, scores.get(RESULT, _NOT_MEASURED), scores.get(LINEAR, _NOT_MEASURED))
        for band, scores in holdout["by_band"].items()
    ]
    errors = [scores["rmse"] for _, *both in pairs for scores in both]
    most = max((error for error in errors if error is not None), default=0.0)
    return [BandRow(band, ours, theirs, _compare(ours["rmse"], theirs["rmse"], most)) for band, ours, theirs in pairs]


def gap_candidates(holdout: Values, known: Mapping[str, Candidate]) -> tuple[list[Candidate], list[Candidate]]:
    """Those with errors by gap, and those that the result is blended from."""
    compared = {name for gap in holdout["by_gap"] for name in gap["rmse"]}
    blended = {name for gap in holdout["by_gap"] for name, weight in gap["weights"].items() if weight}
    return [known[name] for name in known if name in compared], [known[name] for name in known if name in blended]


def gap_rows(holdout: Values, compared: Iterable[Candidate], known: Mapping[str, Candidate]) -> list[GapRow]:
    """One for each kind of date and class of gap length."""
    colours = {name: candidate.colour for name, candidate in known.items()}
    return [
        GapRow(
            gap["dates"],
            _days(*gap["gap_days"]),
            gap["pixels"],
            tuple(gap["rmse"].get(candidate.name) for candidate in compared),
            stacked_bar(gap["weights"], colours),
            gap["fallback"],
            gap.get("coverage_90"),
        )
        for gap in holdout["by_gap"]
    ]


def cloudy_share(dates: Sequence[str], cloud_fraction: Sequence[float], requested: Sequence[str]) -> float:
    """Of the dates that were acquired, the share that was cloud, shadow or no data."""
    shares = [cloud for date, cloud in zip(dates, cloud_fraction, strict=True) if date not in requested]
    return sum(shares) / max(1, len(shares))


def pixel_charts(series: Values | None) -> list[tuple[str, SeriesChart]]:
    """The index of a few typical pixels, each with its name."""
    if series is None:
        return []
    return [
        (
            f"Row {pixel['row']}, column {pixel['column']}: stands for {percent(pixel['share'])} of the pixels",
            series_chart(
                series["days"],
                values=pixel["values"],
                half_width=[NORMAL_90 * sigma for sigma in pixel["sigma"]],
                observed=pixel["observation"],
                linear=pixel["linear"],
                label=f"{series['index']}, row {pixel['row']}, column {pixel['column']}",
            ),
        )
        for pixel in series["pixels"]
    ]


def fit_curves(training: Values, linear: Values | None) -> list[Curve]:
    """Held-out PSNR and loss over the steps; none for what was not measured."""
    points = training["curve"]
    losses = [(point["step"], point["loss"]) for point in points if point["loss"] is not None]
    scores = [(point["step"], point["holdout_psnr"]) for point in points if point["holdout_psnr"] is not None]
    level = (LINEAR, linear["psnr"]) if linear and linear["psnr"] is not None else None
    curves = [_curve("The fit alone on hidden pixels, PSNR, dB", scores, level), _curve("Loss", losses, None)]
    return [curve for curve in curves if curve.points]


def uses(source: Values, perceptual: Values, config: Values, notes: Sequence[str] = ()) -> list[Use]:
    """What went into the result and what did not, each with its reason."""
    radar, mask, whole = source["s1"], str(source["mask_source"]), bool(config.get("full_prediction"))
    paired = sum(date is not None for date in radar["dates"])
    near = f"{paired} of {len(radar['dates'])} dates have an acquisition near enough, {radar['units']}"
    without = "the input has none; the result comes from the optical data alone"
    observed = "replaced by the prediction, as set (full_prediction)" if whole else "pass through unchanged"
    return [
        Use(paired > 0, "Sentinel-1", near if radar["available"] else without),
        Use(True, "Cloud mask", _MASK_SOURCES.get(mask, mask)),
        Use(perceptual["used"], "Perceptual loss", perceptual["reason"] or f"as set: {perceptual['requested']}"),
        Use(not whole, "Observed pixels", observed),
        *(Use(True, "Method", note) for note in notes),
    ]


def phases(seconds: Mapping[str, float]) -> dict[str, str]:
    """The colour of each phase of a run."""
    return {name: f"phase-{index % _PHASE_COLOURS}" for index, name in enumerate(seconds)}


def _compare(ours: float | None, theirs: float | None, most: float) -> Dumbbell | None:
    return None if ours is None or theirs is None else dumbbell(ours, theirs, most=most)


def _cell(scores: Values, metric: Metric, best: Mapping[str, float | None]) -> tuple[str, bool]:
    value = scores[metric.key]
    return fixed(value, metric.decimals), value is not None and value == best[metric.key]


def _best(values: Iterable[float | None], metric: Metric) -> float | None:
    measured = [value for value in values if value is not None]
    return (max if metric.more_is_better else min)(measured, default=None)


def _days(low: float, high: float | None) -> str:
    return f"{low:g} to {high:g} days" if high is not None else f"{low:g} days or more"


def _curve(title: str, points: list[Point], reference: tuple[str, float] | None) -> Curve:
    if len(points) >= _FEW_POINTS:
        return Curve(title, line_chart(points, label=title, reference=reference), points)
    beside = f"; {reference[0]} {reference[1]:.2f}" if reference else ""
    return Curve(f"{title}{beside}", None, points)
