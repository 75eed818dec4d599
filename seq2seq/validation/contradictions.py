"""Dates whose clear pixels contradict all others: haze, snow, a step in aerosol or calibration that lasts one date.

Land changes last: what rises between two dates is still there on the next. A date that lies above, or below, the dates
before it and those after it shows something else. So a date is judged as a whole, by the median of the clear pixels
that it shares with its neighbours, against how much the dates of this very sequence differ at that (Hampel 1974: median
and median absolute deviation, so that bad dates do not excuse each other). `screening` looks at single pixels beside a
mask, and `readers.offset_evidence` at 1000 DN of the storage; what they settle is no longer seen here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seq2seq.bands import S2_BANDS
from seq2seq.sequence import Bool, Float32
from seq2seq.validation.settings import DEFAULTS, ContradictionSettings

Kind = Literal["haze", "snow", "cloud", "dark", "other"]

_PIXELS = 20_000  # spread over the scene: medians of more say the same
_AROUND = 2  # dates on each side
_WORTH_A_LOOK = 0.3  # ratio below which no other measure of the dates' differences makes a contradiction
_TO_STD = 1.4826  # of the median absolute deviation, for normal errors
_SNOW_NDSI, _SNOW_GREEN = 0.4, 0.25  # Dozier 1989
_SNOW_BRIGHTENS = 0.1  # visible bands, by more than haze on ground that is still seen
_SNOW_DARKENS = 0.3  # beyond 1400 nm, by this much of what it brightens the visible by
_VISIBLE_NM, _INFRARED_NM, _SHORT_WAVE_NM = 700.0, 750.0, 1400.0
_FALLS_OFF = 1.5  # haze: this much more in visible than in longer waves


@dataclass(frozen=True)
class Contradiction:
    """A date, by its index, that contradicts the others. kind: what it looks most like.

    deviation: by band, reflectance above what the others predict, medians. ratio: of its deviation to the most that is
    believed, above 1. pixels: of those compared, which are spread over the scene.
    """

    date: int
    kind: Kind
    deviation: dict[str, float]
    ratio: float
    pixels: int


def contradicting_dates(
    pixels: Float32,
    observed: Bool,
    days: NDArray[np.int64],
    bands: Sequence[str],
    settings: ContradictionSettings = DEFAULTS,
) -> tuple[Contradiction, ...]:
    """Finds them, sorted; pixels (T, C, H, W) reflectance, observed (T, H, W), days (T,).

    The worst date goes first, and the others are judged again without it, until none contradicts; no more than
    `most_contradicting` of the dates, for then there is nothing left to contradict. The first and the last date with
    clear pixels are never named: what they show may have come to stay.
    """
    levels = _Levels.of(pixels, observed, days, bands, settings)
    found: list[Contradiction] = []
    while len(found) < int(settings.most_contradicting * len(levels.dates)):
        worst = levels.worst(without={one.date for one in found})
        if worst is None or worst.ratio <= 1:
            break
        deviation = dict(zip(bands, map(float, worst.residual), strict=True))
        found.append(Contradiction(worst.date, worst.kind, deviation, worst.ratio, worst.pixels))
    return tuple(sorted(found, key=lambda one: one.date))


def deviations(contradictions: Sequence[Contradiction], shape: tuple[int, int, int, int]) -> Float32:
    """Gives (T, C, 1, 1) how far dates lie above what the others predict, 0 where they do not contradict them.

    Taken away, a date's level weighs nothing, and its pattern of fields and edges, which does not contradict, counts as
    before; to take the date away as a whole, or each pixel by half, gained less (benchmarks/METHOD.md).
    """
    levels = np.zeros((shape[0], shape[1], 1, 1), dtype=np.float32)
    for one in contradictions:
        levels[one.date, :, 0, 0] = list(one.deviation.values())
    return levels


@dataclass(frozen=True, eq=False)
class _Judged:
    """One date beside its neighbours. residual: (C,) above the line between both sides; excess: (C,) above or below
    both, else 0."""

    date: int
    residual: Float32
    excess: Float32
    apart_days: float
    pixels: int
    kind: Kind = "other"
    ratio: float = 0.0


@dataclass(frozen=True, eq=False)
class _Side:
    """above: (C,) of the date, over its neighbours on one side. days, pixels: of the nearest of them."""

    above: Float32
    days: float
    pixels: int


@dataclass(frozen=True, eq=False)
class _Levels:
    """Differences of dates, pixel by pixel: pixels (T, C, N), observed (T, N) some of the scene, dates worth judging.

    known: differences that were computed already.
    """

    pixels: Float32
    observed: Bool
    days: NDArray[np.int64]
    bands: tuple[str, ...]
    dates: tuple[int, ...]
    settings: ContradictionSettings
    known: dict[tuple[int, int], tuple[Float32, int] | None] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        pixels: Float32,
        observed: Bool,
        days: NDArray[np.int64],
        bands: Sequence[str],
        settings: ContradictionSettings,
    ) -> "_Levels":
        """Takes some pixels of (T, C, H, W)."""
        dates, channels = pixels.shape[:2]
        step = max(1, observed[0].size // _PIXELS)
        flat = observed.reshape(dates, -1)[:, ::step]
        enough = tuple(np.flatnonzero(flat.sum(axis=1) >= settings.fewest_compared).tolist())
        return cls(pixels.reshape(dates, channels, -1)[:, :, ::step], flat, days, tuple(bands), enough, settings)

    def spectrum(self, date: int) -> Float32:
        """(C,) medians of the clear pixels."""
        return np.asarray(np.median(self.pixels[date][:, self.observed[date]], axis=1))

    def worst(self, without: set[int]) -> _Judged | None:
        """The date with neighbours on both sides that contradicts the others most; None where none has them.

        How much dates differ is measured again without a date that has a colour of its own, for in a short sequence its
        neighbours' differences are mostly its own.
        """
        beside = self._all_beside(without)
        limits = self._limits(beside)

        def judged(one: _Judged) -> _Judged:
            first = self._weighed(one, limits)
            if first.kind not in ("haze", "snow") or first.ratio < _WORTH_A_LOOK:
                return first
            return self._weighed(one, self._limits(self._all_beside(without | {one.date}) or beside))

        return max(map(judged, beside), key=lambda one: one.ratio, default=None)

    def _all_beside(self, without: set[int]) -> list[_Judged]:
        kept = [date for date in self.dates if date not in without]
        return [one for date in kept if (one := self._beside(date, kept)) is not None]

    def _limits(self, beside: Sequence[_Judged]) -> Float32:
        """(C,) what is believed of neighbours a day apart."""
        if not beside:
            return np.full(len(self.bands), np.inf, np.float32)
        usual = _TO_STD * np.median(np.abs([one.residual for one in beside]), axis=0)
        limits = np.maximum(self.settings.contradiction_std * usual, self.settings.least_contradiction)
        return np.asarray(limits, np.float32)

    def _weighed(self, one: _Judged, limits: Float32) -> _Judged:
        """With its kind and ratio.

        Haze is told by its colour, so that one band's excess is enough; of all else it is the second largest, for one
        band alone is a fault of that band, and more of it is believed, for rain and drought pass as well.
        """
        apart = min(one.apart_days, self.settings.longest_days)
        ratios = np.abs(one.excess) / (limits * (1 + apart / self.settings.rise_doubles_days))
        ratios = ratios[[not _is_atmospheric(band) for band in self.bands]]
        kind = kind_of(one.excess, self.spectrum(one.date), self.bands)
        if kind == "haze":
            return replace(one, kind=kind, ratio=float(ratios.max()))
        second = float(np.sort(ratios)[-2:][0])
        return replace(one, kind=kind, ratio=second / (1 if kind == "snow" else self.settings.land_contradicts))

    def _beside(self, date: int, kept: Sequence[int]) -> _Judged | None:
        """The date against those before and after; None where a side is missing."""
        before = self._side(date, [other for other in reversed(kept) if other < date])
        after = self._side(date, [other for other in kept if other > date])
        if before is None or after is None:
            return None
        share = before.days / (before.days + after.days)
        lesser = np.minimum(np.abs(before.above), np.abs(after.above))
        same = np.sign(before.above) == np.sign(after.above)
        return _Judged(
            date,
            residual=before.above + (after.above - before.above) * np.float32(share),
            excess=np.where(same, np.sign(before.above) * lesser, np.float32(0)),
            apart_days=min(before.days, after.days),
            pixels=min(before.pixels, after.pixels),
        )

    def _side(self, date: int, others: Sequence[int]) -> _Side | None:
        """The date against the first few of `others` that share pixels with it."""
        differences = ((other, self._difference(date, other)) for other in others)
        nearest = [(other, *each) for other, each in islice(((o, d) for o, d in differences if d), _AROUND)]
        if not nearest:
            return None
        above = np.asarray(np.mean([difference for _, difference, _ in nearest], axis=0), np.float32)
        other, _, pixels = nearest[0]
        return _Side(above, abs(float(self.days[date] - self.days[other])), pixels)

    def _difference(self, date: int, other: int) -> tuple[Float32, int] | None:
        """(C,) medians of one date minus another where both are clear, and how many pixels that are."""
        if (date, other) not in self.known:
            both = self.observed[date] & self.observed[other]
            if (count := int(both.sum())) < self.settings.fewest_compared:
                self.known[date, other] = None
            else:
                level = np.median(self.pixels[date][:, both] - self.pixels[other][:, both], axis=1)
                self.known[date, other] = (np.asarray(level, np.float32), count)
        return self.known[date, other]


def kind_of(excess: Float32, spectrum: Float32, bands: Sequence[str]) -> Kind:
    """Names what an excess (C,) looks most like on a date whose clear pixels have this `spectrum` (C,), medians.

    Haze scatters short waves most; snow is bright where it is visible and dark beyond 1400 nm; cloud lifts all bands.
    """
    visible, infrared = _mean(excess, bands, 0, _VISIBLE_NM), _mean(excess, bands, _INFRARED_NM, np.inf)
    short_wave = _mean(excess, bands, _SHORT_WAVE_NM, np.inf)
    darker_there = visible > _SNOW_BRIGHTENS and short_wave < -_SNOW_DARKENS * visible
    if visible > 0 and (darker_there or _is_snow(dict(zip(bands, map(float, spectrum), strict=True)))):
        return "snow"
    if (excess <= 0).all():
        return "dark"
    if visible > 0 and _falls_off(excess, bands) and visible > _FALLS_OFF * infrared:
        return "haze"
    return "cloud" if visible > 0 and infrared > 0 else "other"


def _is_snow(spectrum: Mapping[str, float]) -> bool:
    """By the normalised difference snow index."""
    green, short_wave = spectrum.get("B03"), spectrum.get("B11", spectrum.get("B12"))
    if green is None or short_wave is None or green < _SNOW_GREEN:
        return False
    return (green - short_wave) / (green + short_wave) > _SNOW_NDSI


def _falls_off(excess: Float32, bands: Sequence[str]) -> bool:
    """Whether of the visible bands, two at least, each has more than those of longer waves."""
    visible = sorted(
        (_nm(band), float(value))
        for band, value in zip(bands, excess, strict=True)
        if _nm(band) < _VISIBLE_NM and not _is_atmospheric(band)
    )
    values = [value for _, value in visible]
    return len(values) > 1 and all(first > second for first, second in pairwise(values))


def _mean(excess: Float32, bands: Sequence[str], low_nm: float, high_nm: float) -> float:
    """Of the bands within [low_nm, high_nm); 0 of none."""
    inside = [float(value) for band, value in zip(bands, excess, strict=True) if low_nm <= _nm(band) < high_nm]
    return sum(inside) / len(inside) if inside else 0.0


def _nm(band: str) -> float:
    return S2_BANDS[band].wavelength_nm if band in S2_BANDS else np.nan


def _is_atmospheric(band: str) -> bool:
    """Such bands differ from date to date in any case."""
    return band in S2_BANDS and S2_BANDS[band].atmospheric
