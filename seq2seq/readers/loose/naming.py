"""What the path of one file says about it: which day, sensor, band or mask; the deeper the name, the more it counts."""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath

from seq2seq.readers.loose.conventions import Stated, orbit_in, stated_in
from seq2seq.readers.loose.words import (
    Dates,
    bands_in,
    common_name,
    dates_in,
    normal,
    sensor_in,
    without_part,
)

_HARMONISED = re.compile(r"HARMONI[SZ]ED")
# Names whose first date is the acquisition's, whatever follows.
_ACQUISITION_FIRST = re.compile(r"S[12][A-D]_|S2[A-D](?:1C|2A)_|SENTINEL2[A-D]_|OPERA_|HLS\.")
_DATED_FOLDERS = re.compile(r"(?:^|/)(20\d\d)/(\d{1,2})/(\d{1,2})(?=/)")
# Results of ours and of others have them in bands that are called as observations are.
_NO_OBSERVATIONS = frozenset({"UNCERTAINTY", "SIGMA", "STDDEV", "STD"})
_NO_CLOUD = re.compile(r"_CLOUD_?(?:FREE|LESS)_")


@dataclass(frozen=True)
class Named:
    """What a path says. day: None where it says none, or several. days: all dates of the name that counts, the first
    `leading` it.

    bands: of the file in their order, or the one of it. mask: the kind's name in capitals, as `mask_kinds` lists them.
    """

    name: str
    day: date | None
    days: tuple[date, ...]
    leading: bool
    sensor: str | None
    bands: tuple[str, ...]
    mask: str | None
    stated: Stated
    harmonised: bool
    orbit: str


def named(name: str, *, within: str = "", masks: tuple[str, ...]) -> Named:
    """What the path `name` of a file says. within: the name of the folder or archive. masks: names of kinds, longest
    first."""
    path = PurePosixPath(name)
    stem = without_part(path.stem)
    levels = [stem, *reversed(path.parts[:-1])]  # the deepest first
    stated = next((Stated(skip=level) for level in levels if level.upper() in _NO_OBSERVATIONS), stated_in(stem))
    dated = next((dates for level in levels if (dates := dates_in(level)).days), Dates((), False, False, ""))
    words = [normal(dates_in(level).rest) for level in levels]
    day, days = _dated(dated, stem) if dated.days else _in_folders(path.parent.as_posix())
    bands, mask = _bands(words, masks)
    above = [normal(within)] if within else []
    return Named(
        name=name,
        day=day,
        days=days,
        leading=dated.leading,
        sensor=stated.sensor or next((found for each in words + above if (found := sensor_in(each))), None),
        bands=stated.bands or bands,
        mask=stated.mask or (None if stated.bands or sensor_in(words[0]) == "S1" else mask),
        stated=stated,
        harmonised=stated.offset_applied or _HARMONISED.search(f"{within}/{name}".upper()) is not None,
        orbit=stated.orbit or next((found for level in levels if (found := orbit_in(f"{level}_"))), ""),
    )


def _dated(found: Dates, stem: str) -> tuple[date | None, tuple[date, ...]]:
    """The day where one is the acquisition's for sure: the only one, or the first of a product's name."""
    first = len(found.days) == 1 or found.timed or _ACQUISITION_FIRST.search(stem.upper()) is not None
    return (found.days[0] if first else None), found.days


def _in_folders(folder: str) -> tuple[date | None, tuple[date, ...]]:
    """As in .../2021/5/1/B04.tif."""
    if match := _DATED_FOLDERS.search(f"{folder}/"):
        try:
            day = date(int(match[1]), int(match[2]), int(match[3]))
        except ValueError:
            return None, ()
        return day, (day,)
    return None, ()


def _bands(words: list[str], masks: tuple[str, ...]) -> tuple[tuple[str, ...], str | None]:
    """The bands and the kind of mask of the deepest level that names any."""
    for each in words:
        mask = mask_in(each, masks)
        if bands := bands_in(each):
            return bands, None
        if mask:
            return (), mask
        if common := common_name(f"_{each.strip('_').rsplit('_', 1)[-1]}_"):
            return (common,), None
    return (), None


def mask_in(words: str, masks: tuple[str, ...]) -> str | None:
    """The first of the names of masks that is among normalised words."""
    kept = _NO_CLOUD.sub("_", words)
    return next((name for name in masks if f"_{name}_" in kept), None)
