"""The S1 side of a sequence: which acquisition each S2 date gets, in which units, and what to say about it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from odc.geo.geobox import GeoBox

from seq2seq.config import ReconstructionConfig
from seq2seq.orbits import orbit_names
from seq2seq.radiometry import S1Units
from seq2seq.readers.acquisitions import RadarAcquisition
from seq2seq.readers.checks import check_s1, detect_sequence_s1_units
from seq2seq.readers.contents import Raster, dates_of
from seq2seq.readers.pairing import nearest_acquisitions
from seq2seq.sequence import Dates
from seq2seq.wording import listed

# Before the first and after the last date of S2: what is longer ago says nothing of these.
SERIES_MARGIN_DAYS = 60


@dataclass(frozen=True, eq=False)
class RadarPairing:
    """acquisitions: per S2 date, None where none is near enough. dates: (T,) theirs, NaT for None.

    available: all S1 dates. bands and units are empty where no acquisition is used. series: all acquisitions of the
    time of S2, and orbits: the name of each one's, see `seq2seq.orbits`; both empty where those of the S2 dates are
    all there is.
    """

    acquisitions: tuple[RadarAcquisition | None, ...]
    dates: Dates
    available: Dates
    bands: tuple[str, ...]
    units: str
    warnings: tuple[str, ...]
    series: tuple[RadarAcquisition, ...] = ()
    orbits: tuple[str, ...] = ()


def pair_radar(rasters: Sequence[Raster], dates: Dates, grid: GeoBox, config: ReconstructionConfig) -> RadarPairing:
    """The nearest acquisition of each date, and the series of all. Headers of all are checked, whatever is read."""
    available = dates_of(rasters)
    if not rasters:
        return _without_radar(len(dates), available, "no S1: the result rests on optical data alone")
    bands = check_s1(rasters, grid)
    nearest = nearest_acquisitions(dates, available, max_days=config.s1_max_days)
    used = sorted(set(nearest[nearest >= 0].tolist()))
    if not used:
        gap = int(np.abs((dates[:, None] - available[None]).astype(np.int64)).min())
        limit = f"no S1 within {config.s1_max_days} days of any S2 date, the nearest is {gap} days away"
        return _without_radar(len(dates), available, f"{limit}: the result rests on optical data alone")
    series = _of_the_time(dates, available) if (~np.isin(available, dates)).any() else []
    units, label = _units([rasters[index] for index in sorted({*used, *series})], config)
    radar = [RadarAcquisition(raster, bands, units, grid) for raster in rasters]
    without = [str(date) for date in dates[nearest < 0]]
    return RadarPairing(
        acquisitions=tuple(radar[index] if index >= 0 else None for index in nearest.tolist()),
        dates=np.where(nearest >= 0, available[nearest], np.datetime64("NaT", "D")),
        available=available,
        bands=bands,
        units=label,
        warnings=(f"no S1 within {config.s1_max_days} days of {listed(without)}",) if without else (),
        series=tuple(radar[index] for index in series),
        orbits=orbit_names(available[series], [rasters[index].header.orbit for index in series]),
    )


def _of_the_time(dates: Dates, available: Dates) -> list[int]:
    """Indices of the acquisitions that say something of the dates of S2: from a little before the first on."""
    around = np.timedelta64(SERIES_MARGIN_DAYS, "D")
    found: list[int] = np.flatnonzero((available >= dates[0] - around) & (available <= dates[-1] + around)).tolist()
    return found


def _units(used: Sequence[Raster], config: ReconstructionConfig) -> tuple[S1Units, str]:
    """The units, and the words that report them."""
    if config.s1_units != "auto":
        return config.s1_units, f"{config.s1_units} (as set)"
    units = detect_sequence_s1_units(used)
    return units, f"{units} (from the values)"


def _without_radar(count: int, available: Dates, warning: str) -> RadarPairing:
    nowhere = np.full(count, np.datetime64("NaT", "D"))
    return RadarPairing((None,) * count, nowhere, available, (), "", (warning,))
