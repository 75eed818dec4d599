"""From groups of arrays to layers: which variables are bands, of which dates, and how they are stored."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from seq2seq.bands import S2_BANDS
from seq2seq.errors import MissingDataError, UnknownBandsError, UnreadableFileError
from seq2seq.readers.contents import Header
from seq2seq.readers.cubes.arrays import MAX_BANDS, MAX_DATES, Array, Group, RegionCache, read_all
from seq2seq.readers.cubes.axes import Axes, axes_of, grid_of
from seq2seq.readers.cubes.names import MASKS, meaning
from seq2seq.readers.cubes.rasters import CubeRaster, Plane, Storage, dates_with_data, storage_of
from seq2seq.readers.cubes.suns import suns_of
from seq2seq.readers.cubes.times import days_of
from seq2seq.readers.cubes.units import in_known_units
from seq2seq.readers.gdal_file import MAX_PIXELS
from seq2seq.readers.layers import Layer, Sensor
from seq2seq.readers.names import parse_date
from seq2seq.sequence import Bool, Dates

MAX_CHUNKS = 1_000_000
# Variables that have bands and are no reflectance.
_BESIDE = ("uncertainty", "std", "stdev", "error", "quality", "confidence", "probability")
_SCALAR_TIMES = ("time", "t", "timestamp", "date", "datetime")


@dataclass(frozen=True, eq=False)
class Band:
    """One band of a group. index: on the variable's own axis of bands, where it has one."""

    sensor: Sensor
    name: str
    array: Array
    axes: Axes
    index: int | None

    @property
    def alike(self) -> tuple[Any, ...]:
        """Bands that share it are one raster."""
        dims = self.array.dims
        time = None if self.axes.time is None else dims[self.axes.time]
        own = self.name if self.sensor in ("MASK", "SCL") else ""
        return self.sensor, own, time, dims[self.axes.y], dims[self.axes.x], str(storage_of(self.array))


@dataclass
class Findings:
    """Layers, and what the user should know about them. bands: how many were found, also where no date has data."""

    layers: list[Layer] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    bands: int = 0

    def say(self, words: str) -> None:
        """Once."""
        if words not in self.said:
            self.said.append(words)


def read_group(
    group: Group, *, name: str, cache: RegionCache, found: Findings, date: np.datetime64 | None = None
) -> None:
    """Adds the layers of one group. name: of the file, as headers have it. date: of variables without a time.

    Raises `InputError`s for bands that cannot be placed in time or space.
    """
    bands = _chosen(list(_bands(group)))
    found.bands += len(bands)
    rasters: dict[tuple[Any, ...], list[Band]] = defaultdict(list)
    for band in sorted(bands, key=_rank):
        _check_size(band)
        rasters[band.alike].append(band)
    kept: dict[Any, Bool] = {}
    for alike in rasters.values():
        _add(alike, group, name=name, cache=cache, found=found, date=date, kept=kept)


def _bands(group: Group) -> Iterator[Band]:
    """All bands that a group names, of variables on a grid."""
    for variable, array in group.arrays.items():
        known = meaning(variable)
        axes = axes_of(array, group)
        if axes is None or any(word in variable.lower() for word in _BESIDE):
            if known and known.sensor == "S2" and len(array.shape) >= 2 and not any(array.dims):
                raise UnreadableFileError(
                    f"{array.place}: its axes have no names (dimension scales); write it with xarray's to_netcdf",
                    file=array.file,
                )
            continue
        if known and (axes.band is None or array.shape[axes.band] == 1):
            yield Band(known.sensor, known.band, array, axes, None if axes.band is None else 0)
        elif axes.band is not None:
            for index, label in enumerate(_labels(array, array.dims[axes.band], group)):
                if labelled := meaning(label):
                    yield Band(labelled.sensor, labelled.band, array, axes, index)


def _labels(array: Array, dimension: str, group: Group) -> list[str]:
    """The names of bands; none where their coordinate is missing or has no names."""
    coordinate = group.find(dimension)
    if coordinate is None or coordinate.kind != "text":
        return []
    values = read_all(coordinate, MAX_BANDS).reshape(-1)
    return [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in values]


def _rank(band: Band) -> tuple[int, int]:
    """S2 first, as masks go by its dates; bands in the order that sequences have, so that none is read for itself."""
    order = {"S2": tuple(S2_BANDS), "S1": ("VV", "VH", "HV", "HH")}.get(band.sensor, (band.name,))
    return ("S2", "S1", "SCL", "MASK").index(band.sensor), order.index(band.name)


def _chosen(bands: Sequence[Band]) -> list[Band]:
    """Of masks the first kind alone. Raises `UnknownBandsError` for a band that is there twice on one grid."""
    masks = {band.name for band in bands if band.sensor == "MASK"}
    first = next((name for name in MASKS if name in masks), None)
    chosen = [band for band in bands if band.sensor != "MASK" or band.name == first]
    reflectance = {
        band.array.name for band in chosen if band.index is not None and "reflectance" in band.array.name.lower()
    }
    places: dict[tuple[str, ...], Band] = {}
    for band in chosen:
        if reflectance and band.sensor == "S2" and band.index is not None and band.array.name not in reflectance:
            continue
        place = (band.sensor, band.name, band.array.dims[band.axes.y], band.array.dims[band.axes.x])
        other = places.setdefault(place, band)
        if other is not band:
            raise UnknownBandsError(
                f"{band.array.file}: band {band.name} is there twice, in {other.array.name} and {band.array.name}; "
                "leave one out",
                file=band.array.file,
                band=band.name,
            )
    return list(places.values())


