"""A folder as a container: its files, as deep as those of any format lie. Light: a client packs what is listed here."""

from pathlib import Path, PurePosixPath

from seq2seq.errors import UnreadableFileError
from seq2seq.readers.base import Member, Root
from seq2seq.readers.formats import depth, wanted
from seq2seq.readers.formats.zarr import is_store

# Names within a Zarr store: groups, an array, its axes.
_STORE_DEPTH = 16


def list_folder(path: Path, *, name: str) -> Root:
    """The files in the folder that some format wants, and the names of all else. Raises `UnreadableFileError`."""
    try:
        top = sorted(path.iterdir())
        entries = _entries(top, _STORE_DEPTH if is_store(path) else depth())
        members, others = [], []
        for entry in entries:
            relative = entry.relative_to(path).as_posix()
            if wanted(PurePosixPath(relative)) and entry.is_file():
                members.append(Member(relative, entry))
            else:
                others.append(relative)
    except OSError as error:
        raise UnreadableFileError(f"{name}: cannot be listed ({error.strerror})") from error
    return Root(name, path, "folder", tuple(members), tuple(others), tuple(entry.name for entry in top))


def _entries(entries: list[Path], levels: int) -> list[Path]:
    """All of them that are no folders, what lies in those that are, and the folders of the last level.

    Stores of Zarr are listed whole, wherever they lie.
    """
    stores = {entry for entry in entries if entry.is_dir() and is_store(entry)} if levels <= depth() else set()
    if stores:
        inside = sorted(entry for folder in stores for entry in folder.iterdir())
        return _entries([entry for entry in entries if entry not in stores], levels) + _entries(inside, _STORE_DEPTH)
    if levels == 1:
        return entries
    files = [entry for entry in entries if not entry.is_dir()]
    inside = sorted(entry for folder in entries if folder.is_dir() for entry in folder.iterdir())
    return files + _entries(inside, levels - 1) if inside else files
