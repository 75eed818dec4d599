"""A ZIP of the folder layout, inflated into a private folder under names of ours, with caps while inflating."""

import errno
import stat
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from seq2seq.errors import OutputError, UnreadableFileError, UnsafeArchiveError
from seq2seq.readers.contents import Contents
from seq2seq.readers.layout import FoundFile, read_layout, sensor_of

_NESTED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
_PIECE = 2**20


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may cost: members, and bytes after inflating, of one file and of all."""

    members: int = 10_000
    file_bytes: int = 8 * 2**30
    total_bytes: int = 64 * 2**30


DEFAULT_LIMITS = ArchiveLimits()


def recognises(path: Path) -> bool:
    """True for a file that is called or begins like a ZIP."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return path.suffix.lower() == ".zip" or file.read(2) == b"PK"


@contextmanager
def open_contents(path: Path) -> Iterator[Contents]:
    """The rasters in the archive, inflated into a temporary folder that goes with the context."""
    with tempfile.TemporaryDirectory(prefix="decloud-") as folder:
        files, warnings = extract(path, Path(folder))
        yield read_layout(files, source=path.name, warnings=warnings)


def extract(path: Path, folder: Path, *, limits: ArchiveLimits = DEFAULT_LIMITS) -> tuple[list[FoundFile], list[str]]:
    """Inflates the GeoTIFFs of S2, S1 and MASK into `folder` as 0.tif, 1.tif, ...; also says what it left out.

    Raises `UnsafeArchiveError` for what no honest archive holds (ways out of the folder, links, encryption, duplicate
    names, archives within, more than `limits`), `UnreadableFileError` for a damaged one, `OutputError` where the disk
    is full.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = _checked_members(archive, path.name, limits)
            found, ignored = _chosen(members)
            return _inflate(archive, found, folder, path.name, limits), _warn(ignored)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError, RuntimeError) as error:
        raise UnreadableFileError(f"{path.name}: not a readable ZIP ({str(error)[:160]})") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise OutputError(f"{path.name}: no space left on {tempfile.gettempdir()} to unpack it") from error
        raise UnreadableFileError(f"{path.name}: cannot be read ({error.strerror or error})") from error


def _checked_members(archive: zipfile.ZipFile, source: str, limits: ArchiveLimits) -> list[zipfile.ZipInfo]:
    """All files of the archive, after every check that needs no inflating."""
    members = archive.infolist()
    if len(members) > limits.members:
        raise UnsafeArchiveError(f"{source}: {len(members)} members, at most {limits.members} are allowed")
    seen: set[str] = set()
    for member in members:
        _check_member(member, source)
        key = str(_relative(member)).casefold()
        if key in seen:
            raise UnsafeArchiveError(f"{source}: {member.filename!r} is there more than once")
        seen.add(key)
    declared = sum(member.file_size for member in members)
    if declared > limits.total_bytes:
        raise UnsafeArchiveError(
            f"{source}: inflates to {declared:,} bytes, at most {limits.total_bytes:,} are allowed"
        )
    return [member for member in members if not member.is_dir()]


def _check_member(member: zipfile.ZipInfo, source: str) -> None:
    name, relative = member.filename, _relative(member)
    mode = member.external_attr >> 16
    if not relative.parts:
        raise UnsafeArchiveError(f"{source}: {member.orig_filename!r} is no name of a file")
    if any(unicodedata.category(character) == "Cc" for character in name):
        raise UnsafeArchiveError(f"{source}: {member.orig_filename!r} has control characters in its name")
    if "\0" in member.orig_filename or relative.is_absolute() or ".." in relative.parts or ":" in name[:2]:
        raise UnsafeArchiveError(f"{source}: {member.orig_filename!r} leaves the archive's folder")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnsafeArchiveError(f"{source}: {name!r} is a link or a device")
    if member.flag_bits & 0x1:
        raise UnsafeArchiveError(f"{source}: {name!r} is encrypted")
    if relative.suffix.lower() in _NESTED:
        raise UnsafeArchiveError(f"{source}: {name!r} is an archive within the archive")


def _relative(member: zipfile.ZipInfo) -> PurePosixPath:
    return PurePosixPath(member.filename.replace("\\", "/"))  # some Windows programs write backslashes


def _chosen(members: list[zipfile.ZipInfo]) -> tuple[dict[str, zipfile.ZipInfo], list[str]]:
    """The members to inflate by `SENSOR/name`, and the names left out. One folder around everything is allowed."""
    relatives = [(member, _relative(member)) for member in members if "__MACOSX" not in member.filename]
    tops = {relative.parts[0] for _, relative in relatives}
    wrapped = len(tops) == 1 and all(sensor_of(relative) is None for _, relative in relatives)
    found, ignored = {}, []
    for member, relative in relatives:
        inner = PurePosixPath(*relative.parts[1:]) if wrapped else relative
        sensor = sensor_of(inner)
        if sensor:
            found[f"{sensor}/{inner.name}"] = member
        else:
            ignored.append(str(relative))
    return found, ignored


def _inflate(
    archive: zipfile.ZipFile, found: dict[str, zipfile.ZipInfo], folder: Path, source: str, limits: ArchiveLimits
) -> list[FoundFile]:
    files, total = [], 0
    for index, (name, member) in enumerate(sorted(found.items())):
        target = folder / f"{index}.tif"
        allowed = min(limits.file_bytes, limits.total_bytes - total)
        total += _inflate_member(archive, member, target, allowed, source)
        files.append(FoundFile(name.split("/")[0], name, target))
    return files


def _inflate_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, allowed: int, source: str) -> int:
    """Bytes written. What the member declares is not believed: they are counted as they come."""
    written = 0
    with archive.open(member) as packed, target.open("xb") as plain:
        while piece := packed.read(_PIECE):
            written += len(piece)
            if written > allowed:
                raise UnsafeArchiveError(f"{source}: {member.filename!r} inflates to more than {allowed:,} bytes")
            plain.write(piece)
    return written


def _warn(ignored: list[str]) -> list[str]:
    strays = [name for name in ignored if not PurePosixPath(name).name.startswith(".")]
    return [f"{len(strays)} files of the archive were ignored: {', '.join(strays[:5])}"] if strays else []
