"""What each band of an image is: of which day, and which band of Sentinel-2, polarisation or mask."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from seq2seq.bands import S1_ORDER_BY_COUNT, S2_ORDER_BY_COUNT
from seq2seq.errors import InputError, UnknownBandsError
from seq2seq.readers.loose.conventions import is_picture
from seq2seq.readers.loose.naming import Named, mask_in
from seq2seq.readers.loose.words import bands_in, common_name, dates_in, normal, shown, steps
from seq2seq.wording import listed

_STEP_FIRST = re.compile(r"(\d{1,4})[_.-](.*)")
_STEP_LAST = re.compile(r"(.*?)[_.-](\d{1,4})")
# What programs call bands that have no name: "Band 1", "layer_2", "3".
_NO_NAME = re.compile(r"(?i)(?:band|layer|lyr)?[ _.-]?(\d+)")
_LONGEST = 200  # letters of a description
# Composites of Earth Engine and others hold them beside the values.
_STATISTIC = re.compile(r"_(?:STD|STDDEV|STDEV|VAR|VARIANCE|COUNT|MAD|UNCERTAINTY)_")
# In the file of a product, before snow.
_CLASSI = ("MSK_CLASSI_OPAQUE", "MSK_CLASSI_CIRRUS")
_DATE_TAGS = (
    "ACQUISITION_DATE",
    "ACQUISITIONDATE",
    "ACQUISITION_TIME",
    "SENSING_TIME",
    "DATATAKE_1_DATATAKE_SENSING_START",
    "PRODUCT_START_TIME",
    "ZERO_DOPPLER_START_TIME",
    "START_TIME",
    "DATETIME",
    "DATE",
    "TIME",
    "SYSTEM:INDEX",
)
_EPOCH_TAGS = ("SYSTEM:TIME_START", "TIME_START")  # milliseconds since 1970
BAND_TAGS = ("DESCRIPTION", "BANDNAME", "BAND_NAME", "LONG_NAME", "NAME")


@dataclass(frozen=True)
class Found:
    """One band that is understood. index: in the file, from 0. what: B02, VV, or a name of a mask in capitals.

    scene: what the description says of the acquisition; bands of one day that differ in it are pieces side by side.
    """

    index: int
    what: str
    day: date
    is_mask: bool = False
    scene: str = ""


@dataclass(frozen=True)
class FoundBands:
    """The bands of one file. ignored: descriptions of those that are no Sentinel's.

    assumed: they have no names, and are taken in the order of products. steps: days are equal steps of time.
    """

    found: tuple[Found, ...]
    ignored: tuple[str, ...] = ()
    assumed: bool = False
    steps: bool = False


@dataclass(frozen=True)
class _Text:
    """What a description says. step: which of many dates, by number. text: as messages show it."""

    what: str | None
    is_mask: bool
    day: date | None
    step: int | None
    text: str
    scene: str = ""


def find_bands(
    named: Named, descriptions: Sequence[str | None], tags: Mapping[str, str], *, masks: tuple[str, ...]
) -> FoundBands:
    """What is in a file. descriptions: one a band, also from a band's tags. tags: the file's. masks: names of kinds.

    Raises `UnknownBandsError` where an image of a known sensor has bands that nobody can tell, `InputError` where it
    has bands of use and no date, or several.
    """
    texts = [_read((text or "")[:_LONGEST], masks) for text in _named_texts(descriptions)]
    if any(text.what or text.day for text in texts) and not named.stated.bands:
        found = _described(named, texts)
        assumed = False
    else:
        found, assumed = _by_name(named, texts)
    if not found:
        return FoundBands((), tuple(text.text for text in texts if text.text))
    ignored = tuple(_without_step(texts[index], texts) for index in _others(found, len(texts)) if texts[index].text)
    dated = _dated(named, texts, found, tags)
    stepped = len({band.day for band in dated}) > 1 and not any(texts[band.index].day for band in found)
    return FoundBands(dated, ignored, assumed, stepped)


def _named_texts(descriptions: Sequence[str | None]) -> list[str | None]:
    """The descriptions, none where they only count: "Band 1", or one text and a number for all."""
    texts = [(text or "").strip() for text in descriptions]
    numbers = [match and int(match[1]) for text in texts if (match := _NO_NAME.fullmatch(text))]
    if numbers == list(range(1, len(texts) + 1)):
        return [None] * len(texts)
    counted = [match for text in texts if (match := _STEP_LAST.fullmatch(text))]
    same = len({match[1] for match in counted}) == 1 and len(texts) > 1
    if (
        same
        and [int(match[2]) for match in counted] == list(range(1, len(texts) + 1))
        and not bands_in(normal(counted[0][1]))
    ):
        return [None] * len(texts)
    return list(texts)


def _read(text: str, masks: tuple[str, ...]) -> _Text:
    dates = dates_in(text)
    rest = dates.rest.strip("_ .-")
    step = None
    for pattern, number, name in ((_STEP_FIRST, 1, 2), (_STEP_LAST, 2, 1)):
        match = pattern.fullmatch(rest)
        if match and not dates.days and _what(match[name], masks)[0]:
            step, rest = int(match[number]), match[name]
            break
    what, is_mask = _what(rest, masks)
    scene = _before(what, text, masks) if what and dates.days else ""
    return _Text(what, is_mask, dates.days[0] if dates.days else None, step, shown(text), scene)


def _before(what: str, text: str, masks: tuple[str, ...]) -> str:
    """The words before those that end a description and name its band: a product's, as Earth Engine puts them there.

    A date alone tells no scenes apart.
    """
    words = text.split("_")
    for at in range(len(words) - 1, 0, -1):
        if _what("_".join(words[at:]), masks)[0] == what:
            scene = "_".join(words[:at])
            return scene if normal(dates_in(scene).rest).strip("_") else ""
    return ""


def _what(text: str, masks: tuple[str, ...]) -> tuple[str | None, bool]:
    """The band, polarisation or mask that a text names alone, and whether it is a mask."""
    words = normal(text)
    if _STATISTIC.search(words):
        return None, False
    bands = bands_in(words)
    if len(bands) == 1:
        return bands[0], False
    if bands:
        return None, False
    mask = mask_in(words, masks)
    return (mask, True) if mask else (common_name(words), False)


def _described(named: Named, texts: Sequence[_Text]) -> list[Found]:
    """By descriptions; where those are dates alone, the band is the file's."""
    only = named.bands[0] if len(named.bands) == 1 else None
    found = []
    for index, text in enumerate(texts):
        if text.what:
            found.append(Found(index, text.what, date.min, text.is_mask, text.scene))
        elif text.day and (only or named.mask):
            found.append(Found(index, only or str(named.mask), date.min, only is None))
    return found


