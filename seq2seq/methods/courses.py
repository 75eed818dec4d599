"""Pixels as mixtures of a few courses of the scene: matrix completion by alternating ridge regressions.

x[t, c, n] = m[t, c] + sum_k v[t, c, k] u[k, n] + noise,  u ~ N(0, 1),  noise ~ N(0, s^2)

for date t, band c, pixel n: principal components with missing values (Tipping and Bishop, Probabilistic principal
component analysis, 1999, section 3), by the alternation of Hastie et al., Matrix completion and low-rank SVD via fast
alternating least squares, 2015, section 3. Columns are centred by m, which is estimated together with v, because the
pixels that a date shows are no fair sample. A date's m and v are drawn to those between its neighbours, as if a few
pixels said so; a date that shows nothing takes them from there.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2seq.interpolation import interpolate_from_others, linear_interpolation
from seq2seq.sequence import Bool, Float32

Float64 = NDArray[np.float64]

_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Courses:
    """mean: (T, C) reflectance. loadings: (T, C, R), of courses whose weights in a pixel have variance 1."""

    mean: Float64
    loadings: Float64

    def weights(self, values: Float32, observed: Bool, noise: float) -> Float64:
        """Returns (R, N) of pixels (T, C, N): (sum v v' + s^2)^-1 sum v (x - m), sums over what is observed (T, N)."""
        normal, right = self._equations(values, observed, noise)
        return _solved(normal, right).T

    def mixed(self, weights: Float64) -> Float64:
        """Mixes (T, C, N) of weights (R, N)."""
        dates, bands, rank = self.loadings.shape
        mixed = (self.loadings.reshape(-1, rank) @ weights).reshape(dates, bands, -1)
        return np.asarray(mixed + self.mean[:, :, None])

    def mixed_from_others(self, values: Float32, observed: Bool, noise: float) -> Float64:
        """Mixes (T, C, N) of pixels (T, C, N), observed (T, N); each date's by what the pixel shows on all others."""
        normal, right = self._equations(values, observed, noise)
        mixed = self.mixed(_solved(normal, right).T)
        for t, loadings in enumerate(self.loadings):
            shown = np.flatnonzero(observed[t])
            own = values[t][:, shown] - self.mean[t, :, None]  # (C, n)
            weights = _solved(normal[shown] - loadings.T @ loadings, right[shown] - own.T @ loadings)
            mixed[t][:, shown] = loadings @ weights.T + self.mean[t, :, None]
        return mixed

    def _equations(self, values: Float32, observed: Bool, noise: float) -> tuple[Float64, Float64]:
        """Normal equations of each pixel: (N, R, R) and (N, R)."""
        dates, bands, rank = self.loadings.shape
        products = np.einsum("tcr,tcs->trs", self.loadings, self.loadings).reshape(dates, -1)
        normal = (observed.T.astype(np.float64) @ products).reshape(-1, rank, rank) + noise**2 * np.eye(rank)
        centred = np.where(observed[:, None], values - self.mean[:, :, None], 0.0)
        right = self.loadings.reshape(dates * bands, rank).T @ centred.reshape(dates * bands, -1)
        return normal, right.T


def learn_courses(
    values: Float32,
    observed: Bool,
    days: NDArray[np.int64],
    *,
    rank: int,
    noise: float,
    date_pixels: float,
    iterations: int,
) -> Courses:
    """Learns the courses of pixels (T, C, N), 0 where not observed (T, N), each once at least.

    noise: s, reflectance. date_pixels: pixels' worth of belief that a date lies between its neighbours.
    """
    courses = first_courses(values, observed, days, rank)
    for _ in range(iterations):
        weights = courses.weights(values, observed, noise)
        weights /= np.maximum(np.sqrt((weights**2).mean(axis=1, keepdims=True)), _TINY)
        courses = _refit(values, observed, days, courses, weights, date_pixels)
    return courses


def first_courses(values: Float32, observed: Bool, days: NDArray[np.int64], rank: int) -> Courses:
    """Takes principal components of interpolation in time; at most as many as there are columns or pixels."""
    dates, bands, count = values.shape
    nowhere = np.zeros(bands, np.float32)  # each pixel is observed once at least
    line = linear_interpolation(values[:, :, None], observed[:, None], days, fallback=nowhere)
    flat = line.reshape(dates * bands, count).astype(np.float64)
    mean = flat.mean(axis=1)
    flat -= mean[:, None]
    variance, vectors = np.linalg.eigh(flat @ flat.T / count)
    loadings = (vectors * np.sqrt(np.maximum(variance, 0)))[:, ::-1][:, : min(rank, count)]
    return Courses(mean.reshape(dates, bands), loadings.reshape(dates, bands, -1))


def _solved(normal: Float64, right: Float64) -> Float64:
    """(N, R) of N systems."""
    return np.asarray(np.linalg.solve(normal, right[..., None])[..., 0], np.float64)


def _refit(
    values: Float32, observed: Bool, days: NDArray[np.int64], courses: Courses, weights: Float64, belief: float
) -> Courses:
    """Mean and loadings of each date by ridge regression on the weights (R, N) of the pixels that it shows.

    The ridge draws them to the line between those of the dates around that show more pixels than it is worth.
    """
    dates, _, rank = courses.loadings.shape
    inputs = np.concatenate([np.ones_like(weights[:1]), weights])  # (1 + R, N)
    present = np.concatenate([courses.mean[..., None], courses.loadings], axis=-1)  # (T, C, 1 + R)
    shown = observed.sum(axis=1) > min(belief, observed.sum(axis=1).max() - 1)
    expected = interpolate_from_others(
        present.reshape(dates, -1, 1, 1).astype(np.float32), shown[:, None, None], days
    ).reshape(present.shape)
    for t in range(dates):
        seen = inputs[:, observed[t]]
        normal = seen @ seen.T + belief * np.eye(1 + rank)
        right = seen @ values[t][:, observed[t]].T + belief * expected[t].T  # (1 + R, C)
        present[t] = np.linalg.solve(normal, right).T
    return Courses(present[..., 0], present[..., 1:])
