"""A folder as a container: its files, as deep as those of any format lie. Light: a client packs what is listed here."""

from itertools import islice
from pathlib import Path, PurePosixPath

from seq2seq.errors import UnreadableFileError
from seq2seq.readers.base import Member, Root
from seq2seq.readers.formats import depth, wanted
from seq2seq.readers.formats.zarr import is_store

# Names within a Zarr store: groups, an array, its axes.
_STORE_DEPTH = 16

MAX_ENTRIES = 20_000


def list_folder(path: Path, *, name: str) -> Root:
    """The files in the folder that some format wants, and the names of all else. Raises `UnreadableFileError`."""
    try:
        top = sorted(path.iterdir())
        stored: list[Path] = _in_store(path, _STORE_DEPTH) if is_store(path) else []
        entries = [] if stored else _entries(top, depth(), stored)
        if len(entries) > MAX_ENTRIES:
            raise UnreadableFileError(
                f"{name}: holds more than {MAX_ENTRIES:,} files and folders; give the folder of the images alone"
            )
        members, others = [], []
        for entry in [*entries, *stored]:
            relative = entry.relative_to(path).as_posix()
            if wanted(PurePosixPath(relative)) and entry.is_file():
                members.append(Member(relative, entry))
            else:
                others.append(relative)
    except OSError as error:
        raise UnreadableFileError(f"{name}: cannot be listed ({error.strerror})") from error
    return Root(name, path, "folder", tuple(members), tuple(others), tuple(entry.name for entry in top))


def _entries(entries: list[Path], levels: int, stored: list[Path]) -> list[Path]:
    """All of them that are no folders, what lies in those that are, and folders that are hidden or of the last level.

    What lies in stores of Zarr goes to `stored`, all of it. Walking ends soon after `MAX_ENTRIES`: what is given may be
    somebody's whole disk.
    """
    folders = [entry for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    stores = {folder for folder in folders if is_store(folder)}
    for store in sorted(stores):
        stored += _in_store(store, _STORE_DEPTH)
    files = sorted(set(entries).difference(folders))
    others = [folder for folder in folders if folder not in stores]
    if levels == 1 or len(entries) > MAX_ENTRIES:
        return files + others
    inside = sorted(islice((entry for folder in others for entry in folder.iterdir()), MAX_ENTRIES + 1))
    return files + _entries(inside, levels - 1, stored) if inside else files


def _in_store(folder: Path, levels: int) -> list[Path]:
    """All files of a store, and the folders of the last level."""
    entries = sorted(folder.iterdir())
    if levels == 1:
        return entries
    return [each for entry in entries for each in (_in_store(entry, levels - 1) if entry.is_dir() else [entry])]
