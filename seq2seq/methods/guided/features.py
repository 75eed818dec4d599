"""Features of a pixel on a date that do not look at it: the inputs of the pixel-wise regressors.

A pixel's own value on the date is never among its features: they come from other dates of the pixel (clear values
before and after, and how long ago), from the radar on the date and on those clear dates, from the season, and from
what other pixels like it show on the date. So the same functions describe a pixel that was hidden to train on and one
that a cloud hides.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.interpolation import linear_interpolation, temporal_neighbours
from seq2seq.methods.guided.mixtures import mixtures
from seq2seq.methods.guided.settings import FeatureSettings, SpeckleSettings
from seq2seq.radar_filters import bring_to_days, fit_time_models
from seq2seq.radar_series import RadarSeries
from seq2seq.sequence import Bool, Dates, Float32, Observations

CheckStop = Callable[[], None]  # called between two steps of work; may raise to stop

MONTH_DAYS = 30.0  # gaps are logarithmic, in months, so that a week matters more after a week
YEAR_DAYS = 365.25
LEAST_SHOWN = 1e-3  # a date today counts as 1, one of seven months ago as this


@dataclass(frozen=True, eq=False)
class Radar:
    """S1 without gaps on the dates of S2. raw, smooth: (T, C1, H, W) dB; smooth is speckle-filtered, not across edges.

    of_date: (T, C1, 1, 1) dB, how the nearest acquisition as a whole differs from the others (wet soil, frost). Never
    of what is smooth in time: that would tell regressors the day, and they know nothing of the days that are hidden.
    """

    raw: Float32
    smooth: Float32
    of_date: Float32

    @classmethod
    def of(cls, raw: Float32, smooth: Float32, nearest: Float32 | None = None) -> "Radar":
        """Takes a whole scene. nearest: speckle-filtered, of the nearest acquisitions, where `smooth` is of others."""
        level = smooth if nearest is None else nearest
        return cls(raw, smooth, (level - level.mean(axis=0)).mean(axis=(2, 3), keepdims=True))

    def taken(self, take: Callable[[Float32], Float32]) -> "Radar":
        """Returns the same of some pixels, which `take` takes of (T, C1, H, W) images; dates keep their level."""
        return Radar(take(self.raw), take(self.smooth), self.of_date)

    def change(self, observed: Bool) -> list[Float32]:
        """Returns five parts, each (T, C1, H, W) dB; observed: (T, H, W) clear in S2.

        Backscatter on the date, its change since the clear date before and until the one after, the pixel's mean, and
        the date's own level.
        """
        mean = self.smooth.mean(axis=0)
        since, until = (self.smooth - _carried(self.smooth, observed, mean, step) for step in (1, -1))
        shape = self.smooth.shape
        return [self.smooth, since, until, *(np.broadcast_to(a, shape) for a in (mean, self.of_date))]


@dataclass(frozen=True, eq=False)
class Described:
    """Features (T, F, H, W) float32, and the interpolation `linear` (T, C, H, W) that they start from."""

    features: Float32
    linear: Float32


def describe(
    pixels: Float32,
    observed: Bool,
    days: NDArray[np.int64],
    radar: Radar | None,
    fallback: Float32,
    settings: FeatureSettings,
    *,
    season_days: NDArray[Any] | None = None,
    of_visible: bool = True,
    check_stop: CheckStop = lambda: None,
) -> Described:
    """Computes features of every pixel and date, given what is `observed` (T, H, W); nothing hidden is read.

    pixels: (T, C, H, W) reflectance. fallback: (C,) spectrum of pixels that no other date shows. season_days: (T,),
    where in the year dates are told to be, if not where `days` says. of_visible: False where nobody asks for what is
    observed, see `mixtures`.
    """
    around = temporal_neighbours(pixels, observed, days, exclude_self=True, fallback=fallback)
    linear = around.linear()
    gaps = (_log_gap(gap, settings.longest_gap_days) for gap in (around.days_to_previous, around.days_to_next))
    kept = [around.previous, around.next, linear, *gaps]
    kept += [
        *_season(days if season_days is None else season_days, observed.shape),
        *_history(pixels, observed, linear),
        *_around(pixels, observed, days, linear),
    ]
    kept.append(mixtures(pixels, observed, days, linear, settings, of_visible=of_visible, check_stop=check_stop))
    if radar is not None:
        kept += radar.change(observed)
    return Described(np.concatenate(kept, axis=1), linear)


def speckle_filtered(
    observations: Observations, observed: Bool, check_stop: CheckStop, settings: SpeckleSettings
) -> Radar | None:
    """Fills the gaps of S1 in time and averages its speckle over pixels that look alike in the optical series.

    A joint bilateral filter (Petschnigg et al. 2004): the guide is the principal components of the interpolated S2
    series, so radar is averaged within a field and not across its edge. `observed`: the pixels of S2 that may be looked
    at. Where there is a whole series of S1 and `settings.radar_dates` says so, `smooth` is the filtered series brought
    to the dates of S2; `raw` is the nearest acquisition in any case.
    """
    s1, s2 = observations.s1, observations.s2
    if s1 is None or not s1.observed.any():
        return None
    raw = linear_interpolation(s1.pixels, s1.observed, s1.days)
    guide = principal_components(linear_interpolation(s2.pixels, observed, s2.days), settings.guide_components)

    def smoothed(images: Float32) -> Float32:
        return joint_bilateral_filter(images.reshape(-1, *guide.shape[1:]), guide, check_stop, settings)

    nearest = smoothed(raw).reshape(raw.shape)
    if observations.s1_series is None or settings.radar_dates == "nearest":
        return Radar.of(raw, nearest)
    return Radar.of(raw, _from_all(observations.s1_series, s2.dates, smoothed), nearest)


def principal_components(pixels: Float32, count: int) -> Float32:
    """Computes (K, H, W) the first components of the pixels' series (T, C, H, W), the largest of variance 1."""
    t, c, h, w = pixels.shape
    flat = pixels.reshape(t * c, h * w)
    centred = flat - flat.mean(axis=1, keepdims=True)
    variance, vectors = np.linalg.eigh(centred @ centred.T / (h * w))
    components = vectors[:, ::-1][:, :count].T @ centred / np.sqrt(max(float(variance[-1]), 1e-12))
    images: Float32 = components.reshape(-1, h, w).astype(np.float32)
    return images


