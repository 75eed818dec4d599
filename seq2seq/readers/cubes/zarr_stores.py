"""Read-only stores of Zarr: the files of a folder, or the members of a ZIP that stays packed. Keys are looked up among
what lies there, so that no key leads anywhere else."""

import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from seq2seq.errors import UnreadableFileError, UnsafeArchiveError
from seq2seq.readers.archive import ArchiveLimits, checked_members, relative_name
from seq2seq.readers.base import Root

# A store of a tile and a year has some ten thousand chunks; nothing of them is unpacked.
_MOST_MEMBERS = 300_000
_PIECE = 2**20


class Store(Protocol):
    """Named pieces of bytes."""

    @property
    def keys(self) -> Mapping[str, object]:
        """Names of all pieces."""

    def read(self, key: str, most: int, *, start: int = 0) -> bytes:
        """All bytes from `start`, which may be counted from the end, `most` at most. Raises `UnreadableFileError`."""

    def size(self, key: str) -> int:
        """Bytes of a piece."""

    def pieces(self, key: str) -> Iterator[bytes]:
        """All bytes, one after another."""


@dataclass(frozen=True)
class FolderStore:
    """Files by their names."""

    name: str
    keys: Mapping[str, Path]

    def read(self, key: str, most: int, *, start: int = 0) -> bytes:
        """From the disk."""
        try:
            with self.keys[key].open("rb") as stream:
                if start:
                    stream.seek(start, os.SEEK_SET if start > 0 else os.SEEK_END)
                return stream.read(most)
        except OSError as error:
            raise UnreadableFileError(
                f"{self.name}, {key}: cannot be read ({error.strerror})", file=self.name
            ) from error

    def size(self, key: str) -> int:
        """On the disk."""
        return self.keys[key].stat().st_size

    def pieces(self, key: str) -> Iterator[bytes]:
        """From the disk."""
        with self.keys[key].open("rb") as stream:
            while piece := stream.read(_PIECE):
                yield piece


@dataclass(frozen=True)
class ZipStore:
    """Members of an archive, inflated as they are read."""

    name: str
    archive: zipfile.ZipFile
    keys: Mapping[str, zipfile.ZipInfo]

    def read(self, key: str, most: int, *, start: int = 0) -> bytes:
        """Of what the member declares; bytes are counted as they come."""
        try:
            with self.archive.open(self.keys[key]) as stream:
                if start:
                    stream.seek(start if start > 0 else max(0, self.size(key) + start))
                return stream.read(most)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise UnreadableFileError(
                f"{self.name}, {key}: cannot be read ({str(error)[:120]})", file=self.name
            ) from error

    def size(self, key: str) -> int:
        """As declared."""
        return self.keys[key].file_size

    def pieces(self, key: str) -> Iterator[bytes]:
        """Inflated; no more than is declared, which the archive's limits bound."""
        left, limit = self.size(key), _PIECE
        try:
            with self.archive.open(self.keys[key]) as stream:
                while left > 0 and (piece := stream.read(min(limit, left))):
                    left -= len(piece)
                    yield piece
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise UnreadableFileError(
                f"{self.name}, {key}: cannot be read ({str(error)[:120]})", file=self.name
            ) from error


@contextmanager
def opened_store(root: Root) -> Iterator[Store]:
    """The store of an input, as long as the context. Raises `UnsafeArchiveError` for links and what no archive has."""
    if root.container != "file":
        _check_links(root)
        yield FolderStore(root.name, {member.name: member.path for member in root.members})
        return
    try:
        with zipfile.ZipFile(root.path) as archive:
            limits = ArchiveLimits(members=_MOST_MEMBERS)
            members = checked_members(archive, root.name, limits)
            declared, allowed = sum(one.file_size for one in members), limits.allowed(root.path.stat().st_size)
            if declared > allowed:
                raise UnsafeArchiveError(
                    f"{root.name}: inflates to {declared:,} bytes, an archive of its size may to {allowed:,}"
                )
            yield ZipStore(root.name, archive, {str(relative_name(member)): member for member in members})
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
        raise UnreadableFileError(f"{root.name}: not a readable ZIP ({str(error)[:160]})", file=root.name) from error


def _check_links(root: Root) -> None:
    """A store is what lies in its folder: nothing in it may point out of it."""
    seen: set[Path] = set()
    for member in root.members:
        path = member.path
        while path not in seen and path != root.path:
            seen.add(path)
            if path.is_symlink():
                name = path.relative_to(root.path).as_posix() if root.path in path.parents else member.name
                raise UnsafeArchiveError(f"{root.name}: '{name}' is a link, which is not followed", file=name)
            if root.path not in path.parents:
                break
            path = path.parent


def store_fingerprint(store: Store, keys: list[str]) -> str:
    """sha256 over names and contents: the same for a folder, its copy and its archive."""
    digest = sha256()
    for key in sorted(keys):
        content = sha256()
        for piece in store.pieces(key):
            content.update(piece)
        digest.update(f"{key}\0{content.hexdigest()}\n".encode())
    return digest.hexdigest()
