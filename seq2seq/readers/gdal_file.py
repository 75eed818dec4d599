"""A raster file that GDAL reads with one driver, opened so that it can reach nothing but itself.

GDAL follows what files point to: to sidecars, to overviews in other files, to whatever another driver makes of the
content. So a file is opened with the driver that its content was checked for and with no other, sidecars are not looked
for, and headers are checked against budgets before any pixel is decoded. Drivers are not removed (`GDAL_SKIP`) here:
that would outlast us in the caller's process; a sandbox sets it in the environment of its own.
"""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import ColorInterp, Interleaving, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from seq2seq.errors import MisalignedGridsError, UnreadableFileError
from seq2seq.readers.contents import Header, Window, selected
from seq2seq.readers.stated import stated_product
from seq2seq.readers.sun import stated_sun
from seq2seq.readers.unread import TERRAIN_CORRECTED_S1

MAX_PIXELS = 250_000_000  # a Sentinel-2 tile at 10 m has 120 560 400
MAX_BANDS = 32
MAX_CHUNK_BYTES = 2**30  # one strip or tile is decoded whole, whatever window is asked for

# In the texts of a CRS, where the ESRI flavour of GeoTIFF keeps a whole WKT: shift grids, which PROJ opens.
# `@null` is none: web Mercator has it.
_GRID_FILE = re.compile(rb"(?i)PROJ4_GRIDS|PARAMETERFILE|EXTENSION[^]]*(?:grids|init|catalog)\s*=\s*(?!@null[\"\s])")

HARDENED = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_GEOREF_SOURCES": "INTERNAL",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
}


@dataclass(frozen=True)
class GdalFile:
    """One file on the local disk. `path` is ours or a folder's entry, never a text that a user wrote.

    driver: GDAL's name of the only one that opens it. called: what messages call the format. indexes: the bands that it
    consists of, from 1; None: all of the file's.
    """

    path: Path
    header: Header
    indexes: tuple[int, ...] | None = None

    driver: ClassVar[str]
    called: ClassVar[str]

    def select(self, bands: Sequence[int]) -> Self:
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
        with self._opened(self.path, self.header.name) as dataset:
            yield dataset

    @classmethod
    def of(cls, path: Path, *, name: str, date: np.datetime64, max_bands: int) -> Self:
        """The file with its header checked, after its content has been found to be of the format.

        Raises `UnreadableFileError` for what is corrupt or too large, `MisalignedGridsError` without CRS or position.
        """
        with cls._opened(path, name) as dataset:
            try:
                _check_budgets(dataset, name, max_bands)
                return cls(path, _header(dataset, name, date))
            except (RasterioError, rasterio._err.CPLE_BaseError, UnicodeDecodeError) as error:
                raise UnreadableFileError(f"{name}: header cannot be read ({_one_line(error)})") from error

    @classmethod
    @contextmanager
    def _opened(cls, path: Path, name: str) -> Iterator[Any]:
        with rasterio.Env(**HARDENED), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # becomes an error with the file's name, below
            try:
                dataset = rasterio.open(path.absolute(), driver=cls.driver)
            except (RasterioError, rasterio._err.CPLE_BaseError, UnicodeDecodeError, ValueError) as error:
                raise UnreadableFileError(f"{name}: not a readable {cls.called} ({_one_line(error)})") from error
            with dataset:
                _check_self_contained(dataset, name)
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


def check_size(width: int, height: int, name: str) -> None:
    """Raises `UnreadableFileError` for more pixels than a scene may have."""
    if width * height > MAX_PIXELS:
        raise UnreadableFileError(f"{name}: {width} x {height} px, at most {MAX_PIXELS:,} px are allowed")


def check_bands(count: int, name: str, max_bands: int) -> None:
    """Raises `UnreadableFileError` for more bands than are allowed."""
    if count > max_bands:
        raise UnreadableFileError(f"{name}: {count} bands, at most {max_bands} are allowed")


def check_chunk(chunk_bytes: int, name: str) -> None:
    """Raises `UnreadableFileError` for pieces that cannot be decoded whole."""
    if chunk_bytes > MAX_CHUNK_BYTES:
        raise UnreadableFileError(
            f"{name}: stored in pieces of {chunk_bytes:,} bytes, allowed are {MAX_CHUNK_BYTES:,}; store it tiled"
        )


def check_crs_text(text: bytes, name: str) -> None:
    """Raises `UnreadableFileError` where a CRS asks for a file: GDAL opens a shift grid as soon as it reads the CRS."""
    if _GRID_FILE.search(text):
        raise UnreadableFileError(f"{name}: its CRS points to another file (a shift grid), which is not opened")


def _check_self_contained(dataset: Any, name: str) -> None:
    """GDAL opens what this points to with any driver: refused before anything can make it look for overviews."""
    if any(key.upper() == "OVERVIEW_FILE" for key in dataset.tags(ns="OVERVIEWS")):
        raise UnreadableFileError(f"{name}: its metadata point to another file (OVERVIEW_FILE), which is not opened")


def _check_budgets(dataset: Any, name: str, max_bands: int) -> None:
    """Everything that makes decoding expensive, before anything is decoded."""
    check_size(dataset.width, dataset.height, name)
    check_bands(dataset.count, name, max_bands)
    if len(set(dataset.dtypes)) > 1:
        raise UnreadableFileError(f"{name}: bands have different dtypes {', '.join(dataset.dtypes)}")
    if "int" in dataset.dtypes[0] and dataset.dtypes[0].startswith("complex"):  # GDAL's own, which numpy lacks
        raise UnreadableFileError(f"{name}: dtype {dataset.dtypes[0]} is not read")
    bands_in_chunk = dataset.count if dataset.interleaving == Interleaving.pixel else 1
    chunk_bytes = prod(dataset.block_shapes[0]) * np.dtype(dataset.dtypes[0]).itemsize * bands_in_chunk
    check_chunk(chunk_bytes, name)


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
        sun=stated_sun(dataset.tags()),
        own_mask=MaskFlags.per_dataset in dataset.mask_flag_enums[0] or ColorInterp.alpha in dataset.colorinterp,
    )


def _geobox(dataset: Any, name: str) -> GeoBox:
    if dataset.crs is None and dataset.gcps[0]:
        raise MisalignedGridsError(
            f"{name}: has ground control points and no grid, as Sentinel-1 GRD has in radar geometry, which is not "
            f"terrain-corrected; {TERRAIN_CORRECTED_S1}"
        )
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
