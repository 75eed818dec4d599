"""A ZIP as a container: what formats want is inflated, with caps, into a private folder under names of ours."""

import errno
import os
import re
import shutil
import stat
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from seq2seq.errors import OutputError, UnreadableFileError, UnsafeArchiveError, concerning
from seq2seq.readers import formats
from seq2seq.readers.base import Member, Root
from seq2seq.readers.formats import wanted
from seq2seq.readers.formats.loose_images import is_loose
from seq2seq.readers.images import KINDS, START_BYTES

_NESTED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
_PIECE = 2**20
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
# Unpacking may cost this much, and this many bytes for each of the archive. A whole mask of zeros deflates 1000 times,
# but stands beside images, which deflate 2 or 3 times.
FREE_BYTES = 64 * 2**20
EXPANSION = 100


@dataclass(frozen=True)
class ArchiveLimits:
    """The most that an archive may cost: members, and bytes after inflating, of one file and of all.

    expansion: bytes after inflating for each byte of the archive, beyond the first `FREE_BYTES`. disk_floor_bytes: what
    stays free on the disk.
    """

    members: int = 10_000
    file_bytes: int = 8 * 2**30
    total_bytes: int = 64 * 2**30
    expansion: int = EXPANSION
    disk_floor_bytes: int = 256 * 2**20

    def allowed(self, archive_bytes: int) -> int:
        """Bytes that an archive of that size may inflate to."""
        return min(self.total_bytes, FREE_BYTES + self.expansion * archive_bytes)


DEFAULT_LIMITS = ArchiveLimits()


def recognises(path: Path) -> bool:
    """True for a file that is called or begins like a ZIP."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return path.suffix.lower() == ".zip" or file.read(2) == b"PK"


@contextmanager
def unpacked(path: Path, *, name: str) -> Iterator[Root]:
    """The members that formats want, inflated into a temporary folder that goes with the context."""
    with tempfile.TemporaryDirectory(prefix="decloud-") as folder:
        members, ignored = extract(path, Path(folder), name=name)
        yield Root(name, path, "archive", tuple(members), tuple(ignored))


def extract(
    path: Path,
    folder: Path,
    *,
    name: str | None = None,
    limits: ArchiveLimits = DEFAULT_LIMITS,
    is_within: bool = False,
) -> tuple[list[Member], list[str]]:
    """Inflates what any format wants into `folder` as 0.tif, 1.tif, ...; also names what it left out.

    name: what messages call the archive. is_within: it lies in another input, and holds no archive that a format wants.
    Raises `UnsafeArchiveError` for what no honest archive holds (ways out of the folder, links, encryption, duplicate
    names, archives that no format wants, more than `limits`), `UnreadableFileError` for a damaged one or an image that
    does not begin like one, before anything is written; `OutputError` where the disk is full or about to be.
    """
    source = name or path.name
    try:
        with zipfile.ZipFile(path) as archive:
            members = checked_members(archive, source, limits, is_within)
            chosen, ignored = _chosen(members)
            _check_first_bytes(archive, chosen)
            allowed = limits.allowed(path.stat().st_size)
            return _inflate(archive, chosen, folder, source, limits, allowed), ignored
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError, RuntimeError) as error:
        raise UnreadableFileError(f"{source}: not a readable ZIP ({str(error)[:160]})") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise OutputError(f"{source}: no space left on {tempfile.gettempdir()} to unpack it") from error
        raise UnreadableFileError(f"{source}: cannot be read ({error.strerror or error})") from error


def checked_members(
    archive: zipfile.ZipFile, source: str, limits: ArchiveLimits, is_within: bool = False
) -> list[zipfile.ZipInfo]:
    """All files of the archive, after every check that needs no inflating."""
    members = archive.infolist()
    if len(members) > limits.members:
        raise UnsafeArchiveError(f"{source}: {len(members)} members, at most {limits.members} are allowed")
    seen: set[str] = set()
    for member in members:
        _check_member(member, source, is_within)
        key = str(relative_name(member)).casefold()
        if key in seen:
            raise UnsafeArchiveError(f"{source}: {member.filename!r} is there more than once", file=member.filename)
        seen.add(key)
    declared = sum(member.file_size for member in members)
    if declared > limits.total_bytes:
        raise UnsafeArchiveError(
            f"{source}: inflates to {declared:,} bytes, at most {limits.total_bytes:,} are allowed"
        )
    return [member for member in members if not member.is_dir()]


def _check_member(member: zipfile.ZipInfo, source: str, is_within: bool) -> None:
    if fault := _fault(member, is_within):
        name, reason = fault
        raise UnsafeArchiveError(f"{source}: {name!r} {reason}", file=name or None)


def _fault(member: zipfile.ZipInfo, is_within: bool) -> tuple[str, str] | None:
    """The name of a member that no honest archive holds, and what is wrong with it."""
    name, relative = member.filename, relative_name(member)
    mode = member.external_attr >> 16
    if not relative.parts:
        return member.orig_filename, "is no name of a file"
    if any(unicodedata.category(character) == "Cc" for character in name):
        return member.orig_filename, "has control characters in its name"
    if "\0" in member.orig_filename or relative.is_absolute() or ".." in relative.parts or ":" in name[:2]:
        return member.orig_filename, "leaves the archive's folder"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return name, "is a link or a device"
    if member.flag_bits & 0x1:
        return name, "is encrypted"
    if relative.suffix.lower() in _NESTED and (is_within or not wanted(relative)):
        return name, "is an archive within the archive"
    return None


def relative_name(member: zipfile.ZipInfo) -> PurePosixPath:
    """The name of a member as a path within the archive."""
    return PurePosixPath(member.filename.replace("\\", "/"))  # some Windows programs write backslashes


def _chosen(members: list[zipfile.ZipInfo]) -> tuple[dict[str, zipfile.ZipInfo], list[str]]:
    """The members to inflate by name, and the names left out. One folder around everything is allowed."""
    relatives = [(member, relative_name(member)) for member in members if "__MACOSX" not in member.filename]
    wrapped = _is_wrapped([relative for _, relative in relatives])
    chosen, ignored = {}, []
    for member, relative in relatives:
        inner = PurePosixPath(*relative.parts[1:]) if wrapped else relative
        if wanted(inner):
            chosen[str(inner)] = member
        else:
            ignored.append(str(relative))
    return chosen, ignored


def _is_wrapped(relatives: list[PurePosixPath]) -> bool:
    """True where one folder is around everything, which is no product's, and without it an earlier format reads it."""
    tops = {relative.parts[0] for relative in relatives}
    if len(tops) != 1 or any(len(each.parts) == 1 for each in relatives) or not is_loose(PurePosixPath(*tops)):
        return False
    ranks = [_rank(relatives), _rank([PurePosixPath(*relative.parts[1:]) for relative in relatives])]
    return ranks[1] < ranks[0]


