"""GeoTIFF: the content must be a TIFF's, whole, with a CRS that keeps to itself, before GDAL sees it."""

from pathlib import Path

import numpy as np

from seq2seq.errors import UnreadableFileError, concerning
from seq2seq.readers.gdal_file import MAX_BANDS, GdalFile, check_crs_text
from seq2seq.readers.tiff_extent import declared_bytes, tag_contents

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # classic and big TIFF, little and big endian

_GEO_ASCII = 34737  # GeoAsciiParamsTag


class GeoTiff(GdalFile):
    """One GeoTIFF."""

    driver = "GTiff"
    called = "GeoTIFF"


def open_geotiff(path: Path, *, name: str, date: np.datetime64, max_bands: int = MAX_BANDS) -> GeoTiff:
    """Reads and checks the header; no pixel. `name` is what messages call the file.

    Raises `UnreadableFileError` for what is no TIFF, corrupt or too large, `MisalignedGridsError` without CRS or
    position.
    """
    with concerning(name, date):
        _check_magic(path, name)
        _check_structure(path, name)
        return GeoTiff.of(path, name=name, date=date, max_bands=max_bands)


def check_first_bytes(start: bytes, name: str) -> None:
    """Raises `UnreadableFileError` where a file that begins with these bytes, 4 or more, is no TIFF."""
    if not start:
        raise UnreadableFileError(f"{name}: is empty (0 bytes)")
    if start[:4] not in MAGIC:
        raise UnreadableFileError(f"{name}: is not a TIFF, its first bytes are {start[:4]!r}")


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
    for text in crs_texts:
        check_crs_text(text, name)