def _by_name(named: Named, texts: Sequence[_Text]) -> tuple[list[Found], bool]:
    """Without descriptions that say anything: by what the path says, else by the number of bands."""
    count = len(texts)
    if len(named.bands) == count:
        return [Found(index, band, date.min) for index, band in enumerate(named.bands)], False
    if named.mask and named.mask.startswith("MSK_CLASSI") and count > 1:
        return [Found(index, what, date.min, True) for index, what in enumerate(_CLASSI)], False
    if named.mask and count == 1:
        return [Found(0, named.mask, date.min, True)], False
    if named.sensor == "S1" and count in S1_ORDER_BY_COUNT and not any(text.text for text in texts):
        return [Found(index, band, date.min) for index, band in enumerate(S1_ORDER_BY_COUNT[count])], True
    if named.sensor != "S1" and count in S2_ORDER_BY_COUNT and not any(text.text for text in texts):
        return [Found(index, band, date.min) for index, band in enumerate(S2_ORDER_BY_COUNT[count])], True
    if named.sensor == "S2" and named.days and count > 1 and not is_picture(normal(named.name)):
        raise _unknown(named, texts)
    return [], False


def _unknown(named: Named, texts: Sequence[_Text]) -> UnknownBandsError:
    """For an image of S2 whose bands nobody can tell."""
    count = len(texts)
    described = [text.text for text in texts if text.text]
    what = f"its bands are described as {listed(described)}" if described else f"{count} bands without names"
    counts = ", ".join(map(str, sorted(S2_ORDER_BY_COUNT)))
    return UnknownBandsError(
        f"{named.name}: {what}; an order is known for {counts} bands, otherwise describe them (B02, B03, ...) or give "
        "a file for each band, as in 2020-06-04_B02.tif",
        file=named.name,
    )