def joint_bilateral_filter(
    images: Float32, guide: Float32, check_stop: CheckStop, settings: SpeckleSettings
) -> Float32:
    """Averages images (N, H, W) over neighbours by nearness in space and in the guide (K, H, W).

    weight = exp(-|guide difference|^2 / tolerance - distance^2 / (2 guide_sigma_px^2)).
    """
    radius = settings.guide_radius_px
    height, width = guide.shape[1:]
    tolerance = settings.guide_tolerance * _typical_difference(guide)
    margin = ((0, 0), (radius, radius), (radius, radius))
    wide_guide, wide_images = np.pad(guide, margin, mode="symmetric"), np.pad(images, margin, mode="symmetric")
    total, weight_sum = np.zeros_like(images), np.zeros((height, width), np.float32)
    for i in range(2 * radius + 1):
        check_stop()
        for j in range(2 * radius + 1):
            window = np.s_[:, i : i + height, j : j + width]
            difference = ((wide_guide[window] - guide) ** 2).sum(axis=0)
            apart = ((i - radius) ** 2 + (j - radius) ** 2) / (2 * settings.guide_sigma_px**2)
            weight = np.exp(-difference / tolerance - np.float32(apart))
            total += wide_images[window] * weight
            weight_sum += weight
    return total / weight_sum


