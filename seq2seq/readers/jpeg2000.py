"""JPEG 2000 (.jp2), opened as safely as GeoTIFF: whole, within budgets, and with no word of other files."""

import re
from pathlib import Path

import numpy as np

from seq2seq.errors import UnreadableFileError, concerning
from seq2seq.readers.gdal_file import MAX_BANDS, GdalFile, check_bands, check_chunk, check_crs_text, check_size
from seq2seq.readers.jp2_extent import SIGNATURE, Codestream, structure_of

MAX_BITS = 16
_DECODED_BYTES = 4  # OpenJPEG decodes every value to 32 bits
# Boxes that name a codestream's pieces in other files (JPX).
_REFERRING_BOXES = frozenset({b"dtbl", b"ftbl"})
# GMLJP2 places the image in XML, which could send a reader elsewhere; what stays in the file or is a mere name may be.
_REFERENCE = re.compile(rb"""(?i)<!DOCTYPE|<!ENTITY|xlink:href\s*=\s*(?!["'](?:#|gmljp2:|urn:))""")


class Jpeg2000(GdalFile):
    """One JPEG 2000 file."""

    driver = "JP2OpenJPEG"
    called = "JPEG 2000"


def open_jpeg2000(path: Path, *, name: str, date: np.datetime64, max_bands: int = MAX_BANDS) -> Jpeg2000:
    """Reads and checks the header; no pixel. `name` is what messages call the file.

    Raises `UnreadableFileError` for what is no JPEG 2000, corrupt, truncated or too large, `MisalignedGridsError`
    without CRS or position.
    """
    with concerning(name, date):
        image = _checked_structure(path, name, max_bands)
        opened = Jpeg2000.of(path, name=name, date=date, max_bands=max_bands)
        if opened.header.geobox.shape != image.shape:
            raise UnreadableFileError(f"{name}: its header and its codestream state different sizes")
        return opened


def check_first_bytes(start: bytes, name: str) -> None:
    """Raises `UnreadableFileError` where a file that begins with these 12 bytes is no JPEG 2000."""
    if not start:
        raise UnreadableFileError(f"{name}: is empty (0 bytes)")
    if start[: len(SIGNATURE)] != SIGNATURE:
        raise UnreadableFileError(f"{name}: is not a JPEG 2000 file, its first bytes are {start[:12]!r}")


def _checked_structure(path: Path, name: str, max_bands: int) -> Codestream:
    """The image that the file declares, after every check that needs no decoding and no GDAL."""
    try:
        with path.open("rb") as file:
            check_first_bytes(file.read(len(SIGNATURE)), name)
        structure = structure_of(path)
    except OSError as error:
        raise UnreadableFileError(f"{name}: cannot be opened ({error.strerror})") from error
    except ValueError as error:
        raise UnreadableFileError(f"{name}: the file is corrupt or truncated ({error})") from error
    _check_budgets(structure.image, name, max_bands)
    if structure.missing_tiles:
        raise UnreadableFileError(
            f"{name}: the file is truncated, {structure.missing_tiles:,} of its {structure.image.tiles:,} tiles are "
            "missing"
        )
    if structure.kinds & _REFERRING_BOXES or _REFERENCE.search(structure.metadata):
        raise UnreadableFileError(f"{name}: its metadata point to another file, which is not opened")
    check_crs_text(structure.metadata, name)
    return structure.image


def _check_budgets(image: Codestream, name: str, max_bands: int) -> None:
    """Everything that makes decoding expensive."""
    check_size(image.shape[1], image.shape[0], name)
    check_bands(len(image.components), name, max_bands)
    check_chunk(image.tile[0] * image.tile[1] * len(image.components) * _DECODED_BYTES, name)
    if len(set(image.components)) > 1:
        raise UnreadableFileError(f"{name}: bands differ in precision or size")
    if image.components[0].step != (1, 1):
        raise UnreadableFileError(f"{name}: its bands are subsampled, which is not read")
    if image.components[0].bits > MAX_BITS:
        raise UnreadableFileError(f"{name}: {image.components[0].bits} bits a value, at most {MAX_BITS} are read")
