"""Radar over time: speckle averaged over the dates of an orbit, and the series brought to any day.

Everything is done for each orbit by itself, or with the orbits' levels told apart: under another angle the same field
has another backscatter. Pure functions of arrays: (N, C, H, W) acquisitions, (N,) days since any origin, (N,) classes
of orbits (`seq2seq.orbits`), (N, H, W) observed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from scipy.optimize import nnls

from seq2seq.sequence import Bool, Float32

Float64 = NDArray[np.float64]
Days = NDArray[np.int64]
Classes = NDArray[np.intp]

# Days over which a series may forget: candidates, from one revisit to a season.
LENGTHS_DAYS = (3.0, 6.0, 12.0, 24.0, 48.0, 96.0)
# Pairs of acquisitions further apart say nothing of the days between two of them.
_FARTHEST_PAIR_DAYS = 60
# Without enough pairs to tell: as much noise as change, forgotten over a month.
_SMALLEST = 1e-6
_FEWEST_PAIRS = 4


def filter_speckle(power: Float32, observed: Bool, classes: Classes, *, box_px: int = 5) -> Float32:
    """Averages the speckle of linear `power` (N, C, H, W) over the acquisitions of each orbit, and keeps edges.

    J_k = m_k mean_i(I_i / m_i), m the mean over box_px x box_px observed pixels, i the acquisitions of k's orbit. What
    a place is beside its surroundings is taken from all dates, how bright the surroundings are from the date. A single
    acquisition comes back as it is. 0 where not observed.

    Source: Quegan and Yu (2001), Filtering of multichannel SAR images, IEEE TGRS 39(11), 2373-2379, for channels that
    are independent.
    """
    seen = observed[:, None].astype(np.float32)
    box = (0, 0, box_px, box_px)
    near = np.maximum(uniform_filter(seen, box, mode="reflect"), 1e-6)
    mean = np.maximum(uniform_filter(power * seen, box, mode="reflect") / near, np.float32(1e-12))
    ratio = power / mean * seen
    filtered = np.zeros_like(power)
    for k in np.unique(classes):
        own = classes == k
        texture = ratio[own].sum(axis=0) / np.maximum(seen[own].sum(axis=0), 1)
        filtered[own] = mean[own] * texture * seen[own]
    return filtered


@dataclass(frozen=True)
class TimeModel:
    """How one channel changes: covariance of two days = sill exp(-days / length_days), and `noise` of each date more.

    sill, noise: variances, dB^2. noise holds the speckle that is left, and what passes within days (rain on leaves).
    """

    noise: float
    sill: float
    length_days: float

    def covariance(self, left: Days, right: Days) -> Float64:
        """Computes (n, m) without the noise."""
        apart = np.abs(left[:, None] - right[None]).astype(np.float64)
        values: Float64 = self.sill * np.exp(-apart / self.length_days)
        return values


def fit_time_models(db: Float32, observed: Bool, days: Days, classes: Classes) -> tuple[TimeModel, ...]:
    """Fits a model to each channel of `db` (N, C, H, W), by the differences of two acquisitions of one orbit.

    Half the mean squared difference of two dates (the variogram) is noise + sill (1 - exp(-days / length)); least
    squares over all pairs and pixels, neither negative. Levels of orbits and pixels cancel.
    """
    first, second = np.triu_indices(len(days), 1)
    apart = np.abs(days[first] - days[second])
    kept = (classes[first] == classes[second]) & (apart <= _FARTHEST_PAIR_DAYS)
    pairs = [(i, j) for i, j in zip(first[kept], second[kept], strict=True) if (observed[i] & observed[j]).any()]
    lags = np.array([abs(days[i] - days[j]) for i, j in pairs], dtype=np.float64)
    models = []
    for channel in range(db.shape[1]):
        halves = [_half_square(db[i, channel], db[j, channel], observed[i] & observed[j]) for i, j in pairs]
        models.append(_fitted(lags, np.array(halves)))
    return tuple(models)


def bring_to_days(
    db: Float32, observed: Bool, days: Days, classes: Classes, at: Days, models: tuple[TimeModel, ...]
) -> tuple[Float32, Float32]:
    """Estimates (T, C, H, W) dB on the days `at`, (T,), and the variance of each estimate, dB^2.

    The best linear unbiased estimate (universal kriging): db = f(day) + level of its orbit + noise, f as the channel's
    model says, levels free. So an acquisition of the day itself counts as far as it is not noise, those of the days
    around for the rest, and all orbits are brought to the mean of their levels. Pixels that no acquisition shows are
    0, with a variance of infinity.

    Source: Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, section 2.7.
    """
    n, channels = db.shape[:2]
    values, variance = np.zeros((2, len(at), channels, observed[0].size), dtype=np.float32)
    variance += np.inf
    flat = db.reshape(n, channels, -1)
    for seen, pixels in _patterns(observed.reshape(n, -1)):
        for channel, model in enumerate(models):
            weights, spread = _weights(days[seen], classes[seen], at, model)
            values[:, channel, pixels] = weights.astype(np.float32) @ flat[seen, channel][:, pixels]
            variance[:, channel, pixels] = spread[:, None]
    shape = (len(at), channels, *db.shape[2:])
    return values.reshape(shape), variance.reshape(shape)


def slope_db(
    db: Float32,
    observed: Bool,
    days: Days,
    classes: Classes,
    at: Days,
    models: tuple[TimeModel, ...],
    *,
    reach: int = 12,
) -> Float32:
    """Estimates (T, C, H, W) dB by which the series rises from `reach` days before to `reach` after each day `at`."""
    after, _ = bring_to_days(db, observed, days, classes, at + reach, models)
    before, _ = bring_to_days(db, observed, days, classes, at - reach, models)
    rise: Float32 = after - before
    return rise


def _half_square(left: Float32, right: Float32, both: Bool) -> float:
    return 0.5 * float(np.square(left - right).mean(where=both, dtype=np.float64))


def _fitted(lags: Float64, halves: Float64) -> TimeModel:
    """The length whose best noise and sill leave least."""
    if len(lags) < _FEWEST_PAIRS:
        spread = float(halves.mean()) if len(halves) else 1.0
        return TimeModel(noise=max(spread / 2, _SMALLEST), sill=max(spread / 2, _SMALLEST), length_days=30.0)
    found = []
    for length in LENGTHS_DAYS:
        (noise, sill), left = nnls(np.stack([np.ones_like(lags), 1 - np.exp(-lags / length)], axis=1), halves)
        found.append((left, TimeModel(max(float(noise), _SMALLEST), max(float(sill), _SMALLEST), length)))
    return min(found, key=lambda each: each[0])[1]


def _patterns(observed: Bool) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Pixels (of (N, P)) with the same acquisitions together: these, and the pixels; not those without any."""
    packed = np.packbits(observed, axis=0)
    patterns, of_pixel = np.unique(packed, axis=1, return_inverse=True)
    found = []
    for k in range(patterns.shape[1]):
        pixels = np.flatnonzero(of_pixel.ravel() == k)
        seen = np.flatnonzero(observed[:, pixels[0]])
        if len(seen):
            found.append((seen, pixels))
    return found


def _weights(days: Days, classes: Classes, at: Days, model: TimeModel) -> tuple[Float64, Float64]:
    """(T, n) weights of the acquisitions, and (T,) variances."""
    _, classes = np.unique(classes, return_inverse=True)
    levels = np.eye(int(classes.max()) + 1)[classes]  # (n, K)
    wanted = np.full(levels.shape[1], 1 / levels.shape[1])
    known = model.covariance(days, days) + model.noise * np.eye(len(days))
    asked = model.covariance(at, days)  # (T, n)
    inverse_levels = np.linalg.solve(known, levels)  # (n, K)
    normal = levels.T @ inverse_levels
    plain = np.linalg.solve(known, asked.T).T
    rest = wanted - asked @ inverse_levels  # (T, K): what the levels have to give, so that weights of orbits add up
    weights = plain + np.linalg.solve(normal, rest.T).T @ inverse_levels.T
    variance = model.sill - (plain * asked).sum(axis=1) + (np.linalg.solve(normal, rest.T).T * rest).sum(axis=1)
    return weights, np.maximum(variance, 0)
