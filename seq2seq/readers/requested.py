"""Days that are asked for beside the acquisitions': dates on which S2 acquired nothing, as if clouds hid them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from seq2seq.config import MOST_DATES, ReconstructionConfig
from seq2seq.errors import ConfigError, MissingDataError
from seq2seq.sequence import Bool, Dates
from seq2seq.wording import listed

_ONE_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, eq=False)
class Timeline:
    """The dates of a sequence with those asked for, (T,) sorted and unique.

    acquired: (T,) True = S2 was acquired. asked: (T,) True = asked for, acquired or not.
    """

    dates: Dates
    acquired: Bool
    asked: Bool

    @property
    def requested(self) -> Dates:
        """(N,) asked for, never acquired."""
        return self.dates[~self.acquired]

    def remarks(self) -> Iterator[str]:
        """What the user should know, one line each."""
        if len(self.requested):
            yield (
                f"{len(self.requested)} dates were asked for, never acquired: {listed([*map(str, self.requested)])}; "
                "nothing of them is observed, so that their uncertainty grows with the days to the clear ones"
            )


def plan_timeline(acquired: Dates, s1: Dates, config: ReconstructionConfig) -> Timeline:
    """Joins the S2 `acquired` dates, (T,) sorted, with those that `config` asks for. s1: (N,) days of all of S1.

    Raises `MissingDataError` for days outside the series and for those of S1 where there is none, `ConfigError` for too
    many.
    """
    first, last = acquired[0], acquired[-1]
    asked = np.unique(np.concatenate([_listed(config, first, last), _every(config, first, last), _at_s1(config, s1)]))
    asked = asked[(asked >= first) & (asked <= last)]
    dates = np.union1d(acquired, asked).astype("datetime64[D]")
    if len(dates) > MOST_DATES and len(dates) > len(acquired):
        raise ConfigError(
            f"{len(dates) - len(acquired):,} dates are asked for beside {len(acquired)} acquisitions of S2, and "
            f"together at most {MOST_DATES:,} are possible; ask for fewer, or a part of the series at a time"
        )
    return Timeline(dates, np.isin(dates, acquired), np.isin(dates, asked))


def _listed(config: ReconstructionConfig, first: np.datetime64, last: np.datetime64) -> Dates:
    days = np.array(config.dates, dtype="datetime64[D]")
    outside = np.sort(days[(days < first) | (days > last)])
    if len(outside):
        more = f" and {len(outside) - 1} more of {len(days)} are" if len(outside) > 1 else " is"
        raise MissingDataError(
            f"requested date {outside[0]}{more} outside the series: S2 was acquired from {first} to {last}, and "
            "there is no result before or after; leave out what is outside",
            date=outside[0],
        )
    return days


def _every(config: ReconstructionConfig, first: np.datetime64, last: np.datetime64) -> Dates:
    """Counted from the first acquisition."""
    if config.every_days is None:
        return np.array([], dtype="datetime64[D]")
    return np.arange(first, last + _ONE_DAY, config.every_days, dtype="datetime64[D]")


def _at_s1(config: ReconstructionConfig, s1: Dates) -> Dates:
    if not config.at_s1:
        return np.array([], dtype="datetime64[D]")
    if not len(s1):
        raise MissingDataError(
            "at_s1 asks for the days of S1, and the input has no S1; name days by dates or every_days"
        )
    return s1