def _others(found: Sequence[Found], count: int) -> list[int]:
    used = {each.index for each in found}
    return [index for index in range(count) if index not in used]


def _without_step(text: _Text, texts: Sequence[_Text]) -> str:
    """The name of a band that is ignored, once for all dates of a file."""
    match = _STEP_LAST.fullmatch(text.text)
    return match[1] if match and any(each.step is not None for each in texts) else text.text


def _dated(named: Named, texts: Sequence[_Text], found: Sequence[Found], tags: Mapping[str, str]) -> tuple[Found, ...]:
    by_step = _days_of_steps(named, [texts[each.index] for each in found])
    day = None
    if by_step is None and any(texts[each.index].day is None for each in found):
        day = _day_of_file(named, tags)
    return tuple(
        replace(each, day=texts[each.index].day or (by_step[_step(texts[each.index])] if by_step else day) or date.min)
        for each in found
    )


def _step(text: _Text) -> int:
    """Earth Engine numbers only the second band of a name, `VV`, `VV_1`, or all of them, `0_VV`."""
    return text.step or 0


def _days_of_steps(named: Named, texts: Sequence[_Text]) -> dict[int, date] | None:
    """The day of each number, where bands are numbered: of one, or of equal steps between two days of the name.

    Raises `InputError` where numbers go up and the name states no first and last day.
    """
    numbers = sorted({_step(text) for text in texts})
    each_once = len({text.what for text in texts}) == len(texts)  # B02_10, B05_20: of one day, with pixel sizes
    if each_once or len(numbers) == 1 or any(text.day for text in texts):
        return None
    count = len(numbers)
    if len(named.days) == count:
        return dict(zip(numbers, named.days, strict=True))
    if len(named.days) != 2:
        there = f"the name has {len(named.days)} dates" if named.days else "the name has no date"
        raise InputError(
            f"{named.name}: holds {count} dates as numbered bands ({listed([text.text for text in texts[:4]])}), and "
            f"{there}; name it by its first and last day, as in place_2019-02-06_2020-02-01.tif, for {count} equal "
            "steps between them, or describe bands with their date, as in 2019-02-06_B02",
            file=named.name,
        )
    first, last = named.days
    return dict(zip(numbers, steps(first, last, count), strict=True))


def _day_of_file(named: Named, tags: Mapping[str, str]) -> date:
    """Of its name, else of its metadata. Raises `InputError` for no day and for several."""
    if named.day:
        return named.day
    if named.days and named.leading:
        return named.days[0]
    if named.days:
        raise InputError(
            f"{named.name}: {len(named.days)} dates in the name ({', '.join(map(str, named.days))}); begin it with "
            "the right one",
            file=named.name,
        )
    if day := day_in_tags(tags):
        return day
    raise InputError(
        f"{named.name}: no date in the name, its folders or its metadata; expected YYYY-MM-DD or YYYYMMDD, as in "
        "2020-06-04_B02.tif",
        file=named.name,
    )


def day_in_tags(tags: Mapping[str, str]) -> date | None:
    """The acquisition's day as a file's metadata state it; not when the file was written."""
    upper = {key.upper(): value for key, value in tags.items()}
    for key, value in tags.items():  # GDAL parts `system:time_start=...` at the colon
        name, equals, rest = value.partition("=")
        if equals:
            upper[f"{key}:{name}".upper()] = rest
    for key in _DATE_TAGS:
        if days := dates_in(upper.get(key, "")[:100]).days:
            return days[0]
    for key in _EPOCH_TAGS:
        if upper.get(key, "").isdigit() and len(upper[key]) == 13:
            return datetime.fromtimestamp(int(upper[key]) / 1000, UTC).date()
    return None
