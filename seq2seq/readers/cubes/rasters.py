"""One date of a cube as a raster: bands that are stored alike, read window by window."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.errors import UnreadableFileError
from seq2seq.readers.contents import Header, Window, selected
from seq2seq.readers.cubes.arrays import Array, Region, RegionCache, check_numbers, chunk_regions
from seq2seq.readers.cubes.axes import Axes, Grid
from seq2seq.sequence import Bool

# What netCDF fills with where nothing is declared.
_NETCDF_FILL = 9.9692e36
_STRIP_ROWS = 64
_SCANNED_BYTES = 16 * 2**20
_FILLS = ("_FillValue", "missing_value", "nodata")


@dataclass(frozen=True)
class Storage:
    """How values are stored. dtype: after signs were put right. nodata: None where none is declared; NaN of floats.

    fill: of floats, a value that means NaN. scale, offset: 1 and 0 where none are stated.
    """

    dtype: str
    nodata: float | None
    fill: float | None
    scale: float
    offset: float

    def values(self, stored: NDArray[Any]) -> NDArray[Any]:
        """The values with their sign, and NaN for no data in floats; otherwise as they are stored."""
        dtype = np.dtype(self.dtype)
        if dtype.kind != "f":
            return stored.view(dtype) if stored.dtype != dtype else stored
        empty = np.abs(stored) > _NETCDF_FILL
        if self.fill is not None:
            empty |= stored == dtype.type(self.fill)
        return np.where(empty, dtype.type(np.nan), stored) if empty.any() else stored

    def is_empty(self, stored: NDArray[Any]) -> Bool:
        """Whether each value means no data; without a declared one, 0 and the largest integer do."""
        values = self.values(stored)
        if values.dtype.kind == "f":
            return np.asarray(np.isnan(values))
        if self.nodata is not None:
            return np.asarray(values == self.nodata)
        return np.asarray((values == 0) | (values == np.iinfo(values.dtype).max))


def storage_of(array: Array) -> Storage:
    """How a variable states that its values are stored. Raises `UnreadableFileError` for what holds no numbers."""
    check_numbers(array)
    assert array.dtype is not None
    dtype = array.dtype
    unsigned = str(array.attributes.get("_Unsigned", "")).lower()
    if dtype.kind in "iu" and unsigned in ("true", "false"):
        dtype = np.dtype(f"{'u' if unsigned == 'true' else 'i'}{dtype.itemsize}")
    fill = next((value for name in _FILLS if (value := _number(array.attributes.get(name))) is not None), None)
    scale, offset = (_number(array.attributes.get(name)) for name in ("scale_factor", "add_offset"))
    if dtype.kind == "f":
        nodata: float | None = math.nan
    elif fill is not None:
        nodata = _in_range(fill, dtype)
    else:
        # unsigned numbers in a file that knows no others: what is written so fills with the largest
        nodata = float(np.iinfo(dtype).max) if unsigned == "true" else None
    return Storage(
        dtype.name, nodata, None if fill is None or math.isnan(fill) else fill, 1.0 if scale is None else scale,
        0.0 if offset is None else offset,
    )  # fmt: skip


def _number(value: Any) -> float | None:
    if isinstance(value, list) and value:
        value = value[0]
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _in_range(fill: float, dtype: "np.dtype[Any]") -> float | None:
    """The fill value with the sign of the values; None for one that they cannot hold."""
    if dtype.kind == "u" and fill < 0:
        fill += 2.0 ** (8 * dtype.itemsize)
    limits = np.iinfo(dtype)
    return fill if fill == fill and limits.min <= fill <= limits.max else None


@dataclass(frozen=True, eq=False)
class Plane:
    """One band of one date: a variable, and where it is cut. time, band: indexes, where there are such axes."""

    array: Array
    axes: Axes
    grid: Grid
    time: int | None = None
    band: int | None = None

    @property
    def chunk(self) -> tuple[int, int]:
        """Rows and columns of what is decoded together."""
        height, width = self.grid.geobox.shape
        if self.array.chunks is None:
            return min(height, _STRIP_ROWS), width
        return min(height, self.array.chunks[self.axes.y]), min(width, self.array.chunks[self.axes.x])

    def read(self, window: Window, cache: RegionCache) -> NDArray[Any]:
        """(h, w) as stored, north up."""
        height, width = self.grid.geobox.shape
        rows, columns = window.slices
        if self.grid.flip_y:
            rows = slice(height - rows.stop, height - rows.start)
        if self.grid.flip_x:
            columns = slice(width - columns.stop, width - columns.start)
        part = dict.fromkeys(range(len(self.array.shape)), slice(0, 1))
        part |= {axis: slice(index, index + 1) for axis, index in self.fixed.items()}
        part |= {self.axes.y: rows, self.axes.x: columns}
        region = tuple(part[axis] for axis in range(len(part)))
        values = cache.read(self.array, region, plane=(self.axes.y, self.axes.x))
        flat = (
            values.reshape(values.shape[self.axes.y], -1)
            if self.axes.y < self.axes.x
            else values.reshape(values.shape[self.axes.x], -1).T
        )
        return flat[:: -1 if self.grid.flip_y else 1, :: -1 if self.grid.flip_x else 1]

    @property
    def fixed(self) -> dict[int, int]:
        """Axis to index, of those that are cut."""
        cut = ((self.axes.time, self.time), (self.axes.band, self.band))
        return {axis: index for axis, index in cut if axis is not None and index is not None}


@dataclass(frozen=True, eq=False)
class CubeRaster:
    """One date: bands on one grid that are stored alike."""

    header: Header
    planes: tuple[Plane, ...]
    storage: Storage
    cache: RegionCache

    def select(self, bands: Sequence[int]) -> "CubeRaster":
        """The same with these of its bands, from 0."""
        planes = tuple(self.planes[band] for band in bands)
        return CubeRaster(selected(self.header, bands), planes, self.storage, self.cache)

    def read(self, window: Window) -> NDArray[Any]:
        """(C, h, w) raw values. Raises `UnreadableFileError`."""
        try:
            stored = np.stack([plane.read(window, self.cache) for plane in self.planes])
        except UnreadableFileError as error:
            raise UnreadableFileError(error.detail, file=self.header.name, date=self.header.date) from error
        return self.storage.values(stored)


def dates_with_data(plane: Plane, storage: Storage) -> Bool:
    """(T,) whether any pixel of a date holds data, of the plane's variable and band. Decodes as little as tells."""
    array, time = plane.array, plane.axes.time
    count = 1 if time is None else array.shape[time]
    found = np.zeros(count, dtype=bool)
    whole = [slice(0, length) for length in array.shape]
    if plane.axes.band is not None and plane.band is not None:
        whole[plane.axes.band] = slice(plane.band, plane.band + 1)
    for region in _pieces(array, tuple(whole), plane):
        dates = slice(0, 1) if time is None else region[time]
        if not found[dates].all():
            found[dates] |= _any_data(array, region, plane, storage)
    return found


