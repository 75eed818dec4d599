"""The gain over linear interpolation that a run claims at the pixels it filled, and its error there, with intervals.

Hidden pixels lie on dates that had been clear, and those are not like cloudy ones: as they are, hidden pixels tell the
gain elsewhere badly. But two things are known at the filled pixels themselves: v, how much the candidates disagree, and
d, how far the result is from interpolation, mean squares of a date both. Two relations carry over what was measured on
hidden dates, by kind of date:

    e = s v                 squared error of the result
    l = e + (1 + 2 c) d     of interpolation: it errs by the result's error and by the step between them; c is what the
                            two have in common, 0 for a conditional mean, above it where the step was too short

The logarithm of s and c are means over hidden dates and over some dates' worth of what they are on other sequences, as
hidden dates are few and each errs in its own way. The intervals draw both, and the scatter of dates about them, again.
How often they hold, and where the constants come from: section "The claimed gain" of benchmarks/METHOD.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from seq2seq.sequence import Bool, Float32
from seq2seq.validation.calibration import disagreement
from seq2seq.validation.holdout import DATE_KINDS, Candidates

Float64 = NDArray[np.float64]

DRAWS = 2000
TAILS = (0.05, 0.95)
# With fewer dates, and no other sequence to compare with, there is no std to estimate.
MIN_DATES = 3
# By kind of date: what dates' log e / v scatter by about log s; c on other sequences, and its scatter.
SCATTER = (0.45, 0.6)
COMMON, COMMON_SCATTER = (0.05, 0.25), 0.3
# Dates' worth of belief that a sequence is like others.
BELIEF = 3.0
# Hidden pixels from which a date counts whole.
WHOLE_DATE = 400
_LEAST = 1e-12  # squared reflectance: keeps an exact result finite
_MOST_COMMON = 1.0

# Squared error per variance of the candidates on other sequences, by kind of date.
ErrorScales = tuple[float, float]


@dataclass(frozen=True)
class HiddenDate:
    """The hidden pixels of one date. kind: index in `DATE_KINDS`. Mean squares, reflectance squared: the errors of
    `result` and of plain interpolation (`linear`), their `distance`, the `variance` of the candidates."""

    date: int
    kind: int
    pixels: int
    result: float
    linear: float
    distance: float
    variance: float


@dataclass(frozen=True)
class FilledDate:
    """The filled pixels of one date: as `HiddenDate`, but for errors, which nobody knows."""

    date: int
    kind: int
    pixels: int
    distance: float
    variance: float


AnyDate = TypeVar("AnyDate", HiddenDate, FilledDate)


@dataclass(frozen=True)
class Claim:
    """PSNR over linear interpolation at the filled pixels, 10 log10(squared error of linear / of result), dB, and the
    errors themselves, reflectance. low_db, high_db, rmse_low, rmse_high: 90 % intervals; None where the hidden pixels
    lie on too few dates.

    dates, pixels: of the hidden pixels that this was measured on. filled: pixels that it is claimed of.
    """

    low_db: float | None
    high_db: float | None
    measured_db: float
    dates: int
    pixels: int
    filled: int | None = None
    rmse: float | None = None
    rmse_low: float | None = None
    rmse_high: float | None = None
    linear_rmse: float | None = None


def claim_gain(
    hidden: Sequence[HiddenDate], filled: Sequence[FilledDate], scales: ErrorScales | None = None
) -> Claim | None:
    """Claims the gain by the relations above; None without hidden pixels. Where nothing was filled, of the hidden ones.

    scales: s on other sequences; None: they are not known of the method, and what its candidates disagree by says
    nothing: e is then the same on all dates of a kind.
    """
    if not hidden:
        return None
    asked: Sequence[HiddenDate | FilledDate] = filled or hidden
    errors, linear = _drawn(hidden, asked, scales)
    gains, rmse = 10 * np.log10(linear / errors), np.sqrt(errors)
    dates = len({each.date for each in hidden})
    known = scales is not None or dates >= MIN_DATES
    low, high, rmse_low, rmse_high = (
        float(end) if known else None for drawn in (gains, rmse) for end in np.quantile(drawn[1:], TAILS)
    )
    return Claim(
        low_db=low,
        high_db=high,
        measured_db=float(gains[0]),
        dates=dates,
        pixels=sum(each.pixels for each in hidden),
        filled=sum(each.pixels for each in filled),
        rmse=float(rmse[0]),
        rmse_low=rmse_low,
        rmse_high=rmse_high,
        linear_rmse=float(np.sqrt(linear[0])),
    )


def hidden_dates(
    result: Float32, plain: Float32, truth: Float32, candidates: Candidates, held_out: Bool, fully_clouded: Bool
) -> tuple[HiddenDate, ...]:
    """Measures the hidden pixels (T, H, W) of every date that has any; images (T, C, H, W) reflectance."""

    def measured(date: FilledDate) -> HiddenDate:
        t, where = date.date, held_out[date.date]
        error, linear = (_mean_square(image[t] - truth[t], where) for image in (result, plain))
        return HiddenDate(t, date.kind, date.pixels, error, linear, date.distance, date.variance)

    return tuple(measured(date) for date in filled_dates(result, plain, candidates, held_out, fully_clouded))


def filled_dates(
    result: Float32, plain: Float32, candidates: Candidates, missing: Bool, fully_clouded: Bool
) -> tuple[FilledDate, ...]:
    """Describes the `missing` pixels (T, H, W) of every date that has any; images (T, C, H, W) reflectance."""

    def described(t: int) -> FilledDate:
        where = missing[t]
        variance = disagreement({name: image[t : t + 1] for name, image in candidates.items()})[0]
        of_date = float(variance[:, where].mean(dtype=np.float64))
        distance = _mean_square(result[t] - plain[t], where)
        return FilledDate(t, int(fully_clouded[t]), int(where.sum()), distance, of_date)

    return tuple(described(t) for t in np.flatnonzero(missing.any(axis=(1, 2))).tolist())


def pool_dates(dates: Sequence[AnyDate]) -> tuple[AnyDate, ...]:
    """Pools what several tiles have of the same dates: mean squares by pixels."""
    pooled: dict[tuple[int, int], list[AnyDate]] = {}
    for each in dates:
        pooled.setdefault((each.date, each.kind), []).append(each)
    return tuple(_pooled(pooled[place]) for place in sorted(pooled))


def describe(found: Claim | None) -> str:
    """Writes one line for people: gain and interval, the errors, and what both were measured on."""
    if found is None:
        return "not measured: no pixel could be hidden"
    on = f"measured on {found.pixels:,} pixels hidden on {found.dates} dates that were clear"
    if found.low_db is None or found.high_db is None:
        return f"{found.measured_db:+z.1f} dB over linear interpolation, {on}: too few dates to tell a range"
    line = f"{found.measured_db:+z.1f} dB ({found.low_db:+z.1f} to {found.high_db:+z.1f}) over linear interpolation"
    if found.rmse is not None and found.rmse_low is not None and found.rmse_high is not None:
        which = "hidden" if found.filled == 0 else "missing"
        line += f"; error at {which} pixels about {found.rmse:.3f} ({found.rmse_low:.3f} to {found.rmse_high:.3f})"
        line += f", interpolation {found.linear_rmse:.3f}"
    return f"{line}; {on}"


def _mean_square(image: Float32, where: Bool) -> float:
    return float(np.square(image[:, where], dtype=np.float64).mean())


def _drawn(
    hidden: Sequence[HiddenDate], asked: Sequence[HiddenDate | FilledDate], scales: ErrorScales | None
) -> tuple[Float64, Float64]:
    """(1 + DRAWS,) mean squared errors of result and interpolation: as expected, then drawn."""
    rng = np.random.default_rng(0)
    errors, linear = np.zeros(1 + DRAWS), np.zeros(1 + DRAWS)
    total = sum(each.pixels for each in asked)
    for kind in range(len(DATE_KINDS)):
        dates = [each for each in asked if each.kind == kind]
        if not dates:
            continue
        share = np.array([each.pixels / total for each in dates])
        variance = np.array([_variance(each, scales) for each in dates])
        distance = np.array([each.distance for each in dates])
        scale, scale_std = _log_scale(hidden, kind, scales)
        common, common_std = _common(hidden, kind)
        scatter = SCATTER[kind]
        factor = np.exp(scale + scale_std * _normal(rng, 1) + scatter * _normal(rng, len(dates)))
        factor[0] *= np.exp(scatter**2 / 2)  # the mean of what is drawn
        in_common = common + common_std * _normal(rng, 1) + COMMON_SCATTER * _normal(rng, len(dates))
        result = factor @ (share * variance)
        errors += result
        linear += result + (1 + 2 * in_common) @ (share * distance)
    errors = np.maximum(errors, _LEAST)
    return errors, np.maximum(linear, errors / 10)


def _normal(rng: np.random.Generator, count: int) -> Float64:
    """(1 + DRAWS, count): zeros for what is expected, then draws."""
    return np.vstack([np.zeros(count), rng.standard_normal((DRAWS, count))])


def _variance(date: HiddenDate | FilledDate, scales: ErrorScales | None) -> float:
    return 1.0 if scales is None else max(date.variance, _LEAST)


def _log_scale(hidden: Sequence[HiddenDate], kind: int, scales: ErrorScales | None) -> tuple[float, float]:
    """log s of a kind of date and its std. Without other sequences, of the other kind where this one was not hidden."""
    dates = [each for each in hidden if each.kind == kind]
    if not dates and scales is None:
        dates = list(hidden)
    values = [np.log(max(each.result, _LEAST) / _variance(each, scales)) for each in dates]
    belief, prior = (0.0, 0.0) if scales is None else (BELIEF, float(np.log(scales[kind])))
    return _believed(values, dates, prior, belief, SCATTER[kind])


def _common(hidden: Sequence[HiddenDate], kind: int) -> tuple[float, float]:
    """c of a kind of date and its std."""
    dates = [each for each in hidden if each.kind == kind]
    values = [(each.linear - each.result - each.distance) / (2 * max(each.distance, _LEAST)) for each in dates]
    return _believed(np.clip(values, -_MOST_COMMON, _MOST_COMMON), dates, COMMON[kind], BELIEF, COMMON_SCATTER)


def _believed(
    values: Sequence[float] | Float64, dates: Sequence[HiddenDate], prior: float, belief: float, scatter: float
) -> tuple[float, float]:
    """The mean of dates' values and of `belief` dates' worth of `prior`, and its std."""
    weights = np.array([min(1.0, each.pixels / WHOLE_DATE) for each in dates])
    total = weights.sum() + belief
    return float((weights @ np.asarray(values, np.float64) + belief * prior) / total), scatter / float(np.sqrt(total))


def _pooled(parts: Sequence[AnyDate]) -> AnyDate:
    pixels = [part.pixels for part in parts]
    names = [field.name for field in fields(parts[0]) if field.name not in ("date", "kind", "pixels")]
    means: dict[str, Any] = {
        name: float(np.average([getattr(part, name) for part in parts], weights=pixels)) for name in names
    }
    return replace(parts[0], pixels=sum(pixels), **means)
