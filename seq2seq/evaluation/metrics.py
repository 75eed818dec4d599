"""Metrics as most authors of cloud removal define them: of each image by itself, on its scored pixels.

`Metric`s of protocols are made of these. Prediction and truth are (N, C, H, W) reflectance, clipped to 0..1, `where`
(N, H, W). NaN where no pixel is scored.
"""

import math
from collections.abc import Callable

import numpy as np

from seq2seq.datasets.base import Sample
from seq2seq.sequence import Bool, Float32
from seq2seq.validation import metrics
from seq2seq.validation.assessment import EXACT

# (1, C, H, W), (1, C, H, W), (1, H, W) -> the value of one image.
OfImage = Callable[[Float32, Float32, Bool], float]


def mae(prediction: Float32, truth: Float32, where: Bool) -> float:
    """Computes mean(|p - y|) over pixels and bands, reflectance."""
    return metrics.mae(prediction, truth, where=where)


def rmse(prediction: Float32, truth: Float32, where: Bool) -> float:
    """Computes sqrt(mean((p - y)^2)) over pixels and bands, reflectance."""
    return metrics.rmse(prediction, truth, where=where)


def psnr(prediction: Float32, truth: Float32, where: Bool) -> float:
    """Computes 20 log10(1 / rmse), dB; errors below `EXACT` count as that, so that a mean stays finite."""
    return metrics.psnr_of(rmse(prediction, truth, where), least=EXACT)


def ssim(prediction: Float32, truth: Float32, where: Bool) -> float:
    """Computes structural similarity with a Gaussian of 1.5 px in 11 x 11 px, range 1, mean over bands and pixels."""
    return metrics.ssim(prediction, truth, where=where)


def sam_degrees(prediction: Float32, truth: Float32, where: Bool) -> float:
    """Computes the mean angle between spectra, degrees."""
    return metrics.sam_degrees(prediction, truth, where=where)


def image_mean(of: OfImage) -> Callable[[Float32, Sample], float]:
    """Makes a `Metric.of`: the mean over the dates asked for that have scored pixels."""

    def value(prediction: Float32, sample: Sample) -> float:
        return mean_over_images(of, prediction, sample.truth, sample.scored)

    return value


def mean_over_images(of: OfImage, prediction: Float32, truth: Float32, where: Bool) -> float:
    """Computes the mean of `of` over images with a pixel of `where`; NaN where none has one."""
    images = np.flatnonzero(where.any(axis=(1, 2)))
    if not images.size:
        return math.nan
    return float(np.mean([of(prediction[n : n + 1], truth[n : n + 1], where[n : n + 1]) for n in images]))


def pooled(of: OfImage) -> Callable[[Float32, Sample], float]:
    """Makes a `Metric.of`: over the scored pixels of all dates asked for together."""

    def value(prediction: Float32, sample: Sample) -> float:
        return of(prediction, sample.truth, sample.scored) if sample.scored.any() else math.nan

    return value
