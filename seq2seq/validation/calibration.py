"""Uncertainty: a sigma for each pixel, from how much the candidates disagree, such that 90 % intervals hold 90 %."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from seq2seq.sequence import Bool, Float32
from seq2seq.validation.holdout import LINEAR, Candidates, fully_clouded_dates
from seq2seq.validation.settings import DEFAULTS, BlendSettings

NORMAL_90 = 1.6449  # half width of the normal distribution's 90 % interval, in sigma
# Dates' worth of belief that intervals of a sequence are off as those of others (benchmarks/METHOD.md).
BELIEF = 2.0
_LEAST_FACTOR = 0.01  # of an exact result, whose logarithm would be none

# `Calibration.factor` on other sequences, by kind of date.
IntervalFactors = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Calibration:
    """The factor from the raw std to one sigma, such that result +- 1.645 sigma covers 90 % held out.

    sigma = factor sqrt(variance of the candidates + floor^2), reflectance.

    factor: (2, C), for dates that are partly clouded and for fully clouded ones, whose errors are of another kind.
    """

    floor: Float32  # (C,) reflectance: what the candidates' disagreement cannot show
    factor: Float32
    settings: BlendSettings = DEFAULTS

    def sigma(self, candidates: Candidates, visible: Bool) -> Float32:
        """Computes (T, C, H, W) one sigma of reflectance; visible: (T, H, W) what the candidates were made from."""
        raw = _raw_sigma(candidates, self.floor)
        sigma: Float32 = raw * self.factor[fully_clouded_dates(visible, self.settings).astype(int)][:, :, None, None]
        return sigma


def few_dates(date: NDArray[np.intp], settings: BlendSettings = DEFAULTS) -> float:
    """Widens an interval whose width was measured on few dates: its factor; date: (N,) of each pixel.

    Errors of one date share a scale, and the next date has its own. An interval for it, from the scale of n dates, is
    Student's instead of normal, with n + 2 degrees of freedom, as the other kind of date informs the scale too:
    1.3 times as wide for 2 dates, 1.1 times for 10.
    """
    return _widening(_telling_dates(date, settings))


def _telling_dates(date: NDArray[np.intp], settings: BlendSettings) -> int:
    """How many dates have enough pixels to say something, one at least; date: (N,) of each pixel."""
    return max(1, int((np.bincount(date) >= settings.min_class_pixels).sum()))


def _widening(dates: float) -> float:
    return float(stdtrit(dates + 2, 0.95)) / NORMAL_90


def calibrate(
    candidates: Candidates,
    result: Float32,
    truth: Float32,
    held_out: Bool,
    visible: Bool,
    settings: BlendSettings = DEFAULTS,
    elsewhere: IntervalFactors | None = None,
) -> Calibration:
    """Calibrates on the held-out pixels, by kind of date and band, widened for how few dates they lie on (`few_dates`).

    Without any held-out pixels the candidates' disagreement stands as it is. Each date counts as much as any other,
    however many of its pixels are held out: the next date is one of them.

    elsewhere: the factors of the method on other sequences. What n dates say is drawn to them as if `BELIEF` more dates
    had said so, log factor = (n log of theirs + BELIEF log elsewhere) / (n + BELIEF): a few dates that are like no
    other make intervals useless. Without, a kind that could not be held out takes the larger of the other's and 1.
    """
    bands = result.shape[1]
    error = np.abs(np.moveaxis(result - truth, 1, -1)[held_out])  # (N, C)
    if len(error) < settings.min_class_pixels:
        return Calibration(np.full(bands, 0.01, np.float32), np.ones((2, bands), np.float32), settings)
    floor = np.maximum(np.median(error, axis=0), settings.min_sigma).astype(np.float32)
    ratio = error / np.moveaxis(_raw_sigma(candidates, floor), 1, -1)[held_out]
    on_clouded = fully_clouded_dates(visible, settings)[np.nonzero(held_out)[0]]
    date = np.nonzero(held_out)[0]
    if elsewhere is None:
        factor = np.tile(np.maximum(_quantile_90(ratio, date, settings) / NORMAL_90, 1.0), (2, 1))
    else:
        factor = np.tile(np.array(elsewhere)[:, None] * _widening(BELIEF), (1, bands))
    for kind in (0, 1):
        inside = on_clouded == kind
        if inside.sum() >= settings.min_class_pixels:
            measured = _quantile_90(ratio[inside], date[inside], settings) / NORMAL_90
            dates = _telling_dates(date[inside], settings)
            factor[kind] = _believed(measured, dates, None if elsewhere is None else elsewhere[kind])
    return Calibration(floor, factor.astype(np.float32), settings)


def _believed(measured: NDArray[np.floating], dates: int, elsewhere: float | None) -> NDArray[np.floating]:
    """(C,) factors, of those `measured` on so many dates and that of other sequences; widened for how few they are."""
    if elsewhere is None:
        return measured * _widening(dates)
    logs = (dates * np.log(np.maximum(measured, _LEAST_FACTOR)) + BELIEF * np.log(elsewhere)) / (dates + BELIEF)
    believed: NDArray[np.floating] = np.exp(logs) * _widening(dates + BELIEF)
    return believed


def _quantile_90(values: NDArray[np.floating], date: NDArray[np.intp], settings: BlendSettings) -> NDArray[np.floating]:
    """(C,) of (N, C) values, each `date` (N,) as heavy as any other that has enough pixels to say something."""
    pixels = np.bincount(date)
    weights = (np.minimum(pixels, settings.min_class_pixels) / np.maximum(pixels, 1))[date]
    found: NDArray[np.floating] = np.quantile(values, 0.9, axis=0, weights=weights, method="inverted_cdf")
    return found


def _raw_sigma(candidates: Candidates, floor: Float32) -> Float32:
    """(T, C, H, W): how much the candidates other than interpolation disagree, and what they cannot know (C,)."""
    sigma: Float32 = np.sqrt(disagreement(candidates) + floor[:, None, None] ** 2)
    return sigma


def disagreement(candidates: Candidates) -> Float32:
    """Computes (T, C, H, W) the variance of the candidates other than interpolation, reflectance squared."""
    others = [image for name, image in candidates.items() if name != LINEAR] or [candidates[LINEAR]]
    mean = sum(others[1:], others[0]) / len(others)
    variance = sum(((image - mean) ** 2 for image in others[1:]), (others[0] - mean) ** 2) / len(others)
    return np.asarray(variance, dtype=np.float32)
