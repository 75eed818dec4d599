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

from seq2seq.readers.contents import Header, Raster, Window
from seq2seq.readers.geotiff import pixel_errors
from seq2seq.readers.pairing import gsd_m, same_grid

# As good as exact: what the approximate transformer gives depends on the window, and windows must equal the crop of
# the whole. (0 would say so, but rasterio 1.4 cannot make such a dataset.)
WARP_TOLERANCE_PX = 1e-9


@runtime_checkable
class GdalRaster(Protocol):
    """A raster that GDAL has open, so that no more of it is decoded than a window needs."""

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
    with (
        _dataset(raster) as dataset,
        pixel_errors(raster.header, window),
        WarpedVRT(dataset, **target, **fill, **how) as warped,
    ):
        return np.asarray(warped.read(window=window.ranges), dtype=np.float32)


def _dataset(raster: Raster) -> AbstractContextManager[Any]:
    return raster.dataset() if isinstance(raster, GdalRaster) else _in_memory(raster)


@contextmanager
def _in_memory(raster: Raster) -> Iterator[Any]:
    """The whole of a raster that no file of GDAL's holds."""
    header: Header = raster.header
    height, width = header.geobox.shape
    pixels = raster.read(Window(0, height, 0, width))
    shape = {"count": len(pixels), "height": height, "width": width, "dtype": pixels.dtype}
    place = {"crs": header.geobox.crs.to_wkt(), "transform": header.geobox.affine}
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", **shape, **place) as written:
            written.write(pixels)
        with memory.open() as dataset:
            yield dataset
