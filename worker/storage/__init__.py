"""Where files are kept: a folder, or an S3-compatible object store, behind the same few calls.

Keys are made by us, such as `results/JOB/ATTEMPT/declouded/2021-05-01.tif`, and files never change once stored; a
second put of a key replaces the whole.
"""

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Protocol

from worker.errors import InvalidSettings
from worker.storage.files import Source
from worker.storage.local import LocalStorage
from worker.storage.objects import ObjectStorage

__all__ = ["LocalStorage", "ObjectStorage", "Source", "Storage", "open_storage"]


class Storage(Protocol):
    """Does what every storage does. Calls block; each may be made from any thread.

    Raised: `InvalidKey`, `NotFound`, `RangeNotSatisfiable`, `StorageFullError` (with the numbers), `StorageUnavailable`
    (worth another try). What the source of a put raises passes as it is, and nothing is stored then.
    """

    def put(self, key: str, source: Source, *, take: bool = False) -> None:
        """Stores bytes, a plain file or an iterator's pieces, whole or not at all, replacing what was there.

        `take`: the file is ours to have and is gone after, on one file system without a copy.
        """

    def get(self, key: str, path: Path, *, link: bool = False) -> None:
        """Writes the stored file to `path`, whole or not at all, making its folder.

        `link`: a second name of the stored file will do where that can be had; it must never be changed then.
        """

    def open_range(self, key: str, start: int = 0, end: int | None = None) -> Generator[bytes, None, None]:
        """Reads bytes `start` to `end` (exclusive; None: to the last) in pieces of a few MiB at most.

        The call itself raises what is wrong, before any byte. `close()` ends it early.
        """

    def read_now(self, key: str, start: int, end: int) -> memoryview | None:
        """Reads bytes `start` to `end` (exclusive) where they lie in this machine's memory, and never waits; else None.

        Raises what `open_range` raises, where it can tell.
        """

    def delete_prefix(self, prefix: str) -> None:
        """Deletes the key `prefix` and every key below `prefix/`, no other. Deleting nothing is no error."""


def open_storage(url: str | Path, options: Mapping[str, str] | None = None) -> Storage:
    """Opens `file:///FOLDER` or a path (a folder, made where missing), or `s3://BUCKET/PREFIX` with options for it.

    What follows `file://` is taken as it is, without percent-decoding. Raises `InvalidSettings`.
    """
    text = str(url)
    if text.startswith("s3://"):
        return ObjectStorage(text, options)
    folder = text.removeprefix("file://")
    if "://" in folder or not folder:
        raise InvalidSettings("storage_url is not of the form file:///FOLDER or s3://BUCKET/PREFIX")
    if text.startswith("file://") and not folder.startswith("/"):
        raise InvalidSettings(f"storage_url {text} names a machine; a folder here has three slashes: file:///FOLDER")
    if options:
        raise InvalidSettings(f"storage_options ({', '.join(sorted(options))}) are for object stores, not for {text}")
    return LocalStorage(Path(folder))
