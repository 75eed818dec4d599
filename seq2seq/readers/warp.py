"""Resampling of rasters that lie on grids of their own to the grid of S2: nothing else resamples."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.vrt import WarpedVRT

from seq2seq.readers.contents import Raster, Window
from seq2seq.readers.gdal_file import pixel_errors
from seq2seq.readers.pairing import footprint, gsd_m, same_grid

# As good as exact: what the approximate transformer gives depends on the window, and windows must equal the crop of
# the whole. (0 would say so, but rasterio 1.4 cannot make such a dataset.)
WARP_TOLERANCE_PX = 1e-9
# Beyond the outline of a window: bilinear interpolation looks one pixel of the coarser grid aside, sides may bend.
_KERNEL_PX = 4


@runtime_checkable
class GdalRaster(Protocol):
    """A raster that GDAL has open, so that no more of it is decoded than a window needs.

    indexes: the bands of the dataset that it consists of, from 1; None: all.
    """

    @property
    def indexes(self) -> tuple[int, ...] | None: ...  # noqa: D102

    def dataset(self) -> AbstractContextManager[Any]:
        """A rasterio dataset."""


def read_on(
    raster: Raster, grid: GeoBox, window: Window, *, nodata: float, nearest: bool = False
) -> NDArray[np.floating[Any]]:
    """(C, h, w) values as stored, on a window of `grid`, bilinear or nearest; NaN for `nodata` and outside the raster.

    Raises `UnreadableFileError`.
    """
    if same_grid(raster.header.geobox, grid):
        stored = raster.read(window)
        values = stored.astype(np.result_type(stored.dtype, np.float32))  # as wide as it takes to hold them
        values[stored == nodata] = np.nan
        return values
    height, width = grid.shape
    target = {"crs": grid.crs.to_wkt(), "transform": grid.affine, "height": height, "width": width}
    fill = {"src_nodata": nodata, "nodata": float("nan"), "dtype": "float32"}
    fill |= {"src_crs": raster.header.geobox.crs.to_wkt()}
    # left to itself, GDAL widens the kernel by a ratio that it estimates anew for each window
    ratio = str(min(1.0, gsd_m(raster.header.geobox) / gsd_m(grid)))
    resampling = Resampling.nearest if nearest else Resampling.bilinear
    how = {"resampling": resampling, "tolerance": WARP_TOLERANCE_PX, "XSCALE": ratio, "YSCALE": ratio}
    opened = raster.dataset() if isinstance(raster, GdalRaster) else _in_memory(raster, grid, window)
    indexes = raster.indexes if isinstance(raster, GdalRaster) else None
    with (
        opened as dataset,
        pixel_errors(raster.header, window),
        WarpedVRT(dataset, **target, **fill, **how) as warped,
    ):
        return np.asarray(warped.read(indexes, window=window.ranges), dtype=np.float32)


@contextmanager
def _in_memory(raster: Raster, grid: GeoBox, window: Window) -> Iterator[Any]:
    """As much as a window of `grid` shows of a raster that no file of GDAL's holds."""
    source = raster.header.geobox
    part = _seen(source, grid, window)
    pixels = raster.read(part)
    shape = {"count": len(pixels), "height": part.shape[0], "width": part.shape[1], "dtype": pixels.dtype}
    place = {"crs": source.crs.to_wkt(), "transform": source[part.slices].affine}
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", **shape, **place) as written:
            written.write(pixels)
        with memory.open() as dataset:
            yield dataset


def _seen(source: GeoBox, grid: GeoBox, window: Window) -> Window:
    """The pixels of `source` that resampling to a window of `grid` looks at, or a few where it looks at none."""
    height, width = source.shape
    outline = footprint(grid[window.slices], source.crs)
    if outline is None:
        return Window(0, height, 0, width)
    west, south, east, north = outline.boundingbox
    columns, rows = ~source.affine @ (np.array([west, west, east, east]), np.array([south, north, south, north]))
    margin = _KERNEL_PX * max(1, int(np.ceil(gsd_m(grid) / gsd_m(source))))
    row, row_end = _bounded(rows, height, margin)
    column, column_end = _bounded(columns, width, margin)
    return Window(row, row_end, column, column_end)


def _bounded(places: NDArray[np.floating[Any]], length: int, margin: int) -> tuple[int, int]:
    """From (included) and to (excluded), inside the raster and never empty."""
    first = min(max(0, int(np.floor(places.min())) - margin), length - 1)
    return first, max(first + 1, min(length, int(np.ceil(places.max())) + margin))
