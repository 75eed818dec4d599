"""AllClear as its authors' benchmark scores it, with their spectral angle as it was published and as it is meant."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from seq2seq.evaluation.base import Metric, Protocol, PublishedRow
from seq2seq.evaluation.metrics import image_mean, mae, psnr, rmse, sam_degrees
from seq2seq.sequence import Bool, Float32

_RADIUS_PX, _SIGMA_PX = 5, 1.5
_C1, _C2 = 0.01**2, 0.03**2


def sam_along_rows(prediction: Float32, truth: Float32, where: Bool) -> float:
    """Computes the mean over scored pixels of the angle between image columns, degrees; (1, C, H, W).

    angle[c, w] = acos(p[c, :, w] . y[c, :, w] / (|p| |y|)): the axis of rows where that of bands is meant, as in the
    authors' code. All rows make the angle, scored or not; scored pixels weigh it.
    """
    p, y = _unit(prediction[0]), _unit(truth[0])
    angle = np.degrees(np.arccos(np.clip((p * y).sum(axis=1), -1, 1)))  # (C, W)
    weight = where[0].sum(axis=0)  # (W,)
    return float((angle * weight).sum() / (len(angle) * weight.sum()))


def _unit(image: Float32) -> NDArray[np.float64]:
    """(C, H, W), each column of rows of length 1."""
    values = np.clip(image, 0, 1).astype(np.float64)
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12))


def ssim_masked(prediction: Float32, truth: Float32, where: Bool) -> float:
    """Computes structural similarity of images that are 0 where not scored, as the authors do; (1, C, H, W).

    Window of 11 x 11 px, sigma 1.5 px, 0 beyond the borders, constants of range 1; mean over scored pixels and bands.
    """
    x = np.clip(prediction[0], 0, 1).astype(np.float64) * where[0]
    y = np.clip(truth[0], 0, 1).astype(np.float64) * where[0]
    mean_x, mean_y = _smooth(x), _smooth(y)
    var_x, var_y = _smooth(x * x) - mean_x**2, _smooth(y * y) - mean_y**2
    covariance = _smooth(x * y) - mean_x * mean_y
    similar = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    similar /= (mean_x**2 + mean_y**2 + _C1) * (var_x + var_y + _C2)
    return float(similar[:, where[0]].mean())


def _smooth(image: NDArray[np.float64]) -> NDArray[np.float64]:
    taps = np.exp(-(np.arange(-_RADIUS_PX, _RADIUS_PX + 1) ** 2) / (2 * _SIGMA_PX**2))
    taps /= taps.sum()
    return np.asarray(correlate1d(correlate1d(image, taps, axis=1, mode="constant"), taps, axis=2, mode="constant"))


_CLEAR = "over all bands of pixels that are neither cloud nor shadow in the target"


def _row(method: str, psnr_db: float) -> PublishedRow:
    assert math.isfinite(psnr_db), method
    return PublishedRow(method, {"PSNR": psnr_db}, "Zhou et al., AllClear, NeurIPS 2024, abstract", "abstract")


ALLCLEAR = Protocol(
    name="allclear",
    dataset="allclear",
    title="AllClear, three dates to one",
    about="13 bands of L1C, the 256 x 256 px in the middle, DN clipped to 0..10000 and divided by 10000; scored where "
    "the target's own masks of cloud and shadow are 0; each image by itself, then the mean over images.",
    metrics=(
        Metric("MAE", "", f"Mean of |p - y| {_CLEAR}.", False, image_mean(mae), decimals=4),
        Metric("RMSE", "", f"Root of the mean of (p - y)^2 {_CLEAR}.", False, image_mean(rmse), decimals=4),
        Metric("PSNR", "dB", f"20 log10(1 / RMSE) of each image, {_CLEAR}.", True, image_mean(psnr), decimals=2),
        Metric(
            "SAM along rows",
            "°",
            "As the authors' code computes it: the angle between columns of the image, along its rows, of each band.",
            False,
            image_mean(sam_along_rows),
            decimals=2,
        ),
        Metric(
            "SAM",
            "°",
            "Mean angle between spectra of scored pixels, degrees.",
            False,
            image_mean(sam_degrees),
            decimals=2,
        ),
        Metric(
            "SSIM",
            "",
            "Structural similarity of images set to 0 where not scored, 11 px, as the authors' code computes it.",
            True,
            image_mean(ssim_masked),
        ),
    ),
    published=(
        _row("trained on the smallest share", 28.47),
        _row("trained on 30 times that", 33.87),
    ),
    notes=(
        "Published figures of SAM are `SAM along rows`: the authors' code takes the axis of rows for that of bands, so "
        "they cannot be compared with spectral angles of anybody else; the spectral one is ours beside it.",
        "The authors average over batches; that is the mean over images where all batches are of one size.",
        "Radar of the target's own day, within two days, is shown to methods; the authors' loader pairs radar with the "
        "three inputs alone.",
        "The authors' mosaicing fills pixels that are never clear with 0, not with the 0.5 that their code also names.",
        "The split `test-light` has one sample a place and is what the authors' scripts run; `test` has all.",
    ),
    clouds_with_weights="seen",
    split="test-light",
)
