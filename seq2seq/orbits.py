"""The orbit of each radar acquisition, told by what the files state, else by the day in the satellites' cycle.

Two orbits look at a place under two angles, from two sides: their backscatter differs though nothing has changed. What
is compared or averaged over time must be of one orbit.
"""

from collections import Counter
from collections.abc import Sequence
from math import comb

import numpy as np
from numpy.typing import NDArray

from seq2seq.sequence import Dates

# One Sentinel-1 comes back to an orbit after 12 days, two of them, half a cycle apart, after 6.
CYCLE_DAYS, HALF_CYCLE_DAYS = 12, 6
# When two satellites acquired: S1B from its first routine data to its failure, S1C from its own. Outside it, days that
# are 6 apart are of two orbits.
_TWO_SATELLITES = (("2016-09-26", "2021-12-23"), ("2025-03-26", "9999-12-31"))
# Days without a cycle (monthly means, say) fall together so well by chance less often than this.
_CHANCE = 1e-3


def orbit_names(dates: Dates, stated: Sequence[str]) -> tuple[str, ...]:
    """Names the orbit of each acquisition, (N,): equal names, one orbit; all "" where nothing tells them apart.

    dates: (N,) datetime64[D]. stated: per acquisition direction and relative orbit as far as the file says, "A088",
    "088", "D" or "". Relative orbits are believed where all files have one. Else directions, where all have one, are
    refined by the days: acquisitions a multiple of the cycle apart are of one orbit, "day 4 of 12". Days that keep no
    cycle tell nothing.
    """
    if len(dates) != len(stated):
        raise ValueError(f"{len(stated)} orbits are stated for {len(dates)} dates")
    if all(any(letter.isdigit() for letter in name) for name in stated):
        return _one_name_each(stated)
    directed = all(name[:1] in ("A", "D") for name in stated)
    directions = [name[0] if directed else "" for name in stated]
    names = np.array(directions, dtype=object)
    for direction in sorted(set(directions)):
        at = np.flatnonzero(names == direction)
        names[at] = [" ".join(filter(None, (direction, day))) for day in _days_of_cycle(dates[at])]
    return tuple(str(name) for name in names)


def orbit_classes(names: Sequence[str]) -> NDArray[np.intp]:
    """Numbers the orbits from 0, (N,), the one with most acquisitions first."""
    count = Counter(names)
    order = {name: number for number, name in enumerate(sorted(count, key=lambda name: (-count[name], name)))}
    return np.array([order[name] for name in names], dtype=np.intp)


def _one_name_each(stated: Sequence[str]) -> tuple[str, ...]:
    """Relative orbits; one that some files state with its direction and others without has it everywhere."""
    full = {name.lstrip("AD"): name for name in stated if name[0] in "AD"}
    return tuple(full.get(name.lstrip("AD"), name) for name in stated)


def _days_of_cycle(dates: Dates) -> list[str]:
    """Where each date lies in a cycle that they keep, "" where they keep none."""
    cycle = HALF_CYCLE_DAYS if _two_satellites(dates) else CYCLE_DAYS
    days = dates.astype(np.int64) % cycle
    taken = len(set(days.tolist()))
    chance = comb(cycle, taken) * (taken / cycle) ** len(days)
    if chance >= _CHANCE:
        return [""] * len(days)
    return [f"day {day} of {cycle}" for day in days]


def _two_satellites(dates: Dates) -> bool:
    """Whether two satellites acquired while any of the dates was."""
    return any(
        ((dates >= np.datetime64(first)) & (dates <= np.datetime64(last))).any() for first, last in _TWO_SATELLITES
    )
