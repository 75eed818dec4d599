"""The layout of a folder or archive: `S2/DATE*.tif`, optional `S1/DATE*.tif`, `MASK/DATE*.tif`, `SCL/DATE*.tif`."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath

from seq2seq.errors import DuplicateDatesError, MissingDataError, UnreadableFileError
from seq2seq.readers.contents import Contents
from seq2seq.readers.geotiff import GeoTiff, open_geotiff
from seq2seq.readers.names import parse_date
from seq2seq.readers.unread import advice_among

SENSORS = ("S2", "S1", "MASK", "SCL")
SUFFIXES = (".tif", ".tiff")
MAX_FILES_PER_SENSOR = 1000  # ten years of Sentinel-2 at one place


@dataclass(frozen=True)
class FoundFile:
    """A GeoTIFF of one sensor. `name` is the user's (`S2/2020-08-01.tif`), `path` where its bytes are."""

    sensor: str
    name: str
    path: Path


def sensor_of(relative: PurePosixPath) -> str | None:
    """S2, S1, MASK or SCL for a GeoTIFF in a folder of that name (any case), None for every other file."""
    if len(relative.parts) != 2 or relative.suffix.lower() not in SUFFIXES or relative.name.startswith("."):
        return None
    folder = relative.parts[0].upper()
    return folder if folder in SENSORS else None


def read_layout(
    files: Sequence[FoundFile], *, source: str, warnings: Iterable[str] = (), others: Iterable[str] = ()
) -> Contents:
    """Reads all headers. others: names of what else lies there.

    Raises `MissingDataError` where `source` holds no S2, `UnreadableFileError` where it would be there in a format that
    is not read, and what the files raise.
    """
    if not any(file.sensor == "S2" for file in files):
        if advice := advice_among(others):
            raise UnreadableFileError(f"{source}: {advice}")
        there = ", ".join(sorted({file.sensor for file in files})) or "nothing it could use"
        raise MissingDataError(f"{source}: no GeoTIFF in a folder S2; found {there}")
    return Contents(
        s2=_acquisitions(files, "S2"),
        s1=_acquisitions(files, "S1"),
        masks=_acquisitions(files, "MASK"),
        scl=_acquisitions(files, "SCL"),
        fingerprint=_fingerprint(files),
        warnings=tuple(warnings),
    )


def _acquisitions(files: Sequence[FoundFile], sensor: str) -> list[GeoTiff]:
    """The headers of one sensor's files, sorted by date. Raises `DuplicateDatesError` naming both files."""
    mine = [file for file in files if file.sensor == sensor]
    if len(mine) > MAX_FILES_PER_SENSOR:
        raise UnreadableFileError(f"{sensor}: {len(mine)} files, at most {MAX_FILES_PER_SENSOR} are allowed")
    dated = sorted((parse_date(PurePosixPath(file.name).name, name=file.name), file.name, file.path) for file in mine)
    for (date, name, _), (next_date, next_name, _) in pairwise(dated):
        if date == next_date:
            raise DuplicateDatesError(f"{name} and {next_name} are both of {date}")
    return [open_geotiff(path, name=name, date=date) for date, name, path in dated]


def _fingerprint(files: Sequence[FoundFile]) -> str:
    """sha256 over names and contents: the same for a folder, its copy and its archive."""
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.name):
        with file.path.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        digest.update(f"{file.name}\0{content}\n".encode())
    return digest.hexdigest()
