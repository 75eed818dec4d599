"""Cloud-optimised GeoTIFFs from windows: the scene is never in memory as a whole."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio._err import CPLE_BaseError  # what GDAL raises while copying; rasterio exports no public name for it
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.windows import Window

from seq2seq.errors import OutputError
from seq2seq.writers.output import describe_failure, temporary_beside
from seq2seq.writers.statistics import BandStatistics

Block = tuple[Window, NDArray[Any]]

# The COG driver's own default; web clients fetch one such tile per request.
BLOCK_PX = 512
# Room for GDAL's blocks while it copies, MiB: without a bound it takes 5 % of the machine.
_CACHE_MB = 128


def write_cog(
    path: Path,
    blocks: Iterable[Block],
    *,
    geobox: GeoBox,
    dtype: str,
    nodata: float | None,
    bands: tuple[str, ...],
    scale: float = 1.0,
    offset: float = 0.0,
    unit: str | None = None,
    tags: Mapping[str, str] | None = None,
    overviews: Literal["average", "nearest"] = "average",
) -> None:
    """Writes `blocks`, pairs of a window and its values (C, h, w) in `dtype`, as one COG with `bands` as descriptions.

    Physical value = value x `scale` + `offset`, in `unit`, which is stated in the file, as are the statistics of each
    band. The windows, in any order, cover the grid once. Overviews are averages, except "nearest" for classes and
    masks. Compression is deflate with the predictor of the dtype. The file appears under its name only when complete
    and read back.

    Raises `OutputError` (full disk, no permission), and ValueError where blocks do not fit bands, dtype or grid.
    """
    with (
        temporary_beside(path, ".tif") as tiled,
        temporary_beside(path, ".cog.tif") as optimised,
        _one_line_errors(path),
        rasterio.Env(GDAL_CACHEMAX=_CACHE_MB, GDAL_NUM_THREADS="2"),
    ):
        _write_tiled(
            tiled,
            blocks,
            geobox=geobox,
            dtype=dtype,
            nodata=nodata,
            bands=bands,
            scale=scale,
            offset=offset,
            unit=unit,
            tags=tags,
        )
        rasterio.shutil.copy(
            tiled,
            optimised,
            driver="COG",
            blocksize=BLOCK_PX,
            compress="deflate",
            predictor="YES",
            overview_resampling=overviews,
            bigtiff="IF_SAFER",
            statistics="YES",  # those that are there are copied, none is computed again
        )
        _read_back(optimised)
        os.replace(optimised, path)


def _write_tiled(
    path: Path,
    blocks: Iterable[Block],
    *,
    geobox: GeoBox,
    dtype: str,
    nodata: float | None,
    bands: tuple[str, ...],
    scale: float,
    offset: float,
    unit: str | None,
    tags: Mapping[str, str] | None,
) -> None:
    """A plain tiled GeoTIFF: the only layout that takes windows in any order."""
    height, width = geobox.shape
    statistics = [BandStatistics(nodata) for _ in bands]
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=height,
        width=width,
        count=len(bands),
        dtype=dtype,
        crs=CRS.from_user_input(geobox.crs),
        transform=geobox.affine,
        nodata=nodata,
        tiled=True,
        blockxsize=256,
        blockysize=256,
        compress="deflate",
        zlevel=1,  # read once and thrown away: speed before size
        bigtiff="IF_SAFER",
    ) as dataset:
        dataset.descriptions = bands
        dataset.scales, dataset.offsets = (scale,) * len(bands), (offset,) * len(bands)
        dataset.units = (unit,) * len(bands)
        dataset.update_tags(**(tags or {}))
        for window, values in blocks:
            _check_block(window, values, count=len(bands), dtype=dtype, shape=(height, width))
            dataset.write(values, window=window)
            for band, image in zip(statistics, values, strict=True):
                band.add(image)
        for index, band in enumerate(statistics, start=1):
            dataset.update_tags(index, **band.tags())
    written_px = statistics[0].pixels
    if written_px != height * width:
        raise ValueError(f"blocks hold {written_px} pixels, the grid has {height} x {width} = {height * width}")


def _check_block(window: Window, values: NDArray[Any], *, count: int, dtype: str, shape: tuple[int, int]) -> None:
    expected = (count, window.height, window.width)
    if values.shape != expected or values.dtype != np.dtype(dtype):
        raise ValueError(f"block is {values.dtype} {values.shape}, must be {dtype} {expected}")
    (row, row_end), (column, column_end) = window.toranges()
    if row < 0 or column < 0 or row_end > shape[0] or column_end > shape[1]:
        raise ValueError(f"block {window} reaches out of the grid {shape}")


def _read_back(path: Path) -> None:
    """Reads the block that lies last in the file: a disk that filled up at the end is not always an error to GDAL."""
    with rasterio.open(path) as dataset:
        last = Window(dataset.width - 1, dataset.height - 1, 1, 1)
        dataset.read(window=last)


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (RasterioError, CPLE_BaseError, OSError, SystemError) as error:
        # rasterio raises SystemError where GDAL fails without saying why, as it does on some full disks.
        raise OutputError(describe_failure(path, _cause(error))) from error


def _cause(error: BaseException) -> str:
    """The innermost message, on one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split()) or type(error).__name__
