"""A folder as a container: its files, as deep as those of any format lie. Light: a client packs what is listed here."""

from itertools import islice
from pathlib import Path, PurePosixPath

from seq2seq.errors import UnreadableFileError
from seq2seq.readers.base import Member, Root
from seq2seq.readers.formats import depth, wanted

MAX_ENTRIES = 20_000


def list_folder(path: Path, *, name: str) -> Root:
    """The files in the folder that some format wants, and the names of all else. Raises `UnreadableFileError`."""
    try:
        top = sorted(path.iterdir())
        entries = _entries(top, depth())
        if len(entries) > MAX_ENTRIES:
            raise UnreadableFileError(
                f"{name}: holds more than {MAX_ENTRIES:,} files and folders; give the folder of the images alone"
            )
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
    """All of them that are no folders, what lies in those that are, and folders that are hidden or of the last level.

    Walking ends soon after `MAX_ENTRIES`: what is given may be somebody's whole disk.
    """
    if levels == 1 or len(entries) > MAX_ENTRIES:
        return entries
    folders = [entry for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    files = sorted(set(entries).difference(folders))
    inside = sorted(islice((entry for folder in folders for entry in folder.iterdir()), MAX_ENTRIES + 1))
    return files + _entries(inside, levels - 1) if inside else files
