"""Rasters made of others: some bands of one, one on another grid, bands of several, several side by side, converted.

A format finds files; with these it makes acquisitions. Each reads no more of the others than its window needs.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from seq2seq.radiometry import detect_radiometry
from seq2seq.readers.contents import Header, Raster, Window, selected
from seq2seq.readers.pairing import same_grid
from seq2seq.readers.warp import read_on
from seq2seq.sequence import Bool, Float32


@runtime_checkable
class Selectable(Protocol):
    """A raster that reads some of its bands without the others."""

    def select(self, bands: Sequence[int]) -> Raster:
        """These of its bands, from 0, alone."""


@dataclass(frozen=True)
class Selection:
    """Some bands, from 0, of another raster."""

    raster: Raster
    bands: tuple[int, ...]

    @property
    def header(self) -> Header:
        """Of the bands alone."""
        return selected(self.raster.header, self.bands)

    def read(self, window: Window) -> NDArray[Any]:
        """(C, h, w) raw values."""
        return self.raster.read(window)[list(self.bands)]


@dataclass(frozen=True)
class Converted:
    """Another raster's values after `convert`, (C, h, w) to (C', h, w), pixel by pixel. header: of what comes out."""

    raster: Raster
    header: Header
    convert: Callable[[NDArray[Any]], NDArray[Any]]

    def read(self, window: Window) -> NDArray[Any]:
        """(C', h, w) converted values."""
        return np.asarray(self.convert(self.raster.read(window)), dtype=self.header.dtype)


@dataclass(frozen=True)
class OnGrid:
    """Another raster on `grid`: bilinear, or `nearest` for classes and masks; `fill` where it holds nothing."""

    raster: Raster
    grid: GeoBox
    fill: float
    nearest: bool = False

    @property
    def header(self) -> Header:
        """With the grid; `fill` is its no-data value, unless the raster declared none and 0 is understood."""
        nodata = None if self.raster.header.nodata is None and self.fill == 0 else self.fill
        return replace(self.raster.header, geobox=self.grid, nodata=nodata)

    def read(self, window: Window) -> NDArray[Any]:
        """(C, h, w) raw values, rounded to the raster's dtype."""
        declared = self.raster.header.nodata
        values = read_on(
            self.raster, self.grid, window, nodata=self.fill if declared is None else declared, nearest=self.nearest
        )
        dtype = np.dtype(self.raster.header.dtype)
        empty = np.isnan(values)
        rounded = np.rint(values) if np.issubdtype(dtype, np.integer) else values
        return np.where(empty, self.fill, rounded).astype(dtype)


@dataclass(frozen=True)
class Stacked:
    """The bands of several rasters of one grid, one after another; they store alike (see `alike`)."""

    rasters: tuple[Raster, ...]

    @property
    def header(self) -> Header:
        """Of the first, with the bands of all."""
        headers = [raster.header for raster in self.rasters]
        return replace(
            headers[0],
            name=joint_name(headers),
            descriptions=tuple(band for header in headers for band in header.descriptions),
            scales=tuple(scale for header in headers for scale in header.scales),
            offsets=tuple(offset for header in headers for offset in header.offsets),
        )

    def read(self, window: Window) -> NDArray[Any]:
        """(C, h, w) raw values."""
        return np.concatenate([raster.read(window) for raster in self.rasters])


@dataclass(frozen=True)
class Mosaic:
    """Several rasters of one grid and the same bands over each other: each pixel is of the first that holds data."""

    rasters: tuple[Raster, ...]

    @property
    def header(self) -> Header:
        """Of the first."""
        headers = [raster.header for raster in self.rasters]
        return replace(headers[0], name=joint_name(headers))

    def read(self, window: Window) -> NDArray[Any]:
        """(C, h, w) raw values."""
        pixels = self.rasters[0].read(window).copy()
        for raster in self.rasters[1:]:
            empty = is_empty(pixels, self.header)
            if not empty.any():
                break
            pixels[:, empty] = raster.read(window)[:, empty]
        return pixels


def joint_name(headers: Sequence[Header]) -> str:
    """The name of the first, and how many more there are."""
    names = list(dict.fromkeys(header.name for header in headers))
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def is_empty(pixels: NDArray[Any], header: Header) -> Bool:
    """(h, w) True where no band holds data: all at the no-data value; where none is declared at 0, of floats at NaN."""
    nodata = fill_of(header)
    return np.asarray((np.isnan(pixels) if math.isnan(nodata) else pixels == nodata).all(axis=0))


def fill_of(header: Header) -> float:
    """What stands for no data in it: the declared value, else 0, of floats NaN."""
    if header.nodata is not None:
        return header.nodata
    return 0.0 if np.issubdtype(np.dtype(header.dtype), np.integer) else math.nan


def select(raster: Raster, bands: Sequence[int]) -> Raster:
    """These bands, from 0, of `raster`; the raster itself where they are all of it."""
    if tuple(bands) == tuple(range(len(raster.header.descriptions))):
        return raster
    return raster.select(bands) if isinstance(raster, Selectable) else Selection(raster, tuple(bands))


def on_grid(raster: Raster, grid: GeoBox, *, nearest: bool = False, fill: float | None = None) -> Raster:
    """The raster on `grid`; itself where it lies there."""
    if same_grid(raster.header.geobox, grid):
        return raster
    return OnGrid(raster, grid, fill_of(raster.header) if fill is None else fill, nearest)


def alike(rasters: Sequence[Raster]) -> tuple[Raster, ...]:
    """The rasters of reflectance as they are where all store alike, else each as reflectance in float32.

    Raises `InvalidPixelsError` for a dtype or scale that can be none.
    """
    ways = {_storage(raster.header) for raster in rasters}
    return tuple(rasters) if len(ways) == 1 else tuple(as_reflectance(raster) for raster in rasters)


def as_reflectance(raster: Raster) -> Raster:
    """Reflectance in float32, NaN without data. Raises `InvalidPixelsError`."""
    header = raster.header
    radiometries = [
        detect_radiometry(header.name, dtype=header.dtype, scales=[scale], offsets=[offset], nodata=header.nodata)
        for scale, offset in zip(header.scales, header.offsets, strict=True)
    ]

    def convert(dn: NDArray[Any]) -> Float32:
        out: Float32 = np.stack([one.to_reflectance(band) for one, band in zip(radiometries, dn, strict=True)])
        for one, band, plane in zip(radiometries, dn, out, strict=True):
            plane[~one.has_data(band[None])] = np.nan
        return out

    count = len(header.descriptions)
    stored = replace(header, dtype="float32", nodata=math.nan, scales=(1.0,) * count, offsets=(0.0,) * count)
    return Converted(raster, stored, convert)


def _storage(header: Header) -> tuple[object, ...]:
    """dtype, no-data value, scales and offsets, comparable."""
    return header.dtype, str(header.nodata), tuple(sorted(set(header.scales))), tuple(sorted(set(header.offsets)))
