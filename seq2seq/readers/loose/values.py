"""Raw values brought to what the sequence's readers expect: no data as NaN, power, reflectance, hidden slopes blank."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.radiometry import S2_SCALE
from seq2seq.readers.acquisitions import sample_windows
from seq2seq.readers.composed import Converted, on_grid
from seq2seq.readers.contents import Header, Raster, Window
from seq2seq.readers.mask_kinds import Rule
from seq2seq.sequence import Float32

# Reflectance never has its brightest hundredth above 3; digital numbers of dark water still have theirs at 200.
_LOWEST_BRIGHT_DN = 200.0
_BRIGHT = 0.99
_SAMPLED = 3  # rasters: the first, one in between, the last


@dataclass(frozen=True)
class Blanked:
    """Radar without data where its own mask, on the same grid, says that nothing was measured."""

    raster: Raster
    mask: Raster
    masked: Rule

    @property
    def header(self) -> Header:
        """Of the raster; NaN stands for no data."""
        return replace(self.raster.header, dtype="float32", nodata=math.nan)

    def read(self, window: Window) -> Float32:
        """(C, h, w) values as stored, NaN without data."""
        raw = self.raster.read(window)
        values = raw.astype(np.float32)
        declared = self.raster.header.nodata
        values[raw == (0 if declared is None else declared)] = np.nan
        values[:, self.masked(self.mask.read(window)[0])] = np.nan
        return values


def blanked(raster: Raster, mask: Raster, masked: Rule) -> Blanked:
    """The raster, blank where the first band of `mask`, on whatever grid, is masked."""
    return Blanked(raster, on_grid(mask, raster.header.geobox, nearest=True, fill=0), masked)


def power(raster: Raster) -> Raster:
    """Amplitude as power, its square."""
    header = replace(raster.header, dtype="float32")
    return Converted(raster, header, lambda values: values.astype(np.float32) ** 2)


def without_infinities(raster: Raster) -> Raster:
    """Floating point with NaN for no data: infinities, the declared value, and 0 in all bands where none is declared.

    Whole numbers stay as they are, for their no-data values are understood.
    """
    header = raster.header
    if np.issubdtype(np.dtype(header.dtype), np.integer):
        return raster
    declared = header.nodata

    def convert(values: NDArray[Any]) -> NDArray[Any]:
        empty = ~np.isfinite(values)
        empty |= (values == 0).all(axis=0) if declared is None else values == declared
        return np.where(empty, np.asarray(np.nan, dtype=values.dtype), values)

    return Converted(raster, replace(header, nodata=math.nan), convert)


def bright_values(rasters: Sequence[Raster]) -> float:
    """The brightest hundredth of a sample, NaN where there is no data."""
    chosen = {0, len(rasters) // 2, len(rasters) - 1} if len(rasters) > _SAMPLED else set(range(len(rasters)))
    parts = []
    for index in sorted(chosen):
        raster = rasters[index]
        for window in sample_windows(raster.header):
            values = raster.read(window)
            parts.append(values[np.isfinite(values) & (values != 0)])
    values = np.concatenate(parts) if parts else np.empty(0)
    return float(np.quantile(values, _BRIGHT)) if values.size else math.nan


def are_unscaled(rasters: Sequence[Raster]) -> bool:
    """Whether floating point without a stated scale holds reflectance x 10000, as Earth Engine writes it."""
    headers = [raster.header for raster in rasters]
    unstated = all(set(header.scales) == {1.0} and set(header.offsets) == {0.0} for header in headers)
    floating = all(not np.issubdtype(np.dtype(header.dtype), np.integer) for header in headers)
    return bool(headers) and unstated and floating and bright_values(rasters) >= _LOWEST_BRIGHT_DN


def scaled(raster: Raster) -> Raster:
    """The same values, which state that they are reflectance x 10000."""
    count = len(raster.header.descriptions)
    return Converted(raster, replace(raster.header, scales=(S2_SCALE,) * count), lambda values: values)
