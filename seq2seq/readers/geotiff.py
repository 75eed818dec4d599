"""GeoTIFF, opened so that a hostile file can reach nothing but itself.

GDAL follows what files point to: a VRT saved as `x.tif`, or a sidecar `x.tif.ovr` that is one, reads any file of the
host. So the content must be a TIFF's, only the GTiff driver may open it, sidecars are not looked for, and headers are
checked against budgets before any pixel is decoded. Drivers are not removed (`GDAL_SKIP`) here: that would outlast us
in the caller's process; a sandbox sets it in the environment of its own.
"""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import ColorInterp, Interleaving, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from seq2seq.errors import MisalignedGridsError, UnreadableFileError, concerning
from seq2seq.readers.contents import Header, Window, selected
from seq2seq.readers.stated import stated_product
from seq2seq.readers.tiff_extent import declared_bytes, tag_contents

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # classic and big TIFF, little and big endian
MAX_PIXELS = 250_000_000  # a Sentinel-2 tile at 10 m has 120 560 400
MAX_BANDS = 32
MAX_CHUNK_BYTES = 2**30  # one strip or tile is decoded whole, whatever window is asked for

# In the texts of a CRS (GeoAsciiParamsTag, where the ESRI flavour keeps a whole WKT): shift grids, which PROJ opens.
# `@null` is none: web Mercator has it.
_GEO_ASCII = 34737
_GRID_FILE = re.compile(rb"(?i)PROJ4_GRIDS|PARAMETERFILE|EXTENSION[^]]*(?:grids|init|catalog)\s*=\s*(?!@null[\"\s])")

_HARDENED = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_GEOREF_SOURCES": "INTERNAL",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
}


@dataclass(frozen=True)
class GeoTiff:
    """One GeoTIFF on the local disk. `path` is ours or a folder's entry, never a text that a user wrote.

    indexes: the bands that it consists of, from 1; None: all of the file's.
    """

    path: Path
    header: Header
    indexes: tuple[int, ...] | None = None

    def select(self, bands: Sequence[int]) -> "GeoTiff":
        """The same file with these of its bands, from 0; no other is decoded where they are stored apart."""
        indexes = self.indexes or tuple(range(1, len(self.header.descriptions) + 1))
        return replace(self, header=selected(self.header, bands), indexes=tuple(indexes[band] for band in bands))

    def read(self, window: Window) -> NDArray[Any]:
        """(C, h, w) raw values. Raises `UnreadableFileError` with the rows that failed."""
        with self.dataset() as dataset, pixel_errors(self.header, window):
            return np.asarray(dataset.read(self.indexes, window=window.ranges))

    @contextmanager
    def dataset(self) -> Iterator[Any]:
        """A dataset of GDAL's, for resampling. Raises `UnreadableFileError` where the file has changed since."""
        with _opened(self.path, self.header.name) as dataset:
            yield dataset


@contextmanager
def pixel_errors(header: Header, window: Window) -> Iterator[None]:
    """Around decoding: GDAL's errors become an `UnreadableFileError` with the rows that failed."""
    try:
        yield
    except (RasterioError, rasterio._err.CPLE_BaseError, MemoryError) as error:
        raise UnreadableFileError(
            f"{header.name}: pixels of rows {window.row} to {window.row_end - 1} cannot be read, "
            f"the file is corrupt or truncated ({_one_line(error)})",
            file=header.name,
            date=header.date,
        ) from error


def open_geotiff(path: Path, *, name: str, date: np.datetime64, max_bands: int = MAX_BANDS) -> GeoTiff:
    """Reads and checks the header; no pixel. `name` is what messages call the file.

    Raises `UnreadableFileError` for what is no TIFF, corrupt or too large, `MisalignedGridsError` without CRS or
    position.
    """
    with concerning(name, date):
        _check_magic(path, name)
        _check_structure(path, name)
        with _opened(path, name) as dataset:
            try:
                _check_budgets(dataset, name, max_bands)
                return GeoTiff(path, _header(dataset, name, date))
            except (RasterioError, rasterio._err.CPLE_BaseError, UnicodeDecodeError) as error:
                raise UnreadableFileError(f"{name}: header cannot be read ({_one_line(error)})") from error


def check_first_bytes(start: bytes, name: str) -> None:
    """Raises `UnreadableFileError` where a file that begins with these 4 bytes is no TIFF."""
    if not start:
        raise UnreadableFileError(f"{name}: is empty (0 bytes)")
    if start not in MAGIC:
        raise UnreadableFileError(f"{name}: is not a TIFF, its first bytes are {start!r}")


