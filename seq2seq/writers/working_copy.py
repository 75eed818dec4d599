"""Writes working copies of sequences (see `seq2seq.readers.working_copy`): lossless, tiled, quick to write and read."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
from rasterio.crs import CRS

from seq2seq.errors import InputError, OutputError, UnreadableFileError
from seq2seq.readers.contents import Contents, Header, Raster, Window
from seq2seq.readers.geotiff import open_geotiff
from seq2seq.readers.names import s1_bands, s2_bands
from seq2seq.readers.working_copy import CopiedFile, Manifest
from seq2seq.writers.failures import one_line_errors
from seq2seq.writers.output import describe_failure

TILE_PX = 256
# Decoded and written at a time. A file stored in larger blocks is read in those, so that each is decoded once.
WINDOW_BYTES = 64 * 2**20
# What the copy's header must share with the original's, beside the bands and the CRS.
_FACTS = ("size", "transform", "dtype", "no-data value", "scale", "offset", "simulated", "product", "orbit")

OnRaster = Callable[[int, int, str], None]


def write_working_copy(contents: Contents, folder: Path, *, origin: str, on_raster: OnRaster) -> None:
    """Copies every raster of `contents`, whose S2 and S1 headers have been checked, into the empty `folder`.

    origin: the name of the sequence in messages and reports. on_raster: called before each file with its index, their
    number, and its name. Raises `UnreadableFileError` for pixels that cannot be decoded, `OutputError` where a file
    cannot be written.
    """
    named = [(sensor, raster) for sensor, rasters in contents.by_sensor() for raster in rasters]
    files = []
    for index, (sensor, raster) in enumerate(named):
        on_raster(index, len(named), raster.header.name)
        file = CopiedFile(sensor, str(raster.header.date), raster.header.name)
        path = folder / file.path
        with one_line_errors(path):
            path.parent.mkdir(exist_ok=True)
            _copy(raster, path, descriptions=_descriptions(sensor, raster.header))
        files.append(_compared(file, raster.header, path))
    with one_line_errors(folder):
        Manifest(origin, contents.fingerprint, contents.warnings, tuple(files), contents.format).write(folder)


def _descriptions(sensor: str, header: Header) -> Sequence[str | None]:
    """The names that the reader understood from the user's; none where the file has none, so that the copy has none."""
    if sensor in ("MASK", "SCL") or not any(header.descriptions):
        return [None] * len(header.descriptions)
    return (s2_bands if sensor == "S2" else s1_bands)(header.descriptions, name=header.name)


def _copy(raster: Raster, path: Path, *, descriptions: Sequence[str | None]) -> None:
    header, dtype = raster.header, np.dtype(raster.header.dtype)
    height, width = header.geobox.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=height,
        width=width,
        count=len(descriptions),
        dtype=header.dtype,
        crs=CRS.from_user_input(header.geobox.crs),
        transform=header.geobox.affine,
        nodata=header.nodata,
        tiled=True,
        blockxsize=_tile_px(width),
        blockysize=_tile_px(height),
        interleave="pixel",
        # four times as fast as deflate, and no larger
        compress="zstd",
        zstd_level=1,
        predictor={"f": 3, "u": 2, "i": 2}.get(dtype.kind, 1),
        bigtiff="IF_SAFER",
    ) as copy:
        if any(descriptions):
            copy.descriptions = tuple(descriptions)
        copy.scales, copy.offsets = header.scales, header.offsets
        if header.simulated:
            copy.update_tags(SIMULATED="YES")
        copy.update_tags(**header.product.tags())
        if header.sun:
            copy.update_tags(**header.sun.tags())
        if header.orbit:
            copy.update_tags(ORBIT=header.orbit)
        for window in _windows((height, width), header.chunk, pixel_bytes=dtype.itemsize * len(descriptions)):
            copy.write(raster.read(window), window=window.ranges)


def _windows(shape: tuple[int, int], chunk: tuple[int, int], *, pixel_bytes: int) -> Iterator[Window]:
    """Whole chunks of the source, as many as fit; whole tiles of the copy where that leaves any."""
    (height, width), (rows, columns) = shape, np.minimum(chunk, shape).tolist()
    columns = _grown(columns, width, most=WINDOW_BYTES // (rows * pixel_bytes))
    rows = _grown(rows, height, most=WINDOW_BYTES // (columns * pixel_bytes))
    for row in range(0, height, rows):
        for column in range(0, width, columns):
            yield Window(row, min(height, row + rows), column, min(width, column + columns))


def _grown(pixels: int, length: int, *, most: int) -> int:
    """A multiple of `pixels` up to `most`, of the tile where it can be, at most `length` and at least `pixels`."""
    multiple = pixels * max(1, most // pixels)
    if multiple > TILE_PX and multiple > pixels:
        multiple -= multiple % TILE_PX
    return min(length, multiple)


def _tile_px(length: int) -> int:
    """TIFF wants multiples of 16."""
    return min(TILE_PX, -(-length // 16) * 16)


def _compared(file: CopiedFile, header: Header, path: Path) -> CopiedFile:
    """The entry of the manifest, after the copy's header was read back and found to be the original's."""
    try:
        copied = open_geotiff(path, name=file.path, date=header.date).header
    except InputError as error:  # ours, so not the user's: GDAL does not report every full disk
        raise OutputError(describe_failure(path, str(error))) from error
    for what, ours, theirs in zip(_FACTS, _facts(copied), _facts(header), strict=True):
        if ours != theirs:
            raise UnreadableFileError(
                f"{file.name}: {what} {theirs[:80]} cannot be kept, it would become {ours[:80]}",
                file=file.name,
                date=file.date,
            )
    same_crs = copied.geobox.crs.to_wkt() == header.geobox.crs.to_wkt()
    return file if same_crs else replace(file, crs=header.geobox.crs.to_wkt())


def _facts(header: Header) -> tuple[str, ...]:
    """In the order of _FACTS, as text, in which NaN equals NaN."""
    size, transform = tuple(header.geobox.shape), tuple(header.geobox.affine)
    facts = (
        size,
        transform,
        header.dtype,
        header.nodata,
        header.scales,
        header.offsets,
        header.simulated,
        header.product,
        header.orbit,
    )
    return tuple(map(repr, facts))
