"""PASTIS-R gaps: pixels under clouds of other dates, and one whole date."""

from dataclasses import replace

import numpy as np

from seq2seq.datasets.base import Sample
from seq2seq.evaluation.base import PIXEL_MEAN, PIXEL_ROOT, SAMPLE_MEAN, Metric, Protocol, PublishedRow, Rng
from seq2seq.evaluation.hiding import hide
from seq2seq.evaluation.metrics import mae, pooled, psnr, rmse, sam_degrees
from seq2seq.evaluation.shapes import draw_shapes
from seq2seq.sequence import Bool

# Of a date that is hidden whole, at least so much must be clear; of one that clouds are laid over, too.
MOSTLY_CLEAR = 0.95
_SHARE = 0.5  # of these dates get clouds


def _clear_dates(sample: Sample) -> tuple[Bool, np.ndarray[tuple[int], np.dtype[np.intp]]]:
    """(T, H, W) clear pixels, and positions of dates that are mostly clear."""
    clear = sample.valid & ~sample.cloud
    return clear, np.flatnonzero(clear.mean(axis=(1, 2)) >= MOSTLY_CLEAR)


def hide_clouds(sample: Sample, rng: Rng) -> Sample:
    """Lays clouds of the patch's own dates over half of its clear dates; asks for what they cover."""
    clear, dates = _clear_dates(sample)
    shapes = draw_shapes(~clear, int(np.ceil(len(dates) * _SHARE)), rng)
    hidden = np.zeros_like(clear)
    hidden[rng.permutation(dates)[: len(shapes)]] = shapes
    return _ask(sample, hidden & clear)


def hide_frame(sample: Sample, rng: Rng) -> Sample:
    """Hides one mostly clear date whole, neither the first nor the last date; asks for its clear pixels."""
    clear, dates = _clear_dates(sample)
    inner = dates[(dates > 0) & (dates < len(clear) - 1)]
    hidden = np.zeros_like(clear)
    if inner.size:
        hidden[rng.choice(inner)] = True
    scored = hidden & clear
    return hide(_ask(sample, scored), hidden)


def _ask(sample: Sample, scored: Bool) -> Sample:
    asked = scored.any(axis=(1, 2))
    asking = replace(sample, truth=sample.s2[asked], scored=scored[asked], asked=sample.dates[asked])
    return hide(asking, scored)


_HIDDEN = "over hidden pixels and bands, DN of 8000 as 1"
METRICS = (
    Metric("PSNR", "dB", f"20 log10(1 / RMSE) of each patch, {_HIDDEN}; averaged.", True, pooled(psnr), SAMPLE_MEAN, 2),
    Metric("RMSE", "", f"Root of the mean of (p - y)^2 {_HIDDEN}.", False, pooled(rmse), PIXEL_ROOT, 4),
    Metric("MAE", "", f"Mean of |p - y| {_HIDDEN}.", False, pooled(mae), PIXEL_MEAN, 4),
    Metric("SAM", "°", "Mean spectral angle over hidden pixels.", False, pooled(sam_degrees), PIXEL_MEAN, 2),
)
_SCALE = (
    "DN are clipped to 8000 and divided by it, as the authors of the rows do: scores of the same error over 10000 "
    "would be 1.94 dB higher."
)
_COMMON = (
    _SCALE,
    "Rows are of networks trained on four folds, on series of selected dates with their own cloud masks; clouds here "
    "are found by our rules, and which test fold the rows are of is not verified.",
    "Radar of a date is the nearest ascending pass within 6 days; a date without one has none.",
)
_SOURCE = "as gathered from AGFlow, CVPRW 2026, and RESTORE-DiT, RSE 328, 2025; to be checked there"


def _row(method: str, psnr_db: float) -> PublishedRow:
    return PublishedRow(method, {"PSNR": psnr_db}, _SOURCE, "unverified")


PASTIS_CLOUDS = Protocol(
    name="pastis-clouds",
    dataset="pastis",
    title="PASTIS-R, pixels under clouds",
    about="10 bands of L2A, 128 x 128 px, whole series; clouds of other dates of a patch are laid over half of its "
    "clear dates, by a seed and its number; scored on what they cover alone.",
    metrics=METRICS,
    published=(
        _row("linear interpolation", 28.40),
        _row("U-TILISE", 30.38),
        _row("U-TILISE with SAR", 30.77),
        _row("RESTORE-DiT", 33.32),
        _row("AGFlow", 33.65),
    ),
    notes=_COMMON,
    gap=hide_clouds,
    split="fold-5",
)
PASTIS_FRAMES = Protocol(
    name="pastis-frames",
    dataset="pastis",
    title="PASTIS-R, one whole date",
    about="10 bands of L2A, 128 x 128 px, whole series; one clear date of a patch is hidden whole, by a seed and its "
    "number; its radar stays.",
    metrics=METRICS,
    published=(_row("RESTORE-DiT", 32.17), _row("AGFlow", 32.87)),
    notes=(*_COMMON, "Nobody has published a row of linear interpolation for whole dates."),
    gap=hide_frame,
    split="fold-5",
)
