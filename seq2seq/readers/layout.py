"""Reads `formats.SensorFolders`: `S2/DATE*.tif`, optional `S1/DATE*.tif`, `MASK/DATE*.tif`, `SCL/DATE*.tif`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath

from seq2seq.errors import DuplicateDatesError, MissingDataError, Place, UnreadableFileError
from seq2seq.readers.base import Member, Root
from seq2seq.readers.contents import Contents
from seq2seq.readers.formats.sensor_folders import SENSORS, sensor_of
from seq2seq.readers.gdal_file import MAX_BANDS, GdalFile
from seq2seq.readers.images import fingerprint, open_image
from seq2seq.readers.names import parse_date
from seq2seq.readers.unread import advice_among, advice_for
from seq2seq.wording import listed

MAX_FILES_PER_SENSOR = 1000  # ten years of Sentinel-2 at one place
_SIDECARS = (".xml", ".ovr", ".tfw", ".msk", ".txt", ".md", ".json")


@dataclass(frozen=True)
class SensorFile:
    """An image of one sensor. `name` is the user's (`S2/2020-08-01.tif`), `path` where its bytes are."""

    sensor: str
    name: str
    path: Path


@contextmanager
def open_layout(root: Root) -> Iterator[Contents]:
    """Reads all headers.

    Raises `MissingDataError` where `root` holds no S2, `UnreadableFileError` where it would be there in a format that
    is not read, and what the files raise.
    """
    if root.container == "folder" and "S2" not in {name.upper() for name in root.top}:
        if advice := advice_for(root.path):
            raise UnreadableFileError(f"{root.name}: {advice}")
        raise MissingDataError(f"{root.name}: has no folder S2; it holds {', '.join(root.top[:8]) or 'nothing'}")
    files = _files(root)
    if not any(file.sensor == "S2" for file in files):
        if advice := advice_among(root.others):
            raise UnreadableFileError(f"{root.name}: {advice}")
        there = ", ".join(sorted({file.sensor for file in files})) or "nothing it could use"
        raise MissingDataError(f"{root.name}: no GeoTIFF in a folder S2; found {there}")
    yield Contents(
        s2=_acquisitions(files, "S2"),
        s1=_acquisitions(files, "S1"),
        masks=_acquisitions(files, "MASK"),
        scl=_acquisitions(files, "SCL"),
        fingerprint=fingerprint([Member(file.name, file.path) for file in files]),
        warnings=tuple(_ignored(root)),
    )


def _files(root: Root) -> list[SensorFile]:
    """The members, under names in which the folder's is in capitals."""
    relatives = [(PurePosixPath(member.name), member.path) for member in root.members]
    return [
        SensorFile(sensor, f"{sensor}/{relative.name}", path)
        for relative, path in relatives
        if (sensor := sensor_of(relative))
    ]


def _acquisitions(files: Sequence[SensorFile], sensor: str) -> list[GdalFile]:
    """The headers of one sensor's files, sorted by date. Raises `DuplicateDatesError` naming both files."""
    mine = [file for file in files if file.sensor == sensor]
    if len(mine) > MAX_FILES_PER_SENSOR:
        raise UnreadableFileError(f"{sensor}: {len(mine)} files, at most {MAX_FILES_PER_SENSOR} are allowed")
    dated = sorted((parse_date(PurePosixPath(file.name).name, name=file.name), file.name, file.path) for file in mine)
    for (date, name, _), (next_date, next_name, _) in pairwise(dated):
        if date == next_date:
            raise DuplicateDatesError(
                f"{name} and {next_name} are both of {date}",
                file=name,
                date=date,
                others=(Place(next_name, str(date)),),
            )
    return [open_image(Member(name, path), date, max_bands=MAX_BANDS) for date, name, path in dated]


def _ignored(root: Root) -> list[str]:
    """One warning for files that look as if they were meant to be read: in an archive all, in a folder near images."""
    names = [PurePosixPath(name) for name in root.others if not PurePosixPath(name).name.startswith(".")]
    if root.container == "archive":
        return [f"{len(names)} files of the archive were ignored: {listed(names)}"] if names else []
    strays = [
        name
        for name in names
        if len(name.parts) == 2
        and name.parts[0].upper() in SENSORS
        and sensor_of(name) is None
        and name.suffix.lower() not in _SIDECARS
    ]
    return [f"{len(strays)} files are not GeoTIFFs and were ignored: {listed(strays)}"] if strays else []
