"""Events on a simulated landscape between two dates: work on its parcels, a flood, a burn."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import find_objects

from seq2seq.sequence import Bool
from seq2seq.simulation.covers import COVERS
from seq2seq.simulation.land import BURN_SHARE, FLOOD_SHARE, Day, Landscape

EventKind = Literal["harvest", "ploughing", "mowing", "flood", "burn"]


@dataclass(frozen=True, eq=False)
class Event:
    """A change between two dates: from `date` on, `pixels` (h, w) of window `rows`, `columns` differ."""

    kind: EventKind
    date: Day
    rows: slice
    columns: slice
    pixels: Bool


def _works(land: Landscape, parcel: int, first: Day, last: Day) -> list[tuple[EventKind, Day]]:
    """Kind and date of the work on one parcel, after `first` and until `last`."""
    cover = COVERS[land.cover[parcel]]
    planned: list[tuple[EventKind, float]] = [("mowing", day) for day in cover.mowing]
    if cover.harvest is not None and cover.plough is not None:
        planned += [("harvest", cover.harvest), ("ploughing", cover.plough)]
    years = np.arange(first.astype("datetime64[Y]"), last.astype("datetime64[Y]") + 1)
    dates: list[tuple[EventKind, Day]] = []
    for kind, year_day in planned:
        offset = int(np.ceil(year_day + float(land.shift_days[parcel]))) - 1
        dates += [(kind, year.astype("datetime64[D]") + np.timedelta64(offset, "D")) for year in years]
    return [(kind, date) for kind, date in dates if first < date <= last]


def _disasters(land: Landscape) -> list[tuple[EventKind, Day, Bool]]:
    return [
        ("flood", land.flood_day, land.flood_rank < FLOOD_SHARE),
        ("burn", land.burn_day, land.burn_rank < BURN_SHARE),
    ]


def events_between(land: Landscape, first: Day, last: Day) -> tuple[Event, ...]:
    """Lists every harvest, ploughing, mowing, the flood and the burn after `first` and until `last`, by date."""
    found = []
    for parcel, (rows, columns) in enumerate(find_objects(land.parcels + 1)):
        pixels = land.parcels[rows, columns] == parcel
        found += [Event(kind, date, rows, columns, pixels) for kind, date in _works(land, parcel, first, last)]
    for kind, date, pixels in _disasters(land):
        if first < date <= last and pixels.any():
            rows, columns = find_objects(pixels.astype(np.uint8))[0]
            found.append(Event(kind, date, rows, columns, pixels[rows, columns]))
    return tuple(sorted(found, key=lambda event: event.date))
