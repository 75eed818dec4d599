"""Facts out of XML that strangers wrote: texts of the elements asked for, as they come by, and no tree of the others.

A document with a DOCTYPE is refused: nothing else can define entities, which grow without bounds or name files.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from xml.parsers.expat import ExpatError, ParserCreate

from seq2seq.errors import UnreadableFileError

MAX_BYTES = 8 * 2**20  # the metadata of a product have 60 kB, of the old ones with all tiles of an orbit 2 MB
_MAX_DEPTH = 100
_MAX_TEXT = 1000
_MAX_LEAVES = 100_000


@dataclass(frozen=True)
class Leaf:
    """An element without a namespace's prefix. text: stripped."""

    tag: str
    attributes: dict[str, str]
    text: str


class _RefusedError(Exception):
    """Raised within a handler of the parser: the reason, in words."""


class _Collector:
    """The handlers of one document."""

    def __init__(self, tags: Collection[str]) -> None:
        self._tags = frozenset(tags)
        self._depth = 0
        self._open: tuple[str, dict[str, str], int] | None = None
        self._texts: list[str] = []
        self.leaves: list[Leaf] = []

    def doctype(self, *_: object) -> None:
        raise _RefusedError("it has a DOCTYPE, which is not read")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _RefusedError(f"its elements lie more than {_MAX_DEPTH} deep")
        plain = tag.rpartition(":")[2]
        if plain in self._tags:
            self._open, self._texts = (plain, attributes, self._depth), []

    def text(self, text: str) -> None:
        if self._open:
            self._texts.append(text)
            if sum(map(len, self._texts)) > _MAX_TEXT:
                raise _RefusedError(f"its {self._open[0]} is longer than {_MAX_TEXT} characters")

    def end(self, _: str) -> None:
        if self._open and self._open[2] == self._depth:
            tag, attributes, _depth = self._open
            self.leaves.append(Leaf(tag, attributes, "".join(self._texts).strip()))
            self._open = None
            if len(self.leaves) > _MAX_LEAVES:
                raise _RefusedError(f"it has more than {_MAX_LEAVES:,} entries")
        self._depth -= 1


def read_leaves(path: Path, tags: Collection[str], *, name: str) -> list[Leaf]:
    """All elements of these tags, in their order. name: what messages call the file.

    Raises `UnreadableFileError` for what is no XML, has a DOCTYPE or is too large.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableFileError(f"{name}: cannot be opened ({error.strerror})", file=name) from error
    if len(content) > MAX_BYTES:
        raise UnreadableFileError(f"{name}: is larger than {MAX_BYTES:,} bytes, no metadata are", file=name)
    collector, parser = _Collector(tags), ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = collector.doctype
    parser.StartElementHandler = collector.start
    parser.CharacterDataHandler = collector.text
    parser.EndElementHandler = collector.end
    try:
        parser.Parse(content, True)
    except (ExpatError, _RefusedError, ValueError, LookupError) as error:
        raise UnreadableFileError(f"{name}: its metadata cannot be read: {error}", file=name) from error
    return collector.leaves
