"""The protocol of a format, and the input that it is asked about: files, out of whatever contains them.

Needs nothing but the standard library, so that a client packs and a server describes what no reader of theirs opens.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from seq2seq.readers.contents import Contents


@dataclass(frozen=True)
class Member:
    """A file of an input. name: the user's, with slashes (`S2/2020-08-01.tif`); path: where its bytes are."""

    name: str
    path: Path


@dataclass(frozen=True)
class Root:
    """An input as its container gives it out.

    name: what messages call it. path: the folder or the file itself. members: what formats want of it. others: names
    of what else lies there, as far as folders are listed. top: names of what lies in a folder directly.
    """

    name: str
    path: Path
    container: Literal["folder", "archive", "file"]
    members: tuple[Member, ...]
    others: tuple[str, ...] = ()
    top: tuple[str, ...] = ()

    def narrowed(self, wants: Callable[[PurePosixPath], bool]) -> "Root":
        """The same with no members but those that one format wants; the rest is among the others."""
        answers = [(member, wants(PurePosixPath(member.name))) for member in self.members]
        wanted = tuple(member for member, is_wanted in answers if is_wanted)
        unwanted = tuple(member.name for member, is_wanted in answers if not is_wanted)
        return replace(self, members=wanted, others=(*self.others, *unwanted)) if unwanted else self


class Format(Protocol):
    """One way in which sequences come; a new one is one file beside the others, and a place in `formats.FORMATS`.

    name: what it is, as help texts and the process description say it. example: the name of one of its files, as deep
    in folders as they lie: folders are listed that far. A name without a folder: it is a single file. Where files may
    lie deeper than the example, `levels` (int) says how many names lead to them.
    """

    name: str
    example: str

    def wants(self, member: PurePosixPath) -> bool:
        """True for the name of a file that it would read. Of an archive, nothing else is unpacked."""

    def recognises(self, root: Root) -> bool:
        """True where it can read these members, judged by their names."""

    def open(self, root: Root) -> AbstractContextManager["Contents"]:
        """The rasters in the members, when entered; headers have been read and checked by then, and no pixels.

        Heavy imports wait in here. Raises `InputError`s for files that it does not understand.
        """
