"""The held-out score of a run beside its rivals: whole, by band, by kind of date and gap length; pooled over tiles."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2seq.sequence import Bool, Float32
from seq2seq.validation.blending import Blend
from seq2seq.validation.calibration import NORMAL_90
from seq2seq.validation.claim import (
    Claim,
    ErrorScales,
    FilledDate,
    HiddenDate,
    claim_gain,
    pool_dates,
)
from seq2seq.validation.gain import DateErrors
from seq2seq.validation.holdout import DATE_KINDS, GAP_EDGES, LINEAR, RESULT, gap_class
from seq2seq.validation.metrics import Scores, psnr_of, score

EXACT = 1e-9  # RMSE at which PSNR is capped: 180 dB


@dataclass(frozen=True)
class GapAssessment:
    """One kind of date and gap class: days [from, to), held-out pixels, RMSE by method, weights of the blend.

    coverage_90: share of the pixels' values within 1.645 sigma; None in what earlier versions kept.
    """

    dates: str  # of `DATE_KINDS`
    gap_days: tuple[float, float | None]
    pixels: int
    rmse: dict[str, float]
    weights: dict[str, float]
    fallback: bool  # interpolation alone
    coverage_90: float | None = None


@dataclass(frozen=True)
class Assessment:
    """The evidence of the held-out pixels. methods, by_band[band]: scores. coverage_90: share within 1.645 sigma.

    by_date: errors of each date. hidden, filled: what is known of the hidden pixels, and of those that were filled in
    truth, from which the gain is claimed; error_scales: of the method, on other sequences, see `claim_gain`.
    """

    pixels: int
    methods: dict[str, Scores]
    by_band: dict[str, dict[str, dict[str, float]]]
    by_gap: tuple[GapAssessment, ...]
    coverage_90: float
    by_date: tuple[DateErrors, ...]
    hidden: tuple[HiddenDate, ...] = ()
    filled: tuple[FilledDate, ...] = ()
    error_scales: ErrorScales | None = None

    @property
    def gain(self) -> Claim | None:
        """The gain over linear interpolation that is claimed of the filled pixels, with its interval."""
        return claim_gain(self.hidden, self.filled, self.error_scales)

    @property
    def gain_db(self) -> float:
        """PSNR over linear interpolation on the held-out pixels as they are, dB: no claim, see `gain`."""
        return self.methods[RESULT].psnr - self.methods[LINEAR].psnr


def assess(
    methods: Mapping[str, Float32],
    sigma: Float32,
    truth: Float32,
    held_out: Bool,
    gap_days: Float32,
    fully_clouded: Bool,
    bands: Sequence[str],
    blend: Blend,
    hidden: Sequence[HiddenDate] = (),
    error_scales: ErrorScales | None = None,
) -> Assessment | None:
    """Scores every method on the held-out pixels, None where there are none.

    methods must hold `RESULT` and `LINEAR`; fully_clouded: (T,), see `fully_clouded_dates`. What was filled is not
    known yet.
    """
    if not held_out.any():
        return None
    errors = {name: np.moveaxis(image - truth, 1, -1)[held_out] for name, image in methods.items()}
    date, classes = np.nonzero(held_out)[0], gap_class(gap_days[held_out])
    covered = np.abs(errors[RESULT]) <= NORMAL_90 * np.moveaxis(sigma, 1, -1)[held_out]
    return Assessment(
        pixels=int(held_out.sum()),
        methods={name: score(image, truth, held_out) for name, image in methods.items()},
        by_band={band: {name: _band_scores(e[:, k]) for name, e in errors.items()} for k, band in enumerate(bands)},
        by_gap=tuple(_by_gap(errors, covered, fully_clouded[date], classes, blend)),
        coverage_90=float(covered.mean()),
        by_date=tuple(_by_date(errors, date, fully_clouded[date].astype(int), classes)),
        hidden=tuple(hidden),
        error_scales=error_scales,
    )


def pool(parts: Sequence[Assessment]) -> Assessment | None:
    """Pools the assessments of several tiles: squared errors over pixels; angles, SSIM and weights averaged by them.

    None where no tile could hold anything out.
    """
    if not parts:
        return None
    pixels = [part.pixels for part in parts]
    return Assessment(
        pixels=sum(pixels),
        methods={name: pool_scores([part.methods[name] for part in parts]) for name in parts[0].methods},
        by_band={
            band: {name: _pool_band([part.by_band[band][name] for part in parts], pixels) for name in methods}
            for band, methods in parts[0].by_band.items()
        },
        by_gap=tuple(_pool_gap(gaps) for gaps in _same_gap(parts)),
        coverage_90=float(np.average([part.coverage_90 for part in parts], weights=pixels)),
        by_date=tuple(_pool_dates(parts)),
        hidden=pool_dates([date for part in parts for date in part.hidden]),
        filled=pool_dates([date for part in parts for date in part.filled]),
        error_scales=parts[0].error_scales,
    )


def _band_scores(error: NDArray[np.floating]) -> dict[str, float]:
    rmse = float(np.sqrt(np.mean(error.astype(np.float64) ** 2)))
    return {"rmse": rmse, "psnr": psnr_of(rmse, least=EXACT), "mae": float(np.abs(error).mean())}


def _by_gap(
    errors: Mapping[str, NDArray[np.floating]],
    covered: Bool,
    fully_clouded: Bool,
    classes: NDArray[np.intp],
    blend: Blend,
) -> Iterable[GapAssessment]:
    for kind, dates in enumerate(DATE_KINDS):
        for k in range(len(GAP_EDGES) - 1):
            inside = (fully_clouded.astype(int) == kind) & (classes == k)
            if not inside.any():
                continue
            yield GapAssessment(
                dates=dates,
                gap_days=(GAP_EDGES[k], None if np.isinf(GAP_EDGES[k + 1]) else GAP_EDGES[k + 1]),
                pixels=int(inside.sum()),
                rmse={name: float(np.sqrt(np.mean(e[inside].astype(np.float64) ** 2))) for name, e in errors.items()},
                weights={name: round(weight, 3) for name, weight in blend.weights(kind, k).items()},
                fallback=not blend.blend_weight[kind, k],
                coverage_90=float(covered[inside].mean()),
            )


def _by_date(
    errors: Mapping[str, NDArray[np.floating]], date: NDArray[np.intp], kind: NDArray[np.intp], gap: NDArray[np.intp]
) -> Iterable[DateErrors]:
    """date, kind, gap: (N,) of each held-out pixel."""
    squares = {name: np.mean(errors[name].astype(np.float64) ** 2, axis=1) for name in (RESULT, LINEAR)}
    for t, k, g in np.unique(np.stack([date, kind, gap], axis=1), axis=0).tolist():
        inside = (date == t) & (kind == k) & (gap == g)
        result, linear = (float(square[inside].mean()) for square in squares.values())
        yield DateErrors(t, k, g, int(inside.sum()), result, linear)


def _pool_dates(parts: Sequence[Assessment]) -> Iterable[DateErrors]:
    pooled: dict[tuple[int, int, int], list[DateErrors]] = {}
    for part in parts:
        for errors in part.by_date:
            pooled.setdefault((errors.date, errors.kind, errors.gap), []).append(errors)
    for place, found in sorted(pooled.items()):
        pixels = [errors.pixels for errors in found]
        result = float(np.average([errors.result for errors in found], weights=pixels))
        linear = float(np.average([errors.linear for errors in found], weights=pixels))
        yield DateErrors(*place, sum(pixels), result, linear)


def _root_mean_square(values: Iterable[float], weights: Sequence[int]) -> float:
    return float(np.sqrt(np.average(np.square(list(values)), weights=weights)))


def pool_scores(parts: Sequence[Scores]) -> Scores:
    """Scores of several parts as one: squared errors pooled over pixels, angles and SSIM averaged by them."""
    pixels = [part.pixels for part in parts]
    rmse = _root_mean_square((part.rmse for part in parts), pixels)
    # nrmse is rmse over mean reflectance, so each part still holds its mean.
    mean = np.average([part.rmse / part.nrmse if part.nrmse else 0.0 for part in parts], weights=pixels)
    return Scores(
        psnr=psnr_of(rmse, least=EXACT),
        rmse=rmse,
        mae=float(np.average([part.mae for part in parts], weights=pixels)),
        nrmse=rmse / float(mean) if mean else 0.0,
        sam=float(np.average([part.sam for part in parts], weights=pixels)),
        ssim=float(np.average([part.ssim for part in parts], weights=pixels)),
        pixels=sum(pixels),
    )


def _pool_band(parts: Sequence[dict[str, float]], pixels: Sequence[int]) -> dict[str, float]:
    rmse = _root_mean_square((part["rmse"] for part in parts), pixels)
    return {
        "rmse": rmse,
        "psnr": psnr_of(rmse, least=EXACT),
        "mae": float(np.average([p["mae"] for p in parts], weights=pixels)),
    }


def _same_gap(parts: Sequence[Assessment]) -> Iterable[list[GapAssessment]]:
    every = [gap for part in parts for gap in part.by_gap]
    for dates in DATE_KINDS:
        for low in sorted({gap.gap_days[0] for gap in every if gap.dates == dates}):
            yield [gap for gap in every if (gap.dates, gap.gap_days[0]) == (dates, low)]


def _pool_coverage(parts: Sequence[GapAssessment]) -> float | None:
    known = [(part.coverage_90, part.pixels) for part in parts if part.coverage_90 is not None]
    return sum(coverage * pixels for coverage, pixels in known) / sum(pixels for _, pixels in known) if known else None


def _pool_gap(parts: Sequence[GapAssessment]) -> GapAssessment:
    pixels = [part.pixels for part in parts]
    return GapAssessment(
        dates=parts[0].dates,
        gap_days=parts[0].gap_days,
        pixels=sum(pixels),
        rmse={name: _root_mean_square((part.rmse[name] for part in parts), pixels) for name in parts[0].rmse},
        weights={
            name: round(float(np.average([part.weights[name] for part in parts], weights=pixels)), 3)
            for name in parts[0].weights
        },
        fallback=all(part.fallback for part in parts),
        coverage_90=_pool_coverage(parts),
    )
