"""Coordinates in time as UTC days."""

import re
from typing import Any

import numpy as np

from seq2seq.errors import InputError
from seq2seq.readers.cubes.arrays import MAX_DATES, Array, read_all
from seq2seq.sequence import Dates

_UNITS = re.compile(
    r"(?i)\s*(days?|d|hours?|hrs?|h|minutes?|mins?|seconds?|secs?|s|milliseconds?|msecs?|ms|microseconds?|us|"
    r"nanoseconds?|ns)\s+since\s+(\d{1,4})-(\d{1,2})-(\d{1,2})(?:[T ]+(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.\d*)?)?)?"
    r"\s*(?:Z|UTC|[+-]0{1,2}(?::?0{2})?)?\s*"
)
# Nanoseconds of a unit, by its beginning, the longer ones first.
_NANOSECONDS = (
    ("mic", 1e3), ("us", 1e3), ("mil", 1e6), ("ms", 1e6), ("n", 1.0), ("d", 8.64e13), ("h", 3.6e12), ("m", 6e10),
    ("s", 1e9),
)  # fmt: skip
_CALENDARS = ("standard", "gregorian", "proleptic_gregorian")
_DAY_NS = 8.64e13
# Instants without units: by their size, counted since 1970.
_EPOCH = ((1e17, 1.0), (1e14, 1e3), (1e11, 1e6), (1e8, 1e9))
_TEXT = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[T _].*)?")


def days_of(array: Array) -> Dates:
    """(T,) days of a coordinate, in its order. Raises `InputError` for units that are not understood."""
    values = read_all(array, MAX_DATES).reshape(-1)
    units = array.attributes.get("units")
    if values.dtype.kind in "OSU":
        return np.array([_of_text(one, array) for one in values], dtype="datetime64[D]")
    if values.dtype.kind == "M":
        return _checked(values.astype("datetime64[D]"), array)
    if isinstance(units, str) and " since " in units:
        return _checked(_since(values, units, array), array)
    return _checked(_without_units(values, array), array)


def _since(values: Any, units: str, array: Array) -> Any:
    found = _UNITS.fullmatch(units)
    calendar = str(array.attributes.get("calendar", "standard")).lower()
    if not found or calendar not in _CALENDARS:
        what = f"units {units[:60]!r}" if not found else f"calendar {calendar[:40]!r}"
        raise InputError(f"{array.place}: {what} are no dates of satellites; expected 'days since 1970-01-01' or alike")
    unit = found[1].lower()
    nanoseconds = next(size for begin, size in _NANOSECONDS if unit.startswith(begin))
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[1:])
    try:
        start = np.datetime64(f"{year:04d}-{month:02d}-{day:02d}", "D")
    except ValueError as error:
        raise InputError(f"{array.place}: units {units[:60]!r} begin on no day") from error
    seconds = hour * 3600 + minute * 60 + second
    # in days: nanoseconds of centuries leave no room in a double for a fraction of a second, which is not needed
    passed = np.where(_missing(values, array), np.nan, values.astype(np.float64)) * (nanoseconds / _DAY_NS)
    return _days(start, passed + seconds / 86_400)


def _days(start: np.datetime64, passed: Any) -> Any:
    """`passed` in days after `start`; a millisecond before midnight is rounding."""
    whole = np.floor(passed + 1e-8)
    wrong = ~(np.abs(whole) < 1e6)
    counted = np.where(wrong, 0, whole).astype(np.int64).astype("timedelta64[D]")
    return np.where(wrong, np.datetime64("NaT", "D"), start + counted)


def _without_units(values: Any, array: Array) -> Any:
    """Integers alone: 20200801, or an instant since 1970, whose size tells its unit."""
    known = values[~_missing(values, array)].astype(np.float64)
    if known.size and (known >= 19_700_101).all() and (known <= 21_001_231).all():
        return np.array([_of_text(f"{int(one):08d}", array) for one in values], dtype="datetime64[D]")
    size = float(np.abs(known).max()) if known.size else 0.0
    nanoseconds = next((unit for least, unit in _EPOCH if size >= least), None)
    if nanoseconds is None:
        raise InputError(
            f"{array.place}: has no units, and its values (to {size:g}) are no dates; write units such as 'days since "
            "1970-01-01'",
            file=array.file,
        )
    passed = np.where(_missing(values, array), np.nan, values.astype(np.float64)) * (nanoseconds / _DAY_NS)
    return _days(np.datetime64("1970-01-01", "D"), passed)


def _missing(values: Any, array: Array) -> Any:
    fills = [array.attributes.get(name) for name in ("_FillValue", "missing_value")]
    missing = np.zeros(values.shape, dtype=bool) if values.dtype.kind != "f" else ~np.isfinite(values)
    for fill in fills:
        if isinstance(fill, int | float) and fill == fill:
            missing |= values == fill
    if values.dtype.kind == "i" and values.dtype.itemsize == 8:
        missing |= values == np.iinfo(np.int64).min  # NaT
    return missing


def _of_text(value: Any, array: Array) -> np.datetime64:
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    found = _TEXT.fullmatch(text.strip())
    try:
        if found:
            return np.datetime64(f"{found[1]}-{found[2]}-{found[3]}", "D")
    except ValueError:  # 20209999: a number, no date
        pass
    raise InputError(f"{array.place}: {text[:40]!r} is no date; expected YYYY-MM-DD", file=array.file)


def _checked(days: Any, array: Array) -> Dates:
    wrong = np.isnat(days)
    wrong |= (days < np.datetime64("2014-01-01")) | (days > np.datetime64("2100-01-01"))
    if wrong.any():
        index = int(wrong.argmax())
        what = "is missing" if np.isnat(days[index]) else f"is {days[index]}, when no Sentinel flew"
        raise InputError(f"{array.place}: date {index} of {len(days)} {what}; leave it out", file=array.file)
    return np.asarray(days, dtype="datetime64[D]")
