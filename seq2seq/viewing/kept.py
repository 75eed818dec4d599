"""Where the bundle of a result lies: in the result itself, else in a cache beside it, else in a temporary folder."""

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Protocol

from seq2seq.errors import UnreadableFileError
from seq2seq.products import PICTURES, REPORT
from seq2seq.viewing.bundle import SCENE


class Bundle(Protocol):
    """The files of a bundle. Read from any thread."""

    def read(self, path: str) -> bytes | None:
        """The file at this path, with `/`; None where there is none."""


class FolderBundle:
    """A bundle of plain files. Links in it lead nowhere."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, path: str) -> bytes | None:
        """The file at this path."""
        found = file_below(self._folder, path)
        return None if found is None else found.read_bytes()


class PackedBundle:
    """A bundle in one file. Raises `UnreadableFileError` for what is none."""

    def __init__(self, path: Path) -> None:
        try:
            self._archive = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise UnreadableFileError(f"{path}: holds no pictures ({error}); remove it", file=str(path)) from error
        self._lock = Lock()
        if self.read(SCENE) is None:
            raise UnreadableFileError(f"{path}: holds no {SCENE}; remove it", file=str(path))

    def read(self, path: str) -> bytes | None:
        """The file at this path."""
        with self._lock:
            try:
                return self._archive.read(path)
            except KeyError:
                return None


def file_below(folder: Path, path: str) -> Path | None:
    """The plain file that `path`, with `/`, names below `folder`: none that is hidden, linked, or anywhere else."""
    parts = path.split("/")
    if any(not part or part.startswith(".") or "\0" in part or "\\" in part for part in parts):
        return None
    place = folder
    for part in parts:
        place = place / part
        try:
            if place.is_symlink():
                return None
        except OSError:
            return None
    return place if place.is_file() else None


# Writes a bundle into the pack at a path.
Build = Callable[[Path], None]


@contextmanager
def bundle_of(result: Path, build: Build, tell: Callable[[str], None]) -> Iterator[Bundle]:
    """The bundle that the result has, or that was built before, else a new one; `tell` is told where that is kept."""
    if (result / PICTURES.name / SCENE).is_file():
        yield FolderBundle(result / PICTURES.name)
        return
    if (result / PICTURES.path).is_file():
        yield PackedBundle(result / PICTURES.path)
        return
    kept = _cache(result)
    if kept.is_file():
        yield PackedBundle(kept)
        return
    if os.access(kept.parent, os.W_OK | os.X_OK):
        _forget_earlier(kept)
        build(kept)
        tell(f"Pictures are kept in {kept}")
        yield PackedBundle(kept)
        return
    with tempfile.TemporaryDirectory(prefix="decloud-pictures-") as folder:
        tell(f"Pictures are kept in {folder} until the end: {kept.parent} may not be written")
        build(Path(folder) / PICTURES.path)
        yield PackedBundle(Path(folder) / PICTURES.path)


def _cache(result: Path) -> Path:
    """Beside the result, of this very result and version: another report, another name."""
    result = Path(os.path.abspath(result))
    digest = hashlib.sha256(version("decloud").encode() + (result / REPORT.path).read_bytes()).hexdigest()[:12]
    return result.with_name(f".{result.name}.{digest}.{PICTURES.path}")


def _forget_earlier(kept: Path) -> None:
    """Those of results that have been replaced since."""
    stem = kept.name.removesuffix(f".{PICTURES.path}").rpartition(".")[0]
    for entry in kept.parent.iterdir():
        middle = entry.name.removeprefix(f"{stem}.").removesuffix(f".{PICTURES.path}")
        if entry.name == f"{stem}.{middle}.{PICTURES.path}" and len(middle) == 12 and entry.is_file():
            entry.unlink(missing_ok=True)