def _from_all(series: RadarSeries, dates: Dates, smoothed: Callable[[Float32], Float32]) -> Float32:
    """(T, C1, H, W) dB on the dates of S2, of all acquisitions; levels of orbits told apart."""
    acquired, classes = series.read(), series.classes
    filled = linear_interpolation(acquired.pixels, acquired.observed, acquired.days)
    smooth = smoothed(filled).reshape(filled.shape)
    at = (dates - acquired.dates[0]).astype(np.int64)
    models = fit_time_models(smooth, acquired.observed, acquired.days, classes)
    values, variance = bring_to_days(smooth, acquired.observed, acquired.days, classes, at, models)
    unseen = np.isinf(variance)  # by every acquisition: as the scene is on average
    return np.where(unseen, values.mean(axis=(0, 2, 3), keepdims=True, where=~unseen), values)


def _typical_difference(guide: Float32) -> np.float32:
    """Median squared difference of pixels side by side."""
    steps = [((np.diff(guide, axis=axis)) ** 2).sum(axis=0).ravel() for axis in (1, 2)]
    return np.float32(max(float(np.median(np.concatenate(steps))), 1e-9))


def _log_gap(gap_days: Float32, longest_days: float) -> Float32:
    """(T, H, W) days -> (T, 1, H, W)."""
    return np.log1p(np.minimum(gap_days, longest_days) / MONTH_DAYS)[:, None]


def _season(days: NDArray[Any], shape: tuple[int, ...]) -> list[Float32]:
    """Position in the year as a point on the circle; a date's neighbours in other years are near it."""
    t, h, w = shape
    angle = 2 * np.pi * (days % YEAR_DAYS) / YEAR_DAYS
    return [np.broadcast_to(f(angle).astype(np.float32)[:, None, None, None], (t, 1, h, w)) for f in (np.sin, np.cos)]


def _history(pixels: Float32, observed: Bool, linear: Float32) -> list[Float32]:
    """The kind of pixel: mean spectrum of its other observed dates, and how much they differ.

    Neither the date's own value nor an interpolation, which could hold it, takes part: the features never contain what
    they are to predict.
    """
    visible = np.where(observed[:, None], pixels, np.float32(0))
    others = (observed.sum(axis=0, dtype=np.float32) - observed)[:, None]
    count = np.maximum(others, 1)
    mean = (visible.sum(axis=0) - visible) / count
    square = ((visible**2).sum(axis=0) - visible**2) / count
    std = np.sqrt(np.maximum(square - mean**2, 0)).mean(axis=1, keepdims=True)
    return [np.where(others > 0, mean, linear), std.astype(np.float32)]


def _around(pixels: Float32, observed: Bool, days: NDArray[np.int64], linear: Float32) -> list[Float32]:
    """What the pixel's other dates show around this one: (T, C, H, W) above interpolation, and how much that is.

    Their mean with weights w = exp(-|days| / 30) (the kernel regression of Nadaraya and Watson, 1964), and log of the
    sum of w, (T, 1, H, W). Interpolation has the noise and the haze of two dates, this that of all.
    """
    weights = np.exp(-np.abs(days[:, None] - days[None]) / MONTH_DAYS).astype(np.float32)
    np.fill_diagonal(weights, 0)
    shown = np.tensordot(weights, observed.astype(np.float32), axes=1)[:, None]
    total = np.tensordot(weights, np.where(observed[:, None], pixels, np.float32(0)), axes=1)
    known = np.maximum(shown, LEAST_SHOWN)
    return [np.where(shown > LEAST_SHOWN, total / known - linear, np.float32(0)), np.log(known)]


def _carried(values: Float32, observed: Bool, start: Float32, step: int) -> Float32:
    """(T, C1, H, W) radar on the last date before (step 1) or first after (-1) on which the pixel was observed."""
    carried = np.empty_like(values)
    current = start.copy()
    for t in range(len(values))[::step]:
        carried[t] = current
        np.copyto(current, values[t], where=observed[t][None])
    return carried
