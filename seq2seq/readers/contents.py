"""The contents that every format delivers: rasters with a header and windows of raw values.

Nothing here knows a file format.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from seq2seq.errors import Place
from seq2seq.readers.sun import Sun
from seq2seq.sequence import Bool, Dates

# A strip or tile is found, read and decoded for itself: a pixel each, 2 million take as long as 50 MB in large ones.
PIECE_BYTES = 1024


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels: rows and columns, each from (included) to (excluded)."""

    row: int
    row_end: int
    column: int
    column_end: int

    @property
    def shape(self) -> tuple[int, int]:
        """(h, w)."""
        return self.row_end - self.row, self.column_end - self.column

    @property
    def ranges(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """For rasterio: rows and columns."""
        return (self.row, self.row_end), (self.column, self.column_end)

    @property
    def slices(self) -> tuple[slice, slice]:
        """For indexing the last two axes."""
        return slice(self.row, self.row_end), slice(self.column, self.column_end)

    def grown(self, margin_px: int, *, cell_px: int, shape: tuple[int, int]) -> "Window":
        """Grown by at least `margin_px`, out to multiples of `cell_px`, inside an image of `shape`."""
        row = max(0, self.row - margin_px) // cell_px * cell_px
        column = max(0, self.column - margin_px) // cell_px * cell_px
        row_end = min(shape[0], -(-(self.row_end + margin_px) // cell_px) * cell_px)
        column_end = min(shape[1], -(-(self.column_end + margin_px) // cell_px) * cell_px)
        return Window(row, row_end, column, column_end)

    def within(self, outer: "Window") -> tuple[slice, slice]:
        """The slices that cut this window out of an array that covers `outer`."""
        rows = slice(self.row - outer.row, self.row_end - outer.row)
        return rows, slice(self.column - outer.column, self.column_end - outer.column)


@dataclass(frozen=True)
class StatedProduct:
    """The Sentinel-2 product as metadata state it, None where nothing. baseline: "04.00". add_offset: in DN, -1000."""

    baseline: str | None = None
    add_offset: float | None = None

    def tags(self) -> dict[str, str]:
        """As a file states them."""
        stated = {"PROCESSING_BASELINE": self.baseline, "BOA_ADD_OFFSET": self.add_offset}
        return {name: str(value) for name, value in stated.items() if value is not None}


@dataclass(frozen=True)
class Header:
    """A raster's own statements. `name` is the one the user knows it by.

    descriptions: one text (or None) per band. scales, offsets: one per band, 1 and 0 where the file states none.
    chunk: (rows, columns) of one compressed piece. simulated: the file says that no satellite saw this. own_mask: it
    has a mask or alpha band, which is not read. product: of S2, as far as the file says. orbit: direction and relative
    orbit as far as known, "A088", "D", "088" or "". sun: of S2, as far as metadata say.
    """

    name: str
    date: np.datetime64
    geobox: GeoBox
    dtype: str
    descriptions: tuple[str | None, ...]
    nodata: float | None
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    chunk: tuple[int, int]
    simulated: bool = False
    own_mask: bool = False
    product: StatedProduct = StatedProduct()
    orbit: str = ""
    sun: Sun | None = None

    @property
    def place(self) -> Place:
        """For errors."""
        return Place(self.name, str(self.date))

    @property
    def pixels(self) -> int:
        """Rows x columns."""
        return int(self.geobox.shape[0] * self.geobox.shape[1])

    @property
    def decoded_bytes(self) -> int:
        """Of all bands, whatever little is stored; a piece costs as much as `PIECE_BYTES` however small it is."""
        rows, columns = self.chunk
        pieces = -(-self.geobox.shape[0] // rows) * -(-self.geobox.shape[1] // columns)
        pixel_bytes = self.pixels * np.dtype(self.dtype).itemsize
        return int(max(pixel_bytes, pieces * PIECE_BYTES) * len(self.descriptions))


def selected(header: Header, bands: Sequence[int]) -> Header:
    """The header of these bands, from 0, alone."""
    return replace(
        header,
        descriptions=tuple(header.descriptions[band] for band in bands),
        scales=tuple(header.scales[band] for band in bands),
        offsets=tuple(header.offsets[band] for band in bands),
    )


class Raster(Protocol):
    """One acquisition of one sensor in some file."""

    @property
    def header(self) -> Header:
        """Read when the sequence was opened."""

    def read(self, window: Window) -> NDArray[Any]:
        """(C, h, w) raw values. Raises `UnreadableFileError`."""


class CloudMask(Protocol):
    """One date of the user's own cloud mask, on the grid of S2: 0 and 1, classes, or a probability over a threshold."""

    @property
    def header(self) -> Header:
        """Of what it comes from."""

    def read(self, window: Window) -> Bool:
        """(h, w), True = cloud, shadow or no data. Raises `InvalidPixelsError`, `UnreadableFileError`."""


@dataclass(frozen=True)
class Contents:
    """The rasters of a sequence, each sensor's sorted by date, and what the format has to say about them.

    scl: scene classifications of Level-2A, on grids of their own. fingerprint: hex digest of names and bytes, the same
    for the same input wherever and however it is stored. origin: what a working copy was made of.
    format: that it came in, as `formats.FORMATS` names it; None where nobody has said.
    """

    s2: Sequence[Raster]
    s1: Sequence[Raster]
    masks: Sequence[Raster]
    fingerprint: str
    warnings: tuple[str, ...]
    origin: Path | None = None
    scl: Sequence[Raster] = ()
    format: str | None = None

    def by_sensor(self) -> tuple[tuple[str, Sequence[Raster]], ...]:
        """The rasters under the names of their folders."""
        return ("S2", self.s2), ("S1", self.s1), ("MASK", self.masks), ("SCL", self.scl)


def dates_of(rasters: Sequence[Raster]) -> Dates:
    """(N,) acquisition days."""
    return np.array([raster.header.date for raster in rasters], dtype="datetime64[D]")
