"""A folder with `S2/DATE*.tif`, optional `S1/` and `MASK/`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from seq2seq.errors import MissingDataError, UnreadableFileError
from seq2seq.readers.contents import Contents
from seq2seq.readers.layout import SENSORS, FoundFile, read_layout, sensor_of
from seq2seq.readers.unread import advice_for

_SIDECARS = (".xml", ".ovr", ".tfw", ".msk", ".txt", ".md", ".json")


def recognises(path: Path) -> bool:
    """True for a folder."""
    return path.is_dir()


@contextmanager
def open_contents(path: Path) -> Iterator[Contents]:
    """The rasters below `path`. Raises `MissingDataError` without S2, and what the files raise."""
    try:
        entries = sorted(entry for folder in path.iterdir() if folder.is_dir() for entry in folder.iterdir())
        sensors = {folder.name.upper() for folder in path.iterdir() if folder.is_dir()} & set(SENSORS)
    except OSError as error:
        raise UnreadableFileError(f"{path}: cannot be listed ({error.strerror})") from error
    if "S2" not in sensors:
        if advice := advice_for(path):
            raise UnreadableFileError(f"{path}: {advice}")
        there = ", ".join(sorted(entry.name for entry in path.iterdir())[:8]) or "nothing"
        raise MissingDataError(f"{path}: has no folder S2; it holds {there}")
    others = [entry.name for entry in entries]
    yield read_layout(_found(path, entries), source=str(path), warnings=_unused(path, entries), others=others)


def _found(root: Path, entries: list[Path]) -> list[FoundFile]:
    found = []
    for entry in entries:
        relative = PurePosixPath(entry.relative_to(root).as_posix())
        sensor = sensor_of(relative)
        if sensor and entry.is_file():
            found.append(FoundFile(sensor, f"{sensor}/{relative.name}", entry))
    return found


def _unused(root: Path, entries: list[Path]) -> list[str]:
    """One warning for files beside the GeoTIFFs that look as if they were meant to be read."""
    strays = [
        entry.relative_to(root).as_posix()
        for entry in entries
        if entry.parent.name.upper() in SENSORS
        and not entry.name.startswith(".")
        and sensor_of(PurePosixPath(entry.relative_to(root).as_posix())) is None
        and entry.suffix.lower() not in _SIDECARS
    ]
    return [f"{len(strays)} files are not GeoTIFFs and were ignored: {', '.join(strays[:5])}"] if strays else []
