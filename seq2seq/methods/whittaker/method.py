"""Penalised least squares in time, all pixels of a block at once.

z minimises  sum_t w_t (y_t - z_t)^2 + lambda sum_j h_j (2 [z_(j-1), z_j, z_(j+1)])^2

with w = 1 on clear dates and 0 on others, [..] the divided difference of order 2 on the axis of days, and h_j half the
days from date j - 1 to j + 1: the penalty approximates lambda times the integral of the squared second derivative, so
that lambda (cubic days) means the same however irregular the dates are (Eilers 2003; of unequal intervals, the text on
divided differences). The system is pentadiagonal: L D L' along the dates, each step vectorised over pixels.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from seq2seq.methods.series import Fill, Float64, SeriesMethod, some_of
from seq2seq.methods.whittaker import WhittakerSettings
from seq2seq.sequence import Bool, Float32, ImageSequence
from seq2seq.validation.hiding import CloudShapes, hide

# From curves that follow features of two weeks to those that keep the year alone, at a clear date each 5 days: features
# shorter than 2 pi (5 lambda)^(1/4) days are smoothed away.
GRID = tuple(10.0**exponent for exponent in range(1, 8))
_DRAWS = 4  # masks that values are left out by
_CHOSEN_ON = 2**20  # values of each


class Whittaker(SeriesMethod):
    """One lambda per band for the scene; constant before the first and after the last clear date of a pixel.

    The curve itself would go on as a straight line there, and a line through noise soon leaves all bounds.
    """

    candidate = "whittaker"
    settings: WhittakerSettings

    def prepare(self, s2: ImageSequence, seed: int) -> Fill:
        """Chooses lambda."""
        penalty, given = Penalty.of(s2.days.astype(np.float64)), self.settings.smoothness
        if given is None:
            smoothness = choose_smoothness(s2, penalty, np.random.default_rng(seed))
        else:
            smoothness = np.full(len(s2.bands), given)
        return partial(smooth, penalty=penalty, smoothness=smoothness)


@dataclass(frozen=True, eq=False)
class Penalty:
    """The pentadiagonal matrix of the penalty for lambda 1: its diagonal (T,), and the two beside it (T,), 0 at ends"""

    main: Float64
    first: Float64
    second: Float64

    @classmethod
    def of(cls, days: Float64) -> "Penalty":
        """For dates on these days."""
        dates = len(days)
        main, first, second = (np.zeros(dates) for _ in range(3))
        gap = np.diff(days)
        for j in range(1, dates - 1):
            before, after = gap[j - 1], gap[j]
            span = before + after
            left, middle, right = 2 / (before * span), -2 / (before * after), 2 / (after * span)
            weight = span / 2
            main[j - 1 : j + 2] += weight * np.array([left**2, middle**2, right**2])
            first[j - 1 : j + 1] += weight * np.array([left * middle, middle * right])
            second[j - 1] += weight * left * right
        return cls(main, first, second)


@dataclass(frozen=True, eq=False)
class Factors:
    """L D L' of W + lambda P for N pixels: pivots D (T, N), and the diagonals of L below the first (T, N) each."""

    pivots: Float64
    below: Float64
    below2: Float64

    @classmethod
    def of(cls, weights: Bool, penalty: Penalty, smoothness: float) -> "Factors":
        """weights: (T, N), two True at least in each column of more than one."""
        pivots = weights + smoothness * penalty.main[:, None]
        below, below2 = np.zeros_like(pivots), np.zeros_like(pivots)
        for i in range(len(pivots)):
            side = np.full(pivots.shape[1], smoothness * penalty.first[i])
            if i > 0:
                pivots[i] -= below[i - 1] ** 2 * pivots[i - 1]
                side -= below2[i - 1] * below[i - 1] * pivots[i - 1]
            if i > 1:
                pivots[i] -= below2[i - 2] ** 2 * pivots[i - 2]
            below[i] = side / pivots[i]
            below2[i] = smoothness * penalty.second[i] / pivots[i]
        return cls(pivots, below, below2)

    def solve(self, values: Float64) -> Float64:
        """(T, C, N) solutions for right-hand sides (T, C, N)."""
        solved = values.copy()
        dates = len(solved)
        for i in range(1, dates):
            solved[i] -= self.below[i - 1] * solved[i - 1]
            if i > 1:
                solved[i] -= self.below2[i - 2] * solved[i - 2]
        solved /= self.pivots[:, None]
        for i in reversed(range(dates - 1)):
            solved[i] -= self.below[i] * solved[i + 1]
            if i + 2 < dates:
                solved[i] -= self.below2[i] * solved[i + 2]
        return solved


def choose_smoothness(s2: ImageSequence, penalty: Penalty, rng: np.random.Generator) -> Float64:
    """(C,) of `GRID`, the lambda with the least squared error of clear values that are left out in cloud shapes.

    Shapes and whole dates, and not values one by one, because clouds come so: they leave longer gaps. The middle of the
    grid where nothing can be left out.
    """
    shapes = CloudShapes.of(s2.observed)
    errors = np.zeros((len(GRID), len(s2.bands)))
    for _ in range(_DRAWS):
        hidden = hide(s2.observed, shapes, rng)
        values, left_out, observed = _to_choose_on(s2, hidden)
        for row, smoothness in enumerate(GRID):
            given = np.where(observed[:, None], values, np.float32(0))
            curves = smooth(given, observed, penalty=penalty, smoothness=np.full(len(s2.bands), smoothness))
            errors[row] += np.sum((curves - values) ** 2, axis=(0, 2), where=left_out[:, None])
    if not errors.any():
        return np.full(len(s2.bands), GRID[len(GRID) // 2])
    chosen: Float64 = np.asarray(GRID)[np.argmin(errors, axis=0)]
    return chosen


def _to_choose_on(s2: ImageSequence, hidden: Bool) -> tuple[Float32, Bool, Bool]:
    """Some of the pixels with both: values (T, C, n), what is left out of them (T, n), and what stays (T, n)."""
    kept = s2.observed & ~hidden
    rows, columns = some_of(np.asarray(hidden.any(axis=0) & kept.any(axis=0)), s2, _CHOSEN_ON)
    return s2.pixels[:, :, rows, columns], hidden[:, rows, columns], kept[:, rows, columns]


def smooth(values: Float32, observed: Bool, *, penalty: Penalty, smoothness: Float64) -> Float64:
    """(T, C, N) curves through values (T, C, N), 0 where not observed (T, N); smoothness: (C,) lambda of each band."""
    once = observed.sum(axis=0) == 1  # no line goes through one point: constant
    clear = values.astype(np.float64)
    clear[:, :, once] = values[:, :, once].sum(axis=0)
    weights = observed | once
    smoothed = np.empty_like(clear)
    for each in np.unique(smoothness):
        bands = smoothness == each
        smoothed[:, bands] = Factors.of(weights, penalty, each).solve(clear[:, bands])
    return _constant_at_ends(smoothed, observed)


def _constant_at_ends(curves: Float64, observed: Bool) -> Float64:
    """`curves` (T, C, N) as on the first clear date before it, as on the last one after it."""
    first = observed.argmax(axis=0)
    last = len(observed) - 1 - observed[::-1].argmax(axis=0)
    nearest = np.clip(np.arange(len(observed))[:, None], first, last)  # (T, N)
    ends: Float64 = np.take_along_axis(curves, nearest[:, None], axis=0)
    return ends
