"""Dates that contradict the others, for report.json, its page and `decloud inspect`: which, why, by how much."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np

from seq2seq.config import ReconstructionConfig
from seq2seq.readers import SequenceSource
from seq2seq.report.schema import ContradictionReport
from seq2seq.validation.contradictions import contradicting_dates
from seq2seq.validation.screening import suspected_clouds

Values = Mapping[str, Any]

_LOOKS_LIKE = {
    "haze": "haze or smoke: the shorter the wave, the brighter",
    "snow": "snow: bright where visible, dark beyond 1400 nm",
    "cloud": "thin cloud that no mask shows: brighter in visible and infrared bands",
    "dark": "shadow, wet ground or a step of the calibration: darker in all bands",
    "other": "a step of aerosol correction or calibration, or weather that passed",
}
# Of an inspection: windows along each axis, and values read in all, 64 MB.
_WINDOWS, _VALUES, _LEAST_PX = 3, 2**24, 16


@dataclass(frozen=True)
class ContradictionRow:
    """One date on the page."""

    date: str
    why: str
    deviation: str
    ratio: float
    pixels: int
    tiles: int


def pool_contradictions(tiles: Iterable[Sequence[Values]], dates: Sequence[str]) -> tuple[ContradictionReport, ...]:
    """One entry for each date that some tile has named, `asdict` of a `Contradiction`; dates: of the sequence, ISO.

    Deviations are averaged by pixels; kind and ratio are those of the tile where the date deviates most.
    """
    named: dict[int, list[Values]] = {}
    for tile in tiles:
        for each in tile:
            named.setdefault(each["date"], []).append(each)
    return tuple(_pooled(dates[date], found) for date, found in sorted(named.items()))


def contradictions_of(source: SequenceSource, config: ReconstructionConfig) -> tuple[ContradictionReport, ...]:
    """Judges an open sequence by windows spread over the scene, before any run, as a run judges its tiles."""
    settings, parts = config.validation, []
    for rows, columns in product(*_spans(source.info.shape)):
        s2 = source.read(rows, columns).s2
        suspected = suspected_clouds(s2.pixels, s2.observed, s2.days, s2.bands, settings)
        clear = s2.observed & ~suspected
        parts.append((s2.pixels.reshape(*s2.shape[:2], 1, -1), clear.reshape(len(s2.dates), 1, -1)))
    pixels, clear = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
    found = contradicting_dates(pixels, clear, s2.days, s2.bands, settings)
    return pool_contradictions([[asdict(one) for one in found]], [str(date) for date in source.info.dates])


def contradiction_rows(found: Iterable[Values]) -> list[ContradictionRow]:
    """For the table of the page, from report.json's values."""
    return [
        ContradictionRow(
            one["date"], _LOOKS_LIKE[one["kind"]], _deviation(one), one["ratio"], one["pixels"], one["tiles"]
        )
        for one in found
    ]


def contradiction_lines(found: Iterable[Values]) -> list[str]:
    """For a terminal, one line each."""
    return [
        f"{one['date']} contradicts the others, {one['ratio']:.1f} times what is believed: {_deviation(one)}; "
        f"looks like {_LOOKS_LIKE[one['kind']]}. A run delivers it as it is, and does not believe its level"
        for one in found
    ]


def _deviation(one: Values) -> str:
    return ", ".join(f"{band} {value:+.3f}" for band, value in one["deviation"].items())


def _pooled(date: str, found: Sequence[Values]) -> ContradictionReport:
    pixels = [each["pixels"] for each in found]
    worst = max(found, key=lambda each: float(each["ratio"]))
    deviation = {
        band: round(float(np.average([each["deviation"][band] for each in found], weights=pixels)), 5)
        for band in worst["deviation"]
    }
    return ContradictionReport(
        date=date,
        kind=worst["kind"],
        deviation=deviation,
        ratio=round(float(worst["ratio"]), 3),
        pixels=sum(pixels),
        tiles=len(found),
    )


def _spans(shape: tuple[int, int, int, int]) -> list[list[slice]]:
    """Rows and columns of windows, evenly over the scene (T, C, H, W); all of a small one."""
    dates, bands, height, width = shape
    most = max(_LEAST_PX, int((_VALUES / (dates * bands * _WINDOWS**2)) ** 0.5))
    return [_along(size, most) for size in (height, width)]


def _along(size: int, most: int) -> list[slice]:
    if size <= _WINDOWS * most:
        return [slice(0, size)]
    starts = np.linspace(0, size - most, _WINDOWS).astype(int).tolist()
    return [slice(start, start + most) for start in starts]
