"""Interpolation in time, pixel by pixel: the floor that every reconstruction must beat, and the inputs it starts from.

Pixels are (T, C, H, W) float32 reflectance, `observed` (T, H, W) bool, `days` (T,) increasing days since any origin.
Values where `observed` is False are never read. Loops run over dates only, so memory is a small multiple of the input.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2seq.errors import MissingDataError
from seq2seq.sequence import Bool, Float32

Days = NDArray[np.int64] | NDArray[np.float32]

# Days to a neighbour that does not exist. Larger than any series (27 years), finite so that arithmetic stays finite.
NO_NEIGHBOUR_DAYS = 9999.0


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest observed values before and after, for each date and pixel.

    previous, next: (T, C, H, W) float32 reflectance. A side that does not exist holds the other side's value; where
    neither exists both hold the fallback spectrum: the values are always usable. days_to_previous, days_to_next:
    (T, H, W) float32, at least 0, `NO_NEIGHBOUR_DAYS` where the side does not exist. has_previous, has_next: (T, H, W).
    """

    previous: Float32
    next: Float32
    days_to_previous: Float32
    days_to_next: Float32
    has_previous: Bool
    has_next: Bool

    def linear(self, *, out: Float32 | None = None) -> Float32:
        """Interpolates (T, C, H, W): previous + (next - previous) days_to_previous / (days_to_previous + days_to_next).

        Constant where one side is missing. `out` may be `next`.
        """
        span = self.days_to_previous + self.days_to_next
        weight = self.days_to_previous / np.maximum(span, np.float32(1e-6))
        slope = np.subtract(self.next, self.previous, out=out)
        slope *= weight[:, None]
        slope += self.previous
        return slope

    def nearest(self, *, out: Float32 | None = None) -> Float32:
        """Picks (T, C, H, W) the side nearer in time, the earlier of two equally near. `out` may be `next`."""
        values = np.empty_like(self.next) if out is None else out
        np.copyto(values, self.next)
        np.copyto(values, self.previous, where=(self.days_to_previous <= self.days_to_next)[:, None])
        return values


def mean_spectrum(pixels: Float32, observed: Bool) -> Float32:
    """Averages the reflectance of all observed pixels, (C,). Raises MissingDataError where there are none."""
    count = int(np.count_nonzero(observed))
    if count == 0:
        raise MissingDataError(f"none of the {observed.size} pixels on {len(observed)} dates is observed")
    total = sum(pixels[t].sum((1, 2), dtype=np.float64, where=observed[t][None]) for t in range(len(pixels)))
    return np.asarray(total / count, dtype=np.float32)


def temporal_neighbours(
    pixels: Float32, observed: Bool, days: Days, *, exclude_self: bool, fallback: Float32 | None = None
) -> Neighbours:
    """Finds the observed values before and after each date.

    exclude_self: a date's own value is never its own neighbour (to predict it from the others); otherwise an observed
    pixel is its own neighbour on both sides, 0 days away. fallback: (C,) spectrum of pixels without any neighbour, the
    mean of all observed pixels where None. Raises MissingDataError where nothing is observed and no fallback is given.
    """
    if fallback is None:
        fallback = mean_spectrum(pixels, observed)
    dates = range(len(days))
    previous, days_to_previous = _carry(pixels, observed, days, dates, exclude_self)
    following, days_to_next = _carry(pixels, observed, days, reversed(dates), exclude_self)
    has_previous, has_next = days_to_previous < NO_NEIGHBOUR_DAYS, days_to_next < NO_NEIGHBOUR_DAYS
    np.copyto(previous, following, where=(has_next & ~has_previous)[:, None])
    np.copyto(following, previous, where=(has_previous & ~has_next)[:, None])
    for side in (previous, following):
        np.copyto(side, fallback[:, None, None], where=~(has_previous | has_next)[:, None])
    return Neighbours(previous, following, days_to_previous, days_to_next, has_previous, has_next)


def linear_interpolation(pixels: Float32, observed: Bool, days: Days, *, fallback: Float32 | None = None) -> Float32:
    """Interpolates (T, C, H, W) linearly in time between observed dates, constant before the first and after the last.

    Observed pixels come back as they are. Pixels never observed get `fallback` (see `temporal_neighbours`).
    """
    neighbours = temporal_neighbours(pixels, observed, days, exclude_self=False, fallback=fallback)
    return neighbours.linear(out=neighbours.next)


def interpolate_from_others(pixels: Float32, observed: Bool, days: Days) -> Float32:
    """Interpolates (T, C, H, W) between the other observed dates, a date's own pixels never used.

    It is the floor of a result, for observed pixels too. Raises MissingDataError where nothing is observed.
    """
    fallback = mean_spectrum(pixels, observed)
    return temporal_neighbours(pixels, observed, days, exclude_self=True, fallback=fallback).linear()


def nearest_date(pixels: Float32, observed: Bool, days: Days, *, fallback: Float32 | None = None) -> Float32:
    """Takes (T, C, H, W) the value of the nearest observed date, the earlier of two; otherwise as above."""
    neighbours = temporal_neighbours(pixels, observed, days, exclude_self=False, fallback=fallback)
    return neighbours.nearest(out=neighbours.next)


def gap_length(observed: Bool, days: Days) -> Float32:
    """Measures (T, H, W) the days between the observed dates before and after each date, the date itself not counted.

    Before the first and after the last observed date: twice the distance to the only side. Pixels observed on no other
    date: twice the length of the sequence, which no other gap exceeds.
    """
    before, after = days_to_others(observed, days)
    gap = before + after
    np.copyto(gap, 2 * before, where=after >= NO_NEIGHBOUR_DAYS)
    np.copyto(gap, 2 * after, where=before >= NO_NEIGHBOUR_DAYS)
    longest = np.float32(2 * (days[-1] - days[0]))
    np.minimum(gap, longest, out=gap)
    return gap


def days_to_others(observed: Bool, days: Days) -> tuple[Float32, Float32]:
    """Measures (T, H, W) days to the observed date before and after, the date itself not counted; `NO_NEIGHBOUR_DAYS`
    where there is none."""
    dates = range(len(days))
    return _carry_days(observed, days, dates), _carry_days(observed, days, reversed(dates))


def _carry(
    pixels: Float32, observed: Bool, days: Days, dates: Iterable[int], exclude_self: bool
) -> tuple[Float32, Float32]:
    """Carries the last observed value along `dates`: values (T, C, H, W), 0 before the first, and days to them."""
    values = np.empty_like(pixels)
    distance = np.empty(observed.shape, dtype=np.float32)
    last = np.zeros(pixels.shape[1:], dtype=np.float32)
    last_day = np.full(observed.shape[1:], np.nan, dtype=np.float32)
    for t in dates:
        if exclude_self:
            values[t], distance[t] = last, _days_from(last_day, days[t])
        np.copyto(last, pixels[t], where=observed[t][None])
        last_day[observed[t]] = days[t]
        if not exclude_self:
            values[t], distance[t] = last, _days_from(last_day, days[t])
    return values, distance


def _carry_days(observed: Bool, days: Days, dates: Iterable[int]) -> Float32:
    """(T, H, W) days to the last observed date along `dates`, the date itself excluded."""
    no_bands = np.empty((len(observed), 0, *observed.shape[1:]), dtype=np.float32)
    return _carry(no_bands, observed, days, dates, exclude_self=True)[1]


def _days_from(last_day: Float32, day: np.int64 | np.float32) -> Float32:
    distance: Float32 = np.nan_to_num(np.abs(np.float32(day) - last_day), nan=NO_NEIGHBOUR_DAYS)
    return distance
