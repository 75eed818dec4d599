"""A folder as a container: its files, as deep as those of any format lie. Light: a client packs what is listed here."""

from pathlib import Path, PurePosixPath

from seq2seq.errors import UnreadableFileError
from seq2seq.readers.base import Member, Root
from seq2seq.readers.formats import depth, wanted


def list_folder(path: Path, *, name: str) -> Root:
    """The files in the folder that some format wants, and the names of all else. Raises `UnreadableFileError`."""
    try:
        top = sorted(path.iterdir())
        entries = _entries(top, depth())
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
    """All of them that are no folders, what lies in those that are, and the folders of the last level."""
    if levels == 1:
        return entries
    files = [entry for entry in entries if not entry.is_dir()]
    inside = sorted(entry for folder in entries if folder.is_dir() for entry in folder.iterdir())
    return files + _entries(inside, levels - 1) if inside else files
