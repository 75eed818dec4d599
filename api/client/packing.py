"""The payload of an upload: a file as it is, or a folder as a stored ZIP of the files that its format reads."""

import errno
import hashlib
import io
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from api.client.errors import InvalidPayload
from seq2seq.errors import InputError
from seq2seq.readers.folder import list_folder
from seq2seq.readers.formats import FORMATS, format_of, is_single_file

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
        yield _pack(files, Path(scratch, f"{path.absolute().name or 'sequence'}.zip"), on_bytes)


def files_of(folder: Path) -> list[tuple[str, Path]]:
    """Names in the archive and files, sorted: what the format of the folder reads, and nothing else of what lies there.

    Raises `InvalidPayload` where it is of no format.
    """
    try:
        root = list_folder(folder, name=str(folder))
    except InputError as error:
        raise InvalidPayload(str(error)) from error
    known = format_of(root)
    if known is None:
        wanted = " or ".join(known.example for known in FORMATS if not is_single_file(known))
        there = ", ".join(root.top[:8]) or "nothing"
        raise InvalidPayload(f"{folder}: has nothing like {wanted}; it holds {there}")
    return sorted((member.name, member.path) for member in root.narrowed(known.wants).members)


def _pack(files: list[tuple[str, Path]], archive: Path, on_bytes: OnBytes) -> Payload:
    """Stored: GeoTIFFs are compressed already, or compress badly."""
    needed = 0
    try:
        needed = sum(file.stat().st_size for _, file in files)
        with archive.open("xb") as file:
            target = _Summed(file, lambda done: on_bytes(min(done, needed), needed))
            _write_zip(files, target)
        return Payload(archive, archive.name, target.size, target.digest.hexdigest())
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise InvalidPayload(
                f"{tempfile.gettempdir()}: has no room for the archive of {needed / 1e6:,.0f} MB; "
                "set TMPDIR to a folder that has"
            ) from error
        raise InvalidPayload(f"{error.filename or archive}: cannot be read ({error.strerror})") from error


def _write_zip(files: list[tuple[str, Path]], target: "_Summed") -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, path in files:
            member = zipfile.ZipInfo(name)  # of 1980, always
            member.external_attr, member.create_system = _PLAIN_FILE, 3
            with path.open("rb") as source, archive.open(member, "w", force_zip64=True) as packed_file:
                shutil.copyfileobj(source, packed_file, _PIECE)


class _Summed(io.RawIOBase):
    """Passes bytes on and sums them; written from front to back, as no seek is offered."""

    def __init__(self, file: IO[bytes], on_size: Callable[[int], None]) -> None:
        self._file, self._on_size = file, on_size
        self.digest, self.size = hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._file.write(content)
        self.digest.update(content)
        self.size += len(content)
        self._on_size(self.size)
        return len(content)


def _payload(file: Path, name: str, on_bytes: OnBytes) -> Payload:
    """A file of the user's, read once for its sum."""
    digest, done = hashlib.sha256(), 0
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            while piece := stream.read(_PIECE):
                digest.update(piece)
                done += len(piece)
                on_bytes(min(done, size), size)
    except OSError as error:
        raise InvalidPayload(f"{file}: cannot be read ({error.strerror})") from error
    if done == 0:
        raise InvalidPayload(f"{file}: is empty")
    return Payload(file, name, done, digest.hexdigest())
