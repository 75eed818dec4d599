"""Statistics of a raster's bands, gathered while its windows are written: no second pass over the pixels."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# GDAL's names; QGIS, gdalinfo and STAC take them from the band's metadata and need not compute them.
_NAMES = (
    "STATISTICS_MINIMUM",
    "STATISTICS_MAXIMUM",
    "STATISTICS_MEAN",
    "STATISTICS_STDDEV",
    "STATISTICS_VALID_PERCENT",
)


@dataclass
class BandStatistics:
    """Statistics of one band, as stored: without scale and offset, and without the pixels that equal `nodata` or are
    NaN.

    Windows are merged by count, mean and sum of squared deviations (Chan, Golub, LeVeque 1979), which stays exact where
    a plain sum of squares would not.
    """

    nodata: float | None
    low: float = math.inf
    high: float = -math.inf
    mean: float = 0.0
    squares: float = 0.0
    valid: int = 0
    pixels: int = 0

    def add(self, values: NDArray[Any]) -> None:
        """Adds one window (h, w) of the band."""
        self.pixels += values.size
        counted = self._counted(values)
        if not counted.size:
            return
        mean, size = float(counted.mean(dtype=np.float64)), counted.size
        squares = float(((counted - mean) ** 2).sum(dtype=np.float64))
        total, apart = self.valid + size, mean - self.mean
        self.squares += squares + apart**2 * self.valid * size / total
        self.mean += apart * size / total
        self.low, self.high = min(self.low, float(counted.min())), max(self.high, float(counted.max()))
        self.valid = total

    def tags(self) -> dict[str, str]:
        """Makes GDAL's metadata items; only the share of valid pixels where none is valid."""
        share = f"{100 * self.valid / max(self.pixels, 1):.4g}"
        if not self.valid:
            return {_NAMES[-1]: share}
        figures = (self.low, self.high, self.mean, math.sqrt(self.squares / self.valid))
        return dict(zip(_NAMES, (*(f"{figure:.14g}" for figure in figures), share), strict=True))

    def _counted(self, values: NDArray[Any]) -> NDArray[Any]:
        counted: NDArray[Any] = (
            values[np.isfinite(values)] if np.issubdtype(values.dtype, np.floating) else values.ravel()
        )
        if self.nodata is None or math.isnan(self.nodata):
            return counted
        return np.asarray(counted[counted != np.asarray(self.nodata, dtype=values.dtype)])
