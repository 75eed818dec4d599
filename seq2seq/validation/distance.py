"""The uncertainty of dates that were never acquired: it grows with the days to what is clear.

Errors of interpolation grow with the distance to data, and one factor for all dates hides that: intervals are too wide
beside an acquisition and too narrow amid a long gap. How they grow is measured on the sequence itself: each date is
interpolated from dates further and further away, pixel by pixel,

    days of a pixel = before after / (before + after),

the variance of a bridge between two acquisitions (one side alone: the days to it). The 90th percentile of the errors,
never falling with the days, takes the place of the floor in `calibration`, and the held-out dates scale it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from seq2seq.interpolation import NO_NEIGHBOUR_DAYS, days_to_others
from seq2seq.sequence import Bool, Float32
from seq2seq.validation.calibration import NORMAL_90, disagreement, few_dates
from seq2seq.validation.holdout import Candidates, fully_clouded_dates
from seq2seq.validation.settings import DEFAULTS, BlendSettings

# Days on either side that are not looked at, so that short series of near dates tell of long gaps as well.
HIDDEN_DAYS = (0, 3, 6, 12, 24, 48, 96, 192)
_VALUES = 2**20  # of the pixels that are interpolated, all dates and bands together
_LEAST_ERRORS = 50  # of a class of days
_LEAST_DAYS = 0.5

Days = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Growth:
    """How interpolation errs with the distance. days: (K,) increasing. sigma: (K, C) reflectance, never falling."""

    days: NDArray[np.float64]
    sigma: NDArray[np.float64]

    def at(self, days: Float32) -> Float32:
        """Looks up (N, C) sigma at (N,) days. Nearer than what was measured: as there; further: by the square root of
        the days."""
        where = np.log(np.maximum(days, _LEAST_DAYS))
        further = np.sqrt(np.maximum(days / self.days[-1], 1))
        bands = [np.interp(where, np.log(self.days), band) * further for band in self.sigma.T]
        return np.stack(bands, axis=-1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class DistanceCalibration:
    """sigma = factor sqrt(variance of the candidates + growth(days)^2), reflectance. factor: (C,)."""

    growth: Growth
    factor: Float32

    def sigma(self, candidates: Candidates, bridge_days: Float32, dates: NDArray[np.intp]) -> Float32:
        """Computes (D, C, H, W) one sigma of reflectance on D `dates`; bridge_days: (T, H, W), see `bridge_days_of`."""
        scale = self.factor[:, None, None]
        return np.stack([scale * _raw(candidates, self.growth, bridge_days, t) for t in dates.tolist()])


def bridge_days_of(visible: Bool, days: Days) -> Float32:
    """Measures (T, H, W) before after / (before + after) of the days to visible dates; without any, the length."""
    before, after = days_to_others(visible, days)
    bridge = before * after / np.maximum(before + after, 1)
    none_before, none_after = before >= NO_NEIGHBOUR_DAYS, after >= NO_NEIGHBOUR_DAYS
    bridge = np.where(none_before, after, np.where(none_after, before, bridge))
    return np.where(none_before & none_after, np.float32(days[-1] - days[0]), bridge).astype(np.float32)


def measure_growth(pixels: Float32, visible: Bool, days: Days) -> Growth | None:
    """Measures the errors of interpolation between `visible` pixels, (T, C, H, W) and (T, H, W), by their distance.

    None where hardly any pixel is visible twice.
    """
    dates = np.flatnonzero(visible.any(axis=(1, 2)))
    rows, columns = _some_pixels(visible, pixels.shape[1])
    values = np.moveaxis(pixels[dates][:, :, rows, columns], 1, -1)  # (D, N, C)
    parts = list(_errors(values, visible[dates][:, rows, columns], days[dates]))
    if not parts:
        return None
    bridge, errors = np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    classes = np.floor(2 * np.log2(np.maximum(bridge, _LEAST_DAYS)))
    found = []
    for k in np.unique(classes):
        inside = classes == k
        if inside.sum() >= _LEAST_ERRORS:
            sigma = np.quantile(errors[inside], 0.9, axis=0) / NORMAL_90
            found.append((np.exp(np.log(np.maximum(bridge[inside], _LEAST_DAYS)).mean()), inside.sum(), sigma))
    if not found:
        return None
    centres, counts, sigmas = (np.array([each[k] for each in found], dtype=np.float64) for k in range(3))
    grown = [isotonic_regression(band, weights=counts).x for band in sigmas.T]
    return Growth(centres, np.stack(grown, axis=-1))


def calibrate_by_distance(
    candidates: Candidates,
    result: Float32,
    truth: Float32,
    held_out: Bool,
    visible: Bool,
    days: Days,
    settings: BlendSettings = DEFAULTS,
) -> DistanceCalibration | None:
    """Calibrates on the dates that were held out whole, else on all held-out pixels, else on none: a factor of 1.

    Widened for how few dates they lie on, see `few_dates`. None where no growth can be measured.
    """
    growth = measure_growth(truth, visible, days)
    if growth is None:
        return None
    whole = held_out & fully_clouded_dates(visible, settings)[:, None, None]
    judged = whole if whole.sum() >= settings.min_class_pixels else held_out
    if judged.sum() < settings.min_class_pixels:
        return DistanceCalibration(growth, np.ones(result.shape[1], np.float32))
    bridge_days, ratios = bridge_days_of(visible, days), []
    for t in np.flatnonzero(judged.any(axis=(1, 2))).tolist():
        raw = np.maximum(_raw(candidates, growth, bridge_days, t), settings.min_sigma)
        ratios.append(np.moveaxis(np.abs(result[t] - truth[t]) / raw, 0, -1)[judged[t]])
    ratio = np.concatenate(ratios)  # (N, C)
    widened = few_dates(np.nonzero(judged)[0], settings)
    return DistanceCalibration(growth, (np.quantile(ratio, 0.9, axis=0) / NORMAL_90 * widened).astype(np.float32))


def _raw(candidates: Candidates, growth: Growth, bridge_days: Float32, t: int) -> Float32:
    """(C, H, W) of one date, before it is scaled; a date at a time, as requested ones may be hundreds."""
    date = slice(t, t + 1)
    variance = disagreement({name: image[date] for name, image in candidates.items()})[0]
    floor = growth.at(bridge_days[t].ravel()).T.reshape(variance.shape)
    raw: Float32 = np.sqrt(variance + floor**2)
    return raw


def _some_pixels(visible: Bool, bands: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of pixels that are visible twice, evenly spread."""
    rows, columns = np.nonzero(visible.sum(axis=0) >= 2)
    step = max(1, -(-len(rows) * len(visible) * bands // _VALUES))
    return rows[::step], columns[::step]


def _errors(values: Float32, visible: Bool, days: Days) -> Iterator[tuple[Float32, Float32]]:
    """(M,) bridge days and (M, C) absolute errors; values (D, N, C), visible (D, N)."""
    dates, count = visible.shape
    number = np.arange(dates)[:, None]
    last = np.maximum.accumulate(np.where(visible, number, -1))  # (D, N) the visible date at or before
    first = np.minimum.accumulate(np.where(visible, number, dates)[::-1])[::-1]
    pixel = np.arange(count)
    for t in range(dates):
        reached: set[tuple[int, int]] = set()
        for hidden in HIDDEN_DAYS:
            before = int(np.searchsorted(days, days[t] - hidden, "left")) - 1
            after = int(np.searchsorted(days, days[t] + hidden, "right"))
            if (before, after) in reached or (before < 0 and after >= dates):
                continue
            reached.add((before, after))
            previous = last[before] if before >= 0 else np.full(count, -1)
            following = first[after] if after < dates else np.full(count, dates)
            seen = visible[t] & ((previous >= 0) | (following < dates))
            if seen.any():
                yield _interpolated(values, days, t, pixel[seen], previous[seen], following[seen])


def _interpolated(
    values: Float32,
    days: Days,
    t: int,
    pixel: NDArray[np.intp],
    previous: NDArray[np.intp],
    following: NDArray[np.intp],
) -> tuple[Float32, Float32]:
    """Bridge days and errors of some pixels of a date; previous -1, following D where that side does not exist."""
    none_before, none_after = previous < 0, following >= len(days)
    left, right = np.where(none_before, following, previous), np.where(none_after, previous, following)
    before, after = np.abs(days[t] - days[left]), np.abs(days[right] - days[t])
    single = none_before | none_after
    weight = np.where(single, 0.0, before / np.maximum(before + after, 1)).astype(np.float32)[:, None]
    guess = (1 - weight) * values[left, pixel] + weight * values[right, pixel]
    bridge = np.where(single, before, before * after / np.maximum(before + after, 1))
    return bridge.astype(np.float32), np.abs(guess - values[t, pixel])
