"""The meaning of words in names of files, folders and bands: dates, sensors, bands. Light: needs no numpy."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from seq2seq.bands import S2_BANDS

FIRST_YEAR = 2014  # Sentinel-1A's
_DATE = re.compile(r"(?<!\d)(20\d\d)([-_.]?)(\d\d)\2(\d\d)(?:[T_-]?([0-2]\d[0-5]\d[0-5]\d))?(?!\d)")
_DAY_OF_YEAR = re.compile(r"(?<!\d)(20\d\d)([0-3]\d\d)T\d{6}(?!\d)")
# Earth Engine cuts large exports into parts that end in the offsets of their first line and column.
_PART = re.compile(r"-\d{10}-\d{10}$")
_NO_LETTER = re.compile(r"[^A-Z0-9]+")
_S2_BAND = re.compile(r"(?<=_)B0?(1[0-2]|[1-9]|8A)(?=_)")
_S1_BAND = re.compile(r"(?<=_)(VV|VH|HH|HV)(?=_)")
# A tile of the military grid alone is Sentinel-2's.
_S2 = re.compile(r"_(?:S2[A-D]?|SENTINEL_?2[A-D]?|SEN2[A-D]|S2[A-D](?:1C|2A)|MSI|MSIL1C|MSIL2A|T\d\d[A-Z]{3})_")
_S1 = re.compile(r"_(?:S1[A-D]?|SENTINEL_?1[A-D]?|GRD[HMF]?|RTC\d*)_")
# Names of the EO extension of STAC, as Earth Search has them.
_COMMON = {
    "COASTAL": "B01",
    "BLUE": "B02",
    "GREEN": "B03",
    "RED": "B04",
    "REDEDGE1": "B05",
    "REDEDGE2": "B06",
    "REDEDGE3": "B07",
    "NIR": "B08",
    "NIR08": "B8A",
    "NIR09": "B09",
    "SWIR16": "B11",
    "SWIR22": "B12",
}


@dataclass(frozen=True)
class Dates:
    """The days that a text names, in its order, once each. timed: all came with a time of day. leading: it begins
    with the first. rest: the text without them."""

    days: tuple[date, ...]
    timed: bool
    leading: bool
    rest: str


def dates_in(text: str) -> Dates:
    """All dates in a name or a description."""
    found: list[tuple[int, int, date, bool]] = []
    for match in _DATE.finditer(text.upper()):
        if day := _day(match[1], match[3], match[4]):
            found.append((match.start(), match.end(), day, match[5] is not None))
    for match in _DAY_OF_YEAR.finditer(text.upper()):
        if day := _day_of_year(match[1], match[2]):
            found.append((match.start(), match.end(), day, True))
    found.sort()
    rest, at = [], 0
    for start, end, _, _ in found:
        rest.append(text[at:start])
        at = end
    days = tuple(dict.fromkeys(day for _, _, day, _ in found))
    timed = bool(found) and all(time for *_, time in found)
    return Dates(days, timed, bool(found) and found[0][0] == 0, "_".join([*rest, text[at:]]))


def normal(text: str) -> str:
    """In capitals, words parted and surrounded by one underscore: `_T31UFS_B02_10M_`."""
    return f"_{_NO_LETTER.sub('_', text.upper()).strip('_')}_"


def without_part(stem: str) -> str:
    """The name of an export without the offsets of its part."""
    return _PART.sub("", stem)


def sensor_in(words: str) -> str | None:
    """S2 or S1 where normalised words name one of them alone."""
    named = [sensor for sensor, pattern in (("S2", _S2), ("S1", _S1)) if _in(pattern, words)]
    return named[0] if len(named) == 1 else None


def bands_in(words: str) -> tuple[str, ...]:
    """Bands of Sentinel-2 (B02) and polarisations in normalised words, in their order, once each."""
    found = [(match.start(), _s2_name(match[1])) for match in _S2_BAND.finditer(words)]
    found += [(match.start(), match[1]) for match in _S1_BAND.finditer(words)]
    return tuple(dict.fromkeys(band for _, band in sorted(found)))


def common_name(words: str) -> str | None:
    """The band of Sentinel-2 whose common name (`red`, `nir08`) these normalised words are."""
    return _COMMON.get(words.strip("_"))


def sensor_of_band(band: str) -> str:
    """S2 for B02, S1 for VV."""
    return "S2" if band in S2_BANDS else "S1"


def steps(first: date, last: date, count: int) -> tuple[date, ...]:
    """The first days of `count` equal parts of the time between two days."""
    return tuple(first + timedelta(days=round((last - first).days * index / count)) for index in range(count))


def shown(text: str, longest: int = 60) -> str:
    """A text out of a file as messages show it: printable, and no longer than that."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:longest])


def named_once(names: Iterable[str]) -> list[str]:
    """Each name once, in their order."""
    return list(dict.fromkeys(names))


def _in(pattern: re.Pattern[str], words: str) -> bool:
    return pattern.search(words) is not None


def _s2_name(number: str) -> str:
    return "B8A" if number == "8A" else f"B{int(number):02d}"


def _day(year: str, month: str, day: str) -> date | None:
    try:
        found = date(int(year), int(month), int(day))
    except ValueError:  # 20209999: a number, no date
        return None
    return found if found.year >= FIRST_YEAR else None


def _day_of_year(year: str, day: str) -> date | None:
    number = int(day)
    return date(int(year), 1, 1) + timedelta(days=number - 1) if 1 <= number <= 366 else None
