"""Matrix completion by alternating ridge regressions.

x[t, c, n] = m[t, c] + sum_k v[t, c, k] u[k, n] + noise,  u ~ N(0, 1),  noise ~ N(0, s^2)

for date t, band c, pixel n: principal components with missing values (Tipping and Bishop 1999, section 3), by the
alternation of Hastie et al. 2015 (section 3). Columns are centred by m, which is estimated together with v, because the
pixels that a date shows are no fair sample. A date's m and v are drawn to those between its neighbours, as if a few
pixels said so; a date that shows nothing takes them from there.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from seq2seq.interpolation import interpolate_from_others, linear_interpolation
from seq2seq.methods.low_rank import LowRankSettings
from seq2seq.methods.series import Fill, Float64, SeriesMethod, flattened, some_of
from seq2seq.sequence import Bool, Float32, ImageSequence

_LEARNT_FROM = 2**22  # values, 20 000 pixels of 20 dates and 10 bands
_TINY = 1e-12


class LowRank(SeriesMethod):
    """Courses of the scene, then each pixel's mixture of them; one that is never clear is the mean on each date."""

    candidate = "low-rank"
    needs_a_clear_date = False
    settings: LowRankSettings

    def prepare(self, s2: ImageSequence, seed: int) -> Fill:
        """Learns the courses."""
        rows, columns = some_of(np.asarray(s2.observed.any(axis=0)), s2, _LEARNT_FROM)
        values, observed = flattened(s2.pixels[:, :, rows, columns], s2.observed[:, rows, columns])
        courses = learn_courses(values, observed, s2.days, self.settings)
        return partial(mixtures, courses=courses, noise=self.settings.noise)


@dataclass(frozen=True, eq=False)
class Courses:
    """mean: (T, C) reflectance. loadings: (T, C, R), of courses whose weights in a pixel have variance 1."""

    mean: Float64
    loadings: Float64

    def weights(self, values: Float32, observed: Bool, noise: float) -> Float64:
        """(R, N) of pixels (T, C, N): (sum v v' + s^2)^-1 sum v (x - m), sums over what is observed (T, N)."""
        dates, bands, rank = self.loadings.shape
        products = np.einsum("tcr,tcs->trs", self.loadings, self.loadings).reshape(dates, -1)
        normal = (observed.T.astype(np.float64) @ products).reshape(-1, rank, rank) + noise**2 * np.eye(rank)
        centred = np.where(observed[:, None], values - self.mean[:, :, None], 0.0)
        right = self.loadings.reshape(dates * bands, rank).T @ centred.reshape(dates * bands, -1)
        weights: Float64 = np.linalg.solve(normal, right.T[..., None])[..., 0].T
        return weights

    def mixed(self, weights: Float64) -> Float64:
        """(T, C, N) of weights (R, N)."""
        dates, bands, rank = self.loadings.shape
        mixed = (self.loadings.reshape(-1, rank) @ weights).reshape(dates, bands, -1)
        return np.asarray(mixed + self.mean[:, :, None])


def mixtures(values: Float32, observed: Bool, *, courses: Courses, noise: float) -> Float64:
    """(T, C, N) the mixture that each pixel of (T, C, N) is, from where it is observed (T, N)."""
    return courses.mixed(courses.weights(values, observed, noise))


def learn_courses(values: Float32, observed: Bool, days: NDArray[np.int64], settings: LowRankSettings) -> Courses:
    """The courses of pixels (T, C, N), 0 where not observed (T, N), each once at least."""
    courses = first_courses(values, observed, days, settings.rank)
    for _ in range(settings.iterations):
        weights = courses.weights(values, observed, settings.noise)
        weights /= np.maximum(np.sqrt((weights**2).mean(axis=1, keepdims=True)), _TINY)
        courses = _refit(values, observed, days, courses, weights, settings.date_pixels)
    return courses


def first_courses(values: Float32, observed: Bool, days: NDArray[np.int64], rank: int) -> Courses:
    """Principal components of the linear interpolation in time; at most as many as there are columns or pixels."""
    dates, bands, count = values.shape
    nowhere = np.zeros(bands, np.float32)  # each pixel is observed once at least
    line = linear_interpolation(values[:, :, None], observed[:, None], days, fallback=nowhere)
    flat = line.reshape(dates * bands, count).astype(np.float64)
    mean = flat.mean(axis=1)
    flat -= mean[:, None]
    variance, vectors = np.linalg.eigh(flat @ flat.T / count)
    loadings = (vectors * np.sqrt(np.maximum(variance, 0)))[:, ::-1][:, : min(rank, count)]
    return Courses(mean.reshape(dates, bands), loadings.reshape(dates, bands, -1))


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
