"""Cloud-optimised GeoTIFFs from windows: the scene is never in memory as a whole."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.env import GDALVersion
from rasterio.windows import Window

from seq2seq.bands import S2_BANDS, Band
from seq2seq.products.base import RasterProfile
from seq2seq.writers.failures import one_line_errors
from seq2seq.writers.output import temporary_beside
from seq2seq.writers.statistics import BandStatistics

Block = tuple[Window, NDArray[Any]]

_OF_SCREENS = ("red", "green", "blue")
# The COG driver's own default; web clients fetch one such tile per request.
BLOCK_PX = 512
# Room for GDAL's blocks while it copies, MiB: without a bound it takes 5 % of the machine.
_CACHE_MB = 128


def write_cog(path: Path, blocks: Iterable[Block], *, geobox: GeoBox, profile: RasterProfile) -> None:
    """Writes `blocks`, pairs of a window and its values (C, h, w), as one COG that `profile` describes.

    The windows, in any order, cover the grid once. The statistics of each band are stated in the file. Compression is
    deflate with the predictor of the dtype. The file appears under its name only when complete and read back.

    Raises `OutputError` (full disk, no permission), and ValueError where blocks do not fit bands, dtype or grid.
    """
    with (
        temporary_beside(path, ".tif") as tiled,
        temporary_beside(path, ".cog.tif") as optimised,
        one_line_errors(path),
        rasterio.Env(GDAL_CACHEMAX=_CACHE_MB, GDAL_NUM_THREADS="2"),
    ):
        _write_tiled(tiled, blocks, geobox=geobox, profile=profile)
        rasterio.shutil.copy(
            tiled,
            optimised,
            driver="COG",
            blocksize=BLOCK_PX,
            compress="deflate",
            predictor="YES",
            overview_resampling=profile.overviews,
            bigtiff="IF_SAFER",
            statistics="YES",  # those that are there are copied, none is computed again
        )
        _read_back(optimised)
        os.replace(optimised, path)


def _write_tiled(path: Path, blocks: Iterable[Block], *, geobox: GeoBox, profile: RasterProfile) -> None:
    """A plain tiled GeoTIFF: the only layout that takes windows in any order."""
    (height, width), count = geobox.shape, len(profile.bands)
    statistics = [BandStatistics(profile.nodata) for _ in profile.bands]
    with _new_tiled(path, geobox, profile) as dataset:
        dataset.descriptions = profile.bands
        dataset.scales, dataset.offsets = (profile.scale,) * count, (profile.offset,) * count
        dataset.units = (profile.unit,) * count
        dataset.update_tags(**profile.tags)
        _describe_bands(dataset, profile.bands)
        for window, values in blocks:
            _check_block(window, values, count=count, dtype=profile.dtype, shape=(height, width))
            dataset.write(values, window=window)
            for band, image in zip(statistics, values, strict=True):
                band.add(image)
        for index, band in enumerate(statistics, start=1):
            dataset.update_tags(index, **band.tags())
    written_px = statistics[0].pixels
    if written_px != height * width:
        raise ValueError(f"blocks hold {written_px} pixels, the grid has {height} x {width} = {height * width}")


def _new_tiled(path: Path, geobox: GeoBox, profile: RasterProfile) -> Any:
    height, width = geobox.shape
    return rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=height,
        width=width,
        count=len(profile.bands),
        dtype=profile.dtype,
        crs=CRS.from_user_input(geobox.crs),
        transform=geobox.affine,
        nodata=profile.nodata,
        tiled=True,
        blockxsize=256,
        blockysize=256,
        compress="deflate",
        zlevel=1,  # read once and thrown away: speed before size
        bigtiff="IF_SAFER",
    )


def _describe_bands(dataset: Any, bands: tuple[str, ...]) -> None:
    """Colour and centre wavelength of the sensor's bands, by which viewers choose red, green and blue."""
    known = [S2_BANDS.get(name) for name in bands]
    if not any(known):
        return
    dataset.colorinterp = [_colour(band) for band in known]
    for index, band in enumerate(known, start=1):
        if band:
            dataset.update_tags(index, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=f"{band.wavelength_nm / 1000:g}")


def _colour(band: Band | None) -> ColorInterp:
    """GDAL before 3.10 knows only what screens have."""
    known = band is not None and (band.colour in _OF_SCREENS or GDALVersion.runtime().at_least("3.10"))
    return ColorInterp[band.colour] if band and known else ColorInterp.undefined


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
