"""The gain over linear interpolation that a run may claim: a range for the pixels it filled, from those it hid.

Hidden pixels are of dates that had been clear, and clear dates are not like cloudy ones; thousands of pixels lie on a
handful of dates, each of which errs in its own way. So one figure claims too much. The rule:

1. Squared errors of result and interpolation are averaged by kind of date and gap class, and the classes are weighted
   as the pixels that were really filled lie in them. Their ratio is `measured_db`.
2. Dates are drawn again with replacement, within their kind (a cluster bootstrap): 5 % and 95 % of what that gives.
3. Each end is moved outwards by what it missed by at most on runs whose truth was known: the lower one by a share of
   the measured gain (of 1 dB at least), as large claims miss by more, the upper one by dB. `benchmarks/claims.json` has
   those runs; section "The claimed gain" of benchmarks/METHOD.md states what held on places that had no part in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2seq.validation.holdout import DATE_KINDS, GAP_EDGES

Float64 = NDArray[np.float64]

# With fewer dates there is no std to estimate.
MIN_DATES = 3
DRAWS = 1000
TAILS = (0.05, 0.95)
# What the ends missed by at most on judged runs, rounded up to 0.05: a share of the measured gain or of 1 dB, and dB.
ALLOWANCE_LOW = 0.45
ALLOWANCE_HIGH_DB = 1.65
LEAST_MEASURED_DB = 1.0
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


@dataclass(frozen=True)
class ToFill:
    """The number of pixels of the input that were filled in one kind of date and gap class."""

    kind: int
    gap: int
    pixels: int


@dataclass(frozen=True)
class GainRange:
    """PSNR over linear interpolation, 10 log10(squared error of linear / of result), dB. low_db, high_db: None where
    the hidden pixels lie on too few dates.

    dates, pixels: of the hidden pixels that this was measured on.
    """

    low_db: float | None
    high_db: float | None
    measured_db: float
    dates: int
    pixels: int


def gain_range(evidence: Sequence[DateErrors], to_fill: Sequence[ToFill]) -> GainRange | None:
    """Computes the range by the rule above; None without evidence. Where nothing was filled, hidden pixels weigh."""
    if not evidence:
        return None
    dates, pixels = len({part.date for part in evidence}), sum(part.pixels for part in evidence)
    gains = _gains(evidence, _task(to_fill))
    measured = float(gains[0])
    if dates < MIN_DATES:
        return GainRange(None, None, measured, dates, pixels)
    low, high = (float(end) for end in np.quantile(gains[1:], TAILS))
    low -= ALLOWANCE_LOW * max(abs(measured), LEAST_MEASURED_DB)
    return GainRange(low, high + ALLOWANCE_HIGH_DB, measured, dates, pixels)


def bootstrap_db(evidence: Sequence[DateErrors], to_fill: Sequence[ToFill]) -> tuple[float, float, float]:
    """Computes (measured, low, high) dB by steps 1 and 2 alone, of which step 3 is derived."""
    gains = _gains(evidence, _task(to_fill))
    low, high = np.quantile(gains[1:], TAILS)
    return float(gains[0]), float(low), float(high)


def describe(found: GainRange | None) -> str:
    """Writes one line for people: the range, what was measured, and on what."""
    if found is None:
        return "not measured: no pixel could be hidden"
    on = f"measured {found.measured_db:+.1f} on {found.pixels:,} pixels hidden on {found.dates} dates that were clear"
    if found.low_db is None or found.high_db is None:
        return f"{on}: too few dates to tell a range"
    return f"{found.low_db:+.1f} to {found.high_db:+.1f} dB over linear interpolation ({on})"


def _task(to_fill: Sequence[ToFill]) -> Float64:
    """(kinds, classes) pixels."""
    task = np.zeros((len(DATE_KINDS), len(GAP_EDGES) - 1))
    for part in to_fill:
        task[part.kind, part.gap] += part.pixels
    return task


def _gains(evidence: Sequence[DateErrors], task: Float64) -> Float64:
    """(1 + DRAWS,) dB: of the dates as they are, then of dates drawn again."""
    rng = np.random.default_rng(0)
    errors, weights = [], []
    for kind in range(len(DATE_KINDS)):
        parts = [part for part in evidence if part.kind == kind]
        if parts:
            errors.append(_class_means(parts, task[kind], rng))
            weights.append((task[kind].sum(), sum(part.pixels for part in parts)))
    shares = np.array(weights)
    share = shares[:, 0] if shares[:, 0].any() else shares[:, 1]
    result, linear = np.maximum(np.tensordot(share / share.sum(), np.stack(errors), axes=1), _FLOOR)
    gains: Float64 = 10 * np.log10(linear / result)
    return gains


def _class_means(parts: Sequence[DateErrors], task: Float64, rng: np.random.Generator) -> Float64:
    """(2, 1 + DRAWS) mean squared error of result and interpolation on one kind of date, classes weighted by `task`."""
    dates = sorted({part.date for part in parts})
    table = np.zeros((3, len(dates), len(task)))  # pixels, squared errors of result and of interpolation
    for part in parts:
        row = dates.index(part.date)
        table[:, row, part.gap] += part.pixels * np.array([1.0, part.result, part.linear])
    drawn = rng.multinomial(len(dates), np.full(len(dates), 1 / len(dates)), size=DRAWS)
    counts = np.vstack([np.ones(len(dates)), drawn])
    pixels, result, linear = (counts @ values for values in table)  # (1 + DRAWS, classes)
    weights = np.where(pixels > 0, task, 0.0)
    weights = np.where(weights.any(axis=1, keepdims=True), weights, pixels)  # none of its classes was filled
    weights = np.divide(weights, pixels, out=np.zeros_like(weights), where=pixels > 0)
    total = (weights * pixels).sum(axis=1)
    means: Float64 = np.stack([(weights * errors).sum(axis=1) / total for errors in (result, linear)])
    return means
