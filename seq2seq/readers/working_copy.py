"""A working copy of a sequence: `S2/DATE.tif`, `S1/`, `MASK/` in files of ours, and what the originals were called.

A reconstruction cannot tell it from the original: pixels, headers, pairing, warnings, names in messages and fingerprint
are the same. A service makes one in a sandbox, so that nothing later touches a user's bytes.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox

from seq2seq.errors import MissingDataError, UnreadableFileError
from seq2seq.readers.contents import Contents
from seq2seq.readers.formats import FORMATS
from seq2seq.readers.formats.sensor_folders import SENSORS
from seq2seq.readers.geotiff import GeoTiff, open_geotiff

MANIFEST = "decloud-sequence.json"


@dataclass(frozen=True)
class CopiedFile:
    """One acquisition. name: what the user calls it. crs: WKT, where a GeoTIFF cannot keep it as it was."""

    sensor: str
    date: str
    name: str
    crs: str | None = None

    @property
    def path(self) -> str:
        """Within the copy."""
        return f"{self.sensor}/{self.date}.tif"

    def __post_init__(self) -> None:
        if self.sensor not in SENSORS or date.fromisoformat(self.date).isoformat() != self.date:
            raise ValueError(f"{self.sensor!r} of {self.date!r} is no acquisition")


@dataclass(frozen=True)
class Manifest:
    """The facts that the files do not state. origin: what the copy was made of. files: each sensor's sorted by date.
    format: what it came in; copies of before do not say.
    """

    origin: str
    fingerprint: str
    warnings: tuple[str, ...]
    files: tuple[CopiedFile, ...]
    format: str | None = None

    def write(self, folder: Path) -> None:
        """Into the copy, at its end: a folder without it is no working copy."""
        (folder / MANIFEST).write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """From a copy. Raises `UnreadableFileError`."""
        try:
            values = json.loads((folder / MANIFEST).read_text())
            files = tuple(_file(entry) for entry in values["files"])
            warnings = tuple(str(warning) for warning in values["warnings"])
            known = next((each.name for each in FORMATS if each.name == values.get("format")), None)
            return cls(str(values["origin"]), str(values["fingerprint"]), warnings, files, known)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UnreadableFileError(f"{folder.name}/{MANIFEST}: is no list of a working copy ({error!r})") from error


def recognises(path: Path) -> bool:
    """True for a folder with a manifest."""
    return (path / MANIFEST).is_file()


@contextmanager
def open_contents(path: Path) -> Iterator[Contents]:
    """The rasters of the copy, under the names of the originals. Raises what damaged files raise."""
    manifest = Manifest.read(path)
    if not any(file.sensor == "S2" for file in manifest.files):
        raise MissingDataError(f"{path.name}: lists no file of S2")
    yield Contents(
        s2=_rasters(path, manifest.files, "S2"),
        s1=_rasters(path, manifest.files, "S1"),
        masks=_rasters(path, manifest.files, "MASK"),
        scl=_rasters(path, manifest.files, "SCL"),
        fingerprint=manifest.fingerprint,
        warnings=manifest.warnings,
        origin=Path(manifest.origin),
        format=manifest.format,
    )


def _rasters(folder: Path, files: Sequence[CopiedFile], sensor: str) -> list[GeoTiff]:
    return [_raster(folder, file) for file in files if file.sensor == sensor]


def _raster(folder: Path, file: CopiedFile) -> GeoTiff:
    opened = open_geotiff(folder / file.path, name=file.name, date=np.datetime64(file.date, "D"))
    if file.crs is None:
        return opened
    geobox = GeoBox(opened.header.geobox.shape, opened.header.geobox.affine, file.crs)
    return replace(opened, header=replace(opened.header, geobox=geobox))


def _file(entry: dict[str, Any]) -> CopiedFile:
    sensor, date, name = (str(entry[key]) for key in ("sensor", "date", "name"))
    return CopiedFile(sensor, date, name, str(entry["crs"]) if entry.get("crs") else None)
