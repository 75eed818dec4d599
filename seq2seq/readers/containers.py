"""The container of an input: a folder, an archive, or none, where it is a single file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from seq2seq.readers import archive
from seq2seq.readers.base import Member, Root
from seq2seq.readers.folder import list_folder
from seq2seq.readers.formats import wanted
from seq2seq.readers.formats.zarr import is_packed_store


@contextmanager
def unpacked(path: Path, name: str | None = None) -> Iterator[Root]:
    """The files at `path` that some format wants. name: what the user calls it.

    A file whose name a format wants is one of its own, also where it is packed like an archive, as .npz is; so is a ZIP
    of Zarr stores, whose thousands of chunks stay packed. What an archive is unpacked to goes with the context. Raises
    `InputError`s for folders that cannot be listed and for archives that cannot be read or must not.
    """
    if path.is_dir():
        yield list_folder(path, name=name or str(path))
    elif wanted(PurePosixPath(own_name := name or path.name)) or is_packed_store(path):
        yield Root(name or str(path), path, "file", (Member(own_name, path),))
    elif archive.recognises(path):
        with archive.unpacked(path, name=own_name) as root:
            yield root
    else:
        yield Root(name or str(path), path, "file", ())
