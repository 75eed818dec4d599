"""The meaning of names: the date in a file's name, the band in a band's description."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from seq2seq.bands import S1_ORDER_BY_COUNT, S2_BANDS, S2_ORDER_BY_COUNT
from seq2seq.errors import InputError, UnknownBandsError
from seq2seq.wording import listed

_DATE = re.compile(r"(?<!\d)(20\d\d)(-?)(\d\d)\2(\d\d)(?!\d)")
_PRODUCT = re.compile(r"S[12][A-D]_")
_S2_BAND = re.compile(r"B?0?(1[0-2]|[1-9]|8A)")
_S1_BAND = re.compile(r"(?<![A-Z])(VV|VH|HH|HV)(?![A-Z])")


def parse_date(file_name: str, *, name: str) -> np.datetime64:
    """The acquisition's UTC day: a date at the start of the name, else the only one in it.

    In the names of ESA's products (`S2A_MSIL2A_20200801T..._20200802T...`) the first date is the acquisition's.
    Raises `InputError` with the user's `name` of the file where there is none, or more than one.
    """
    found = [(match.start(), day) for match in _DATE.finditer(file_name) if (day := _day(match))]
    days = sorted({day for _, day in found})
    if not found:
        detail = f"{name}: no date in the name; expected YYYY-MM-DD or YYYYMMDD, as in 2020-08-01.tif"
        raise InputError(detail, file=name)
    if len(days) > 1 and found[0][0] != 0 and not _PRODUCT.match(file_name):
        raise InputError(
            f"{name}: {len(days)} dates in the name ({', '.join(map(str, days))}); begin it with the right one",
            file=name,
        )
    return found[0][1]


def s2_bands(descriptions: tuple[str | None, ...], *, name: str) -> tuple[str, ...]:
    """Band names from descriptions such as B2, B02, b8a, else the documented order for that many bands.

    Raises `UnknownBandsError` with the file's `name`.
    """
    if not any(descriptions):
        if len(descriptions) not in S2_ORDER_BY_COUNT:
            counts = ", ".join(map(str, sorted(S2_ORDER_BY_COUNT)))
            raise UnknownBandsError(
                f"{name}: {len(descriptions)} bands without names; an order is known for {counts} bands, "
                "otherwise describe the bands (B02, B03, ...)",
                file=name,
            )
        return S2_ORDER_BY_COUNT[len(descriptions)]
    return _unique([_s2_band(text, index, name=name) for index, text in enumerate(descriptions, 1)], name=name)


def s1_bands(descriptions: tuple[str | None, ...], *, name: str) -> tuple[str, ...]:
    """Polarisations from descriptions such as VV, Sigma0_VH_db, else VV, VH. Raises `UnknownBandsError`."""
    if not any(descriptions):
        if len(descriptions) not in S1_ORDER_BY_COUNT:
            raise UnknownBandsError(
                f"{name}: {len(descriptions)} bands without names; S1 has VV and VH, or one of them", file=name
            )
        return S1_ORDER_BY_COUNT[len(descriptions)]
    return _unique([_s1_band(text, index, name=name) for index, text in enumerate(descriptions, 1)], name=name)


def listed_files(dated: Sequence[tuple[str, np.datetime64]]) -> str:
    """Names of rasters with their dates: a file that holds several ("cube.nc of 2020-08-01") once, with their count."""
    files = [name.removesuffix(f" of {date}") for name, date in dated]
    counts = Counter(files)
    words = [
        f"{file} ({counts[file]} dates)" if counts[file] > 1 else name
        for file, (name, _) in zip(files, dated, strict=True)
    ]
    return listed(list(dict.fromkeys(words)))


def _day(match: re.Match[str]) -> np.datetime64 | None:
    year, _, month, day = match.groups()
    try:
        return np.datetime64(f"{year}-{month}-{day}", "D")
    except ValueError:  # 20209999: a number, no date
        return None


def _s2_band(text: str | None, index: int, *, name: str) -> str:
    match = _S2_BAND.fullmatch((text or "").strip().upper())
    if not match:
        hint = "; a scene classification goes to SCL/DATE.tif" if (text or "").strip().upper() == "SCL" else ""
        known = ", ".join(S2_BANDS)
        raise UnknownBandsError(
            f"{name}: band {index} is described as {text!r}; Sentinel-2 has {known}{hint}", file=name, band=str(index)
        )
    number = match.group(1)
    return "B8A" if number == "8A" else f"B{int(number):02d}"


def _s1_band(text: str | None, index: int, *, name: str) -> str:
    found = set(_S1_BAND.findall((text or "").upper()))
    if len(found) != 1:
        raise UnknownBandsError(
            f"{name}: band {index} is described as {text!r}; Sentinel-1 has VV, VH, HH, HV", file=name, band=str(index)
        )
    return str(found.pop())


def _unique(bands: list[str], *, name: str) -> tuple[str, ...]:
    repeated = sorted({band for band in bands if bands.count(band) > 1})
    if repeated:
        raise UnknownBandsError(
            f"{name}: band {', '.join(repeated)} is there more than once", file=name, band=repeated[0]
        )
    return tuple(bands)