@contextmanager
def _opened(path: Path, name: str) -> Iterator[Any]:
    with rasterio.Env(**_HARDENED), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # becomes an error with the file's name, below
        try:
            dataset = rasterio.open(path.absolute(), driver="GTiff")
        except (RasterioError, rasterio._err.CPLE_BaseError, UnicodeDecodeError, ValueError) as error:
            raise UnreadableFileError(f"{name}: not a readable GeoTIFF ({_one_line(error)})") from error
        with dataset:
            _check_self_contained(dataset, name)
            yield dataset


def _check_self_contained(dataset: Any, name: str) -> None:
    """GDAL opens what this points to with any driver: refused before anything can make it look for overviews."""
    if any(key.upper() == "OVERVIEW_FILE" for key in dataset.tags(ns="OVERVIEWS")):
        raise UnreadableFileError(f"{name}: its metadata point to another file (OVERVIEW_FILE), which is not opened")


def _check_magic(path: Path, name: str) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise UnreadableFileError(f"{name}: cannot be opened ({error.strerror})") from error
    check_first_bytes(start, name)


def _check_structure(path: Path, name: str) -> None:
    """That the file is whole, and its CRS keeps to itself: GDAL opens a shift grid as soon as it reads the CRS."""
    size = path.stat().st_size
    try:
        declared = declared_bytes(path)
        crs_texts = tag_contents(path, _GEO_ASCII) if declared <= size else []
    except ValueError as error:
        raise UnreadableFileError(f"{name}: the file is corrupt or truncated ({error})") from error
    if declared > size:
        raise UnreadableFileError(f"{name}: the file is truncated, it has {size:,} of {declared:,} bytes")
    if any(_GRID_FILE.search(text) for text in crs_texts):
        raise UnreadableFileError(f"{name}: its CRS points to another file (a shift grid), which is not opened")


def _check_budgets(dataset: Any, name: str, max_bands: int) -> None:
    """Everything that makes decoding expensive, before anything is decoded."""
    if dataset.width * dataset.height > MAX_PIXELS:
        raise UnreadableFileError(
            f"{name}: {dataset.width} x {dataset.height} px, at most {MAX_PIXELS:,} px are allowed"
        )
    if dataset.count > max_bands:
        raise UnreadableFileError(f"{name}: {dataset.count} bands, at most {max_bands} are allowed")
    if len(set(dataset.dtypes)) > 1:
        raise UnreadableFileError(f"{name}: bands have different dtypes {', '.join(dataset.dtypes)}")
    if "int" in dataset.dtypes[0] and dataset.dtypes[0].startswith("complex"):  # GDAL's own, which numpy lacks
        raise UnreadableFileError(f"{name}: dtype {dataset.dtypes[0]} is not read")
    bands_in_chunk = dataset.count if dataset.interleaving == Interleaving.pixel else 1
    chunk_bytes = prod(dataset.block_shapes[0]) * np.dtype(dataset.dtypes[0]).itemsize * bands_in_chunk
    if chunk_bytes > MAX_CHUNK_BYTES:
        raise UnreadableFileError(
            f"{name}: stored in pieces of {chunk_bytes:,} bytes, allowed are {MAX_CHUNK_BYTES:,}; store it tiled"
        )


def _header(dataset: Any, name: str, date: np.datetime64) -> Header:
    return Header(
        name=name,
        date=date,
        geobox=_geobox(dataset, name),
        dtype=dataset.dtypes[0],
        descriptions=tuple(dataset.descriptions),
        nodata=dataset.nodata,
        scales=tuple(dataset.scales),
        offsets=tuple(dataset.offsets),
        chunk=tuple(dataset.block_shapes[0]),
        simulated=dataset.tags().get("SIMULATED") == "YES",
        product=stated_product(dataset.tags()),
        orbit=dataset.tags().get("ORBIT", ""),
        own_mask=MaskFlags.per_dataset in dataset.mask_flag_enums[0] or ColorInterp.alpha in dataset.colorinterp,
    )


def _geobox(dataset: Any, name: str) -> GeoBox:
    if dataset.crs is None:
        raise MisalignedGridsError(f"{name}: has no CRS")
    if dataset.transform.is_identity or dataset.transform.determinant == 0:
        raise MisalignedGridsError(f"{name}: has no position, its geotransform is missing or degenerate")
    try:
        return GeoBox((dataset.height, dataset.width), dataset.transform, dataset.crs.to_wkt())
    except Exception as error:  # pyproj has its own tree; whatever it dislikes, the CRS is the user's
        raise MisalignedGridsError(f"{name}: CRS is not understood ({_one_line(error)})") from error


def _one_line(error: BaseException) -> str:
    """The innermost cause: GDAL's own words, without our paths and line breaks."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = " ".join(str(error).split())
    return text.rsplit("/", 1)[-1][:160] if "/" in text else text[:160]
