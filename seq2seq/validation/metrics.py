"""Errors of a prediction against the truth, on the pixels of `where` and on no others.

Every function takes prediction and truth as (T, C, H, W) float32 reflectance and `where` as (T, H, W) bool, True =
scored. Both images are clipped to [0, 1] first, as the product's integers would be. Raises ValueError where the shapes
disagree, no pixel is scored, or a scored pixel is not finite: a score is never NaN.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from seq2seq.sequence import Bool, Float32

Float64 = NDArray[np.float64]

# Wang, Bovik, Sheikh, Simoncelli (IEEE TIP 2004): gaussian window of sigma 1.5 px in 11 x 11, K1 = 0.01, K2 = 0.03.
SSIM_SIGMA_PX = 1.5
SSIM_RADIUS_PX = 5
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2
# SSIM of a date is the mean of its map over the scored pixels; below this share a handful of pixels decides it.
SSIM_MIN_SHARE = 0.01


@dataclass(frozen=True)
class Scores:
    """All scores of one prediction. `pixels` is the number of scored (date, row, column) positions."""

    psnr: float  # dB, inf where the prediction is exact
    rmse: float  # reflectance
    mae: float  # reflectance
    nrmse: float  # rmse / mean reflectance of the truth
    sam: float  # degrees
    ssim: float  # at most 1
    pixels: int


def rmse(prediction: Float32, truth: Float32, *, where: Bool) -> float:
    """Computes the root mean squared error, sqrt(mean((p - y)^2)), reflectance, pooled over scored pixels and bands."""
    total = sum(float(np.square(p - y).sum()) for p, y in _scored(prediction, truth, where))
    return math.sqrt(total / _values(truth, where))


def mae(prediction: Float32, truth: Float32, *, where: Bool) -> float:
    """Computes the mean absolute error, mean(|p - y|), reflectance, pooled over scored pixels and bands."""
    total = sum(float(np.abs(p - y).sum()) for p, y in _scored(prediction, truth, where))
    return total / _values(truth, where)


def psnr_of(error: float, *, least: float = 0.0) -> float:
    """Computes 20 log10(1 / error), dB, of a root mean squared error of reflectance in [0, 1]; inf where that is 0.

    least: smaller errors count as this one, for readers that know no infinity.
    """
    error = max(error, least)
    return math.inf if error == 0 else -20 * math.log10(error)


def psnr(prediction: Float32, truth: Float32, *, where: Bool) -> float:
    """Computes the peak signal-to-noise ratio, 20 log10(1 / rmse), dB; inf where the prediction is exact."""
    return psnr_of(rmse(prediction, truth, where=where))


def nrmse(prediction: Float32, truth: Float32, *, where: Bool) -> float:
    """Computes rmse / mean reflectance of the scored truth (Ebel et al. 2021); inf where that mean is 0."""
    return _nrmse(rmse(prediction, truth, where=where), _mean_reflectance(truth, where))


def sam_degrees(prediction: Float32, truth: Float32, *, where: Bool) -> float:
    """Computes the mean angle between predicted and true spectra, arccos(p.y / (|p| |y|)), degrees in [0, 90].

    A black pixel has no direction and does not count. Where none has one: 0 for an exact prediction, else 90.
    """
    angles, count, exact = 0.0, 0, True
    for p, y in _scored(prediction, truth, where):
        norm = np.linalg.norm(p, axis=1) * np.linalg.norm(y, axis=1)
        lit = norm > 0
        cosine = np.clip((p * y).sum(1)[lit] / norm[lit], -1, 1)
        angles, count = angles + float(np.arccos(cosine).sum()), count + int(lit.sum())
        exact = exact and np.array_equal(p, y)
    if count == 0:
        return 0.0 if exact else 90.0
    return math.degrees(angles / count)


def ssim(prediction: Float32, truth: Float32, *, where: Bool) -> float:
    """Computes structural similarity (Wang et al. 2004), data range 1, at most 1.

    Each date is compared with the truth pasted outside `where`, so that only what was predicted can differ; its score
    is the mean of the map over bands and scored pixels. The result is the mean over the dates with more than 1 % of
    their pixels scored, or over all dates with a scored pixel where no date has that many.
    """
    _check(prediction, truth, where)
    share = where.mean((1, 2))
    dates = np.flatnonzero(share > SSIM_MIN_SHARE)
    if dates.size == 0:
        dates = np.flatnonzero(share)
    return float(np.mean([_ssim_of_date(prediction[t], truth[t], where[t]) for t in dates]))


def ssim_map(a: Float64, b: Float64) -> Float64:
    """Computes structural similarity of a and b, each (C, H, W) in [0, 1], at every band and pixel: (C, H, W).

    (2 ma mb + c1) (2 cov + c2) / ((ma^2 + mb^2 + c1) (va + vb + c2)) of Gaussian-weighted local statistics.
    """
    mean_a, mean_b = _window_mean(a), _window_mean(b)
    variance_a = _window_mean(a * a) - mean_a * mean_a
    variance_b = _window_mean(b * b) - mean_b * mean_b
    covariance = _window_mean(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + SSIM_C1) / (mean_a**2 + mean_b**2 + SSIM_C1)
    structure = (2 * covariance + SSIM_C2) / (variance_a + variance_b + SSIM_C2)
    return luminance * structure


def score(prediction: Float32, truth: Float32, where: Bool) -> Scores:
    """Computes every score of one prediction on the pixels of `where`."""
    error = rmse(prediction, truth, where=where)
    return Scores(
        psnr=psnr_of(error),
        rmse=error,
        mae=mae(prediction, truth, where=where),
        nrmse=_nrmse(error, _mean_reflectance(truth, where)),
        sam=sam_degrees(prediction, truth, where=where),
        ssim=ssim(prediction, truth, where=where),
        pixels=int(where.sum()),
    )


def _scored(prediction: Float32, truth: Float32, where: Bool) -> Iterator[tuple[Float64, Float64]]:
    """Scored spectra of prediction and truth, (N, C) each, date by date: the sequence is never copied whole."""
    _check(prediction, truth, where)
    for t in np.flatnonzero(where.any((1, 2))):
        yield _clip(prediction[t][:, where[t]].T), _clip(truth[t][:, where[t]].T)


def _check(prediction: Float32, truth: Float32, where: Bool) -> None:
    if prediction.shape != truth.shape or truth.ndim != 4:
        raise ValueError(f"prediction is {prediction.shape}, truth is {truth.shape}, both must be (T, C, H, W)")
    t, _, h, w = truth.shape
    if where.shape != (t, h, w) or where.dtype != bool:
        raise ValueError(f"where is {where.dtype} {where.shape}, must be bool {(t, h, w)}")
    if not where.any():
        raise ValueError(f"no pixel to score: where is False on all {where.size} positions")


def _clip(reflectance: Float32) -> Float64:
    clipped = np.clip(reflectance, 0, 1).astype(np.float64)
    if not np.isfinite(clipped).all():
        raise ValueError(f"{np.count_nonzero(~np.isfinite(clipped))} scored values are NaN")
    return clipped


def _values(truth: Float32, where: Bool) -> int:
    return int(where.sum()) * int(truth.shape[1])


def _mean_reflectance(truth: Float32, where: Bool) -> float:
    total = sum(float(y.sum()) for _, y in _scored(truth, truth, where))
    return total / _values(truth, where)


def _nrmse(error: float, mean: float) -> float:
    if error == 0:
        return 0.0
    return math.inf if mean == 0 else error / mean


def _ssim_of_date(prediction: Float32, truth: Float32, where: Bool) -> float:
    pasted = np.where(where, prediction, truth)
    return float(ssim_map(_clip(pasted), _clip(truth)).mean(0)[where].mean())


def _window_mean(image: Float64) -> Float64:
    """Gaussian-weighted local mean over the last two axes, edges reflected (d c b a | a b c d | d c b a)."""
    for axis in (-2, -1):
        image = correlate1d(image, _SSIM_KERNEL, axis=axis, mode="reflect")
    return image


def _gaussian_kernel(sigma_px: float, radius_px: int) -> Float64:
    weights: Float64 = np.exp(-0.5 * (np.arange(-radius_px, radius_px + 1) / sigma_px) ** 2)
    weights /= weights.sum()
    return weights


_SSIM_KERNEL = _gaussian_kernel(SSIM_SIGMA_PX, SSIM_RADIUS_PX)