def _pieces(array: Array, whole: Region, plane: Plane) -> Any:
    """Chunks; of what has none, a few rows of a date at a time."""
    if array.chunks is not None:
        yield from chunk_regions(array, whole)
        return
    assert array.dtype is not None
    height, width = plane.grid.geobox.shape
    rows = max(1, _SCANNED_BYTES // max(1, width * array.dtype.itemsize))
    time = plane.axes.time
    for index in range(1 if time is None else array.shape[time]):
        for row in range(0, height, rows):
            part = list(whole)
            part[plane.axes.y] = slice(row, min(height, row + rows))
            if time is not None:
                part[time] = slice(index, index + 1)
            yield tuple(part)


def _any_data(array: Array, region: Region, plane: Plane, storage: Storage) -> Bool:
    """(t,) of the dates in a region."""
    values = array.load(region)
    if values is None:
        if storage.is_empty(np.asarray(array.fill)[None])[0]:
            return np.zeros(1, dtype=bool)
        return np.ones(1, dtype=bool)
    band = plane.axes.band
    if band is not None and plane.band is not None:
        values = np.take(values, [plane.band - region[band].start], axis=band)
    others = tuple(axis for axis in range(values.ndim) if axis != plane.axes.time)
    return np.asarray((~storage.is_empty(values)).any(axis=others)).reshape(-1)
