"""What is uploaded: a file as it is, or a folder as a stored ZIP of the files that a run would read."""

import errno
import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from api.client.errors import InvalidPayload

# The layout that `seq2seq.readers` knows; a test holds the two against each other.
_SENSORS = ("S2", "S1", "MASK")
_SUFFIXES = (".tif", ".tiff")
_PIECE = 1 << 20
_PLAIN_FILE = 0o100644 << 16
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

# Called with the bytes done and the bytes in all.
OnBytes = Callable[[int, int], None]


@dataclass(frozen=True)
class Payload:
    """A file to upload under `name`; sha256 is hexadecimal."""

    file: Path
    name: str
    size: int
    sha256: str


@contextmanager
def packed(path: Path, *, on_bytes: OnBytes) -> Iterator[Payload]:
    """`path`, a file or a folder, as one file; an archive made for that is gone after. Raises `InvalidPayload`.

    The same folder gives the same bytes whenever it is packed: a broken upload can be continued by another process.
    """
    if path.is_file():
        yield _payload(path, path.name, on_bytes)
        return
    if not path.is_dir():
        raise InvalidPayload(f"{path}: is neither file nor folder" if path.exists() else f"{path}: does not exist")
    files = files_of(path)
    with tempfile.TemporaryDirectory(prefix="decloud-") as scratch:
        archive = Path(scratch, "sequence.zip")
        _pack(files, archive)
        yield _payload(archive, f"{path.absolute().name or 'sequence'}.zip", on_bytes)


def files_of(folder: Path) -> list[tuple[str, Path]]:
    """Names in the archive and files, sorted: the GeoTIFFs of S2, S1 and MASK, and nothing else of what lies there.

    Raises `InvalidPayload` where there is no S2.
    """
    try:
        found = [
            (f"{entry.parent.name}/{entry.name}", entry)
            for sensor in folder.iterdir()
            if sensor.name.upper() in _SENSORS and sensor.is_dir()
            for entry in sensor.iterdir()
            if entry.suffix.lower() in _SUFFIXES and not entry.name.startswith(".") and entry.is_file()
        ]
        there = ", ".join(sorted(entry.name for entry in folder.iterdir())[:8]) or "nothing"
    except OSError as error:
        raise InvalidPayload(f"{error.filename or folder}: cannot be listed ({error.strerror})") from error
    if not any(name.upper().startswith("S2/") for name, _ in found):
        raise InvalidPayload(f"{folder}: has no GeoTIFF in a folder S2; it holds {there}")
    return sorted(found)


def _pack(files: list[tuple[str, Path]], archive: Path) -> None:
    """Stored: GeoTIFFs are compressed already, or compress badly."""
    needed = 0
    try:
        needed = sum(file.stat().st_size for _, file in files)
        with zipfile.ZipFile(archive, "x", zipfile.ZIP_STORED) as target:
            for name, file in files:
                member = zipfile.ZipInfo(name)  # of 1980, always
                member.external_attr, member.create_system = _PLAIN_FILE, 3
                with file.open("rb") as source, target.open(member, "w", force_zip64=True) as packed_file:
                    shutil.copyfileobj(source, packed_file, _PIECE)
    except OSError as error:
        if error.errno in _NO_SPACE:
            folder = archive.parent.parent
            raise InvalidPayload(
                f"{folder}: has no room for the archive of {needed / 1e6:,.0f} MB; set TMPDIR to a folder that has"
            ) from error
        raise InvalidPayload(f"{error.filename or archive}: cannot be read ({error.strerror})") from error


def _payload(file: Path, name: str, on_bytes: OnBytes) -> Payload:
    try:
        with file.open("rb") as stream:
            size = file.stat().st_size
            sha256 = _digest(stream, size, on_bytes)
    except OSError as error:
        raise InvalidPayload(f"{file}: cannot be read ({error.strerror})") from error
    if size == 0:
        raise InvalidPayload(f"{file}: is empty")
    return Payload(file, name, size, sha256)


def _digest(stream: IO[bytes], size: int, on_bytes: OnBytes) -> str:
    digest, done = hashlib.sha256(), 0
    while piece := stream.read(_PIECE):
        digest.update(piece)
        done += len(piece)
        on_bytes(min(done, size), size)
    return digest.hexdigest()