def _check_size(band: Band) -> None:
    array, axes = band.array, band.axes
    height, width = array.shape[axes.y], array.shape[axes.x]
    if not all(array.shape):
        raise UnreadableFileError(
            f"{array.place}: is empty, {' x '.join(map(str, array.shape))} values", file=array.file
        )
    if height * width > MAX_PIXELS:
        raise UnreadableFileError(
            f"{array.place}: {width} x {height} px, at most {MAX_PIXELS:,} px are allowed", file=array.file
        )
    if axes.time is not None and array.shape[axes.time] > MAX_DATES:
        raise UnreadableFileError(
            f"{array.place}: {array.shape[axes.time]:,} dates, at most {MAX_DATES:,} are allowed", file=array.file
        )
    chunks = array.chunks or array.shape
    pieces = int(np.prod([-(-length // size) for length, size in zip(array.shape, chunks, strict=True)], dtype=object))
    if pieces > MAX_CHUNKS:
        raise UnreadableFileError(
            f"{array.place}: stored in {pieces:,} chunks of {' x '.join(map(str, chunks))}; store it in larger ones",
            file=array.file,
        )


def _add(
    bands: Sequence[Band],
    group: Group,
    *,
    name: str,
    cache: RegionCache,
    found: Findings,
    date: np.datetime64 | None,
    kept: dict[Any, Bool],
) -> None:
    """The dates of bands that are one raster each."""
    first = bands[0]
    storage, grid = storage_of(first.array), grid_of(first.array, first.axes, group)
    days = _days(first, group, name, date)
    planes = [Plane(band.array, band.axes, grid, None, band.index) for band in bands]
    with_data = _kept(first, planes[0], storage, found, kept, name)
    time = None if first.axes.time is None else first.array.dims[first.axes.time]
    rasters, suns = [], suns_of(group, time, len(days)) if first.sensor == "S2" else [None] * len(days)
    for index in np.flatnonzero(with_data):
        header = _header(bands, planes, storage, f"{name} of {days[index]}", days[index])
        dated = tuple(replace(plane, time=None if time is None else int(index)) for plane in planes)
        rasters.append(CubeRaster(replace(header, sun=suns[index]), dated, storage, cache))
    known = in_known_units(first.sensor, rasters, storage, name, found.say)
    found.layers += [Layer(first.sensor, raster) for raster in known]


def _days(band: Band, group: Group, name: str, date: np.datetime64 | None) -> Dates:
    """(T,) of the variable, one where it has no axis of times."""
    if band.axes.time is not None:
        dimension = band.array.dims[band.axes.time]
        coordinate = group.find(dimension)
        if coordinate is None:
            raise UnreadableFileError(
                f"{band.array.place}: axis {dimension} has no coordinates, so its dates are unknown",
                file=band.array.file,
            )
        return days_of(coordinate)
    for scalar in _SCALAR_TIMES:
        coordinate = group.find(scalar)
        if coordinate is not None and coordinate.shape in ((), (1,)):
            return days_of(coordinate)
    found = parse_date(PurePosixPath(name).name, name=name) if date is None else date
    return np.array([found], dtype="datetime64[D]")


def _kept(band: Band, plane: Plane, storage: Storage, found: Findings, kept: dict[Any, Bool], name: str) -> Bool:
    """(T,) dates with data. Masks and classes are kept where S2 of the same axis is."""
    key = None if band.axes.time is None else band.array.dims[band.axes.time]
    if band.sensor in ("SCL", "MASK"):
        count = 1 if band.axes.time is None else band.array.shape[band.axes.time]
        return kept.get(key, np.ones(count, dtype=bool))
    with_data = dates_with_data(plane, storage)
    if band.sensor == "S2":
        kept[key] = with_data | kept.get(key, np.zeros_like(with_data))
    if (missing := int((~with_data).sum())) and len(with_data) > 1:
        found.say(f"{name}: {missing} of {len(with_data)} dates of {band.sensor} hold no data and are left out")
    return with_data


def _header(bands: Sequence[Band], planes: Sequence[Plane], storage: Storage, name: str, day: np.datetime64) -> Header:
    return Header(
        name=name,
        date=day,
        geobox=planes[0].grid.geobox,
        dtype=storage.dtype,
        descriptions=tuple(band.name for band in bands),
        nodata=storage.nodata,
        scales=(storage.scale,) * len(bands),
        offsets=(storage.offset,) * len(bands),
        chunk=planes[0].chunk,
    )


def read_groups(groups: Sequence[Group], *, name: str, cache: RegionCache, found: Findings) -> None:
    """Adds the layers of one file. Raises `MissingDataError` where it has none."""
    before, bands = len(found.layers), found.bands
    for group in groups:
        read_group(group, name=name, cache=cache, found=found)
    if len(found.layers) > before:
        return
    if found.bands > bands:
        raise MissingDataError(f"{name}: no pixel holds data on any date", file=name)
    names = [variable for group in groups for variable, array in group.arrays.items() if len(array.shape) > 1]
    raise MissingDataError(
        f"{name}: no variable is called after a band of Sentinel-2 or 1 (B02, S2-L2A-B02, SCL, VV), with axes of time, "
        f"y and x; it holds {', '.join(names[:6]) or 'no variable on a grid'}",
        file=name,
    )