def _rank(relatives: list[PurePosixPath]) -> int:
    """The place in `FORMATS` of the first that recognises these names."""
    nothing = Path(os.devnull)  # not yet unpacked: names alone are known
    members = tuple(Member(str(relative), nothing) for relative in relatives)
    root = Root("", Path(), "archive", members)
    ranked = enumerate(formats.FORMATS)
    return next((rank for rank, known in ranked if known.recognises(root.narrowed(known.wants))), len(formats.FORMATS))


def _check_first_bytes(archive: zipfile.ZipFile, chosen: dict[str, zipfile.ZipInfo]) -> None:
    """Of all members that are called images, before the first is unpacked whole."""
    for name, member in sorted(chosen.items()):
        if kind := KINDS.get(PurePosixPath(name).suffix.lower()):
            with archive.open(member) as packed, concerning(name):
                kind.check_first_bytes(packed.read(START_BYTES), name)


def _inflate(
    archive: zipfile.ZipFile,
    chosen: dict[str, zipfile.ZipInfo],
    folder: Path,
    source: str,
    limits: ArchiveLimits,
    allowed: int,
) -> list[Member]:
    files, total = [], 0
    for index, (name, member) in enumerate(sorted(chosen.items())):
        target = folder / f"{index}{_plain_suffix(name)}"
        total += _inflate_member(archive, member, target, min(limits.file_bytes, allowed - total), source, limits)
        files.append(Member(name, target))
    return files


def _plain_suffix(name: str) -> str:
    """The only part of a user's name that a name of ours keeps, for libraries go by it; none where it is odd."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if _SUFFIX.fullmatch(suffix) else ""


def _inflate_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, allowed: int, source: str, limits: ArchiveLimits
) -> int:
    """Bytes written. What the member declares is not believed: they are counted as they come."""
    written = 0
    with archive.open(member) as packed, target.open("xb") as plain:
        while piece := packed.read(_PIECE):
            written += len(piece)
            if written > allowed:
                raise UnsafeArchiveError(
                    f"{source}: {member.filename!r} inflates to more than {max(allowed, 0):,} bytes; in all, an "
                    f"archive may inflate to {FREE_BYTES:,} bytes and {limits.expansion} times its own size, at "
                    f"most to {limits.total_bytes:,}",
                    file=member.filename,
                )
            check_space(target.parent, len(piece), source, limits)
            plain.write(piece)
    return written


def check_space(folder: Path, wanted: int, source: str, limits: ArchiveLimits) -> None:
    """Raises `OutputError` where so many bytes more would not leave free on the disk what must stay free."""
    free = shutil.disk_usage(folder).free
    if free - wanted < limits.disk_floor_bytes:
        raise OutputError(
            f"{source}: no space left to unpack it: {free:,} bytes are free, {limits.disk_floor_bytes:,} must stay so"
        )
