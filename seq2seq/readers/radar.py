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
from seq2seq.readers.names import listed
from seq2seq.readers.pairing import nearest_acquisitions
from seq2seq.sequence import Dates


@dataclass(frozen=True, eq=False)
class RadarPairing:
    """acquisitions: per S2 date, None where none is near enough. dates: (T,) theirs, NaT for None.

    available: all S1 dates. bands and units are empty where no acquisition is used. series: all acquisitions in the
    order of `available`, and orbits: the name of each one's, see `seq2seq.orbits`; both empty where those of the S2
    dates are all.
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
    """The nearest acquisition of each date. Headers of all are checked; only pixels of paired ones are ever read."""
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
    units, label = _units([rasters[index] for index in used], config)
    radar = [RadarAcquisition(raster, bands, units, grid) for raster in rasters]
    more = bool((~np.isin(available, dates)).any())  # than one value for each date of S2
    without = [str(date) for date in dates[nearest < 0]]
    return RadarPairing(
        acquisitions=tuple(radar[index] if index >= 0 else None for index in nearest.tolist()),
        dates=np.where(nearest >= 0, available[nearest], np.datetime64("NaT", "D")),
        available=available,
        bands=bands,
        units=label,
        warnings=(f"no S1 within {config.s1_max_days} days of {listed(without)}",) if without else (),
        series=tuple(radar) if more else (),
        orbits=orbit_names(available, [raster.header.orbit for raster in rasters]) if more else (),
    )


def _units(used: Sequence[Raster], config: ReconstructionConfig) -> tuple[S1Units, str]:
    """The units, and the words that report them."""
    if config.s1_units != "auto":
        return config.s1_units, f"{config.s1_units} (as set)"
    units = detect_sequence_s1_units(used)
    return units, f"{units} (from the values)"


def _without_radar(count: int, available: Dates, warning: str) -> RadarPairing:
    nowhere = np.full(count, np.datetime64("NaT", "D"))
    return RadarPairing((None,) * count, nowhere, available, (), "", (warning,))
