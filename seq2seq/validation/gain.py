"""How sure a gain over another method is that was measured on a few dates: a bootstrap over them.

Thousands of pixels lie on a handful of dates, each of which errs in its own way. So dates are drawn again, not pixels.
What a run claims at the pixels that it filled is another question: `seq2seq.validation.claim`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

# With fewer dates there is no std to estimate.
MIN_DATES = 3
DRAWS = 1000
TAILS = (0.05, 0.95)
_FLOOR = 1e-12  # squared reflectance: keeps an exact result finite


@dataclass(frozen=True)
class DateErrors:
    """Held-out pixels of one date, in one kind of date and gap class. date: its index. kind, gap: indices in
    `DATE_KINDS` and of the class in `GAP_EDGES`. result, linear: mean squared error, reflectance squared."""

    date: int
    kind: int
    gap: int
    pixels: int
    result: float
    linear: float


def bootstrap_db(evidence: Sequence[DateErrors]) -> tuple[float, float, float]:
    """Computes the gain 10 log10(squared error of linear / of result), dB, and 5 % and 95 % of what dates give that are
    drawn again with replacement (a cluster bootstrap)."""
    dates = sorted({part.date for part in evidence})
    table = np.zeros((2, len(dates)))  # squared errors of result and of interpolation, of all pixels together
    for part in evidence:
        table[:, dates.index(part.date)] += part.pixels * np.array([part.result, part.linear])
    drawn = np.random.default_rng(0).multinomial(len(dates), np.full(len(dates), 1 / len(dates)), size=DRAWS)
    counts = np.vstack([np.ones(len(dates)), drawn])
    result, linear = np.maximum(table @ counts.T, _FLOOR)
    gains: Float64 = 10 * np.log10(linear / result)
    low, high = np.quantile(gains[1:], TAILS)
    return float(gains[0]), float(low), float(high)
