"""The page: the files that a browser gets, by whoever serves them. `static/` holds them; nothing is built, and nothing
but lines of comment is left out on the way.

A service serves them at `/` and `/page/`, `decloud view` likewise, from its own machine.
"""

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

STATIC = Path(__file__).parent / "static"
INDEX = "index.html"
# Everything comes from where the page comes from: nothing runs or is fetched from elsewhere, and nobody frames it.
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# Where the page runs, as it reads of itself.
Place = Literal["service", "view", "file"]

_PLACE = re.compile(rb'(<meta\s+name="decloud"\s+content=")[^"]*(")')
# Whole lines of it, in our own code; a literal of several lines, which could look like one, is nowhere in it.
_COMMENT = re.compile(rb"^[ \t]*(?://[^\n]*|/\*.*?\*/[ \t]*)\n", re.MULTILINE | re.DOTALL)
_VENDORED = "vendor"
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
_TEXT = frozenset({".html", ".css", ".js", ".mjs", ".json", ".svg", ".txt", ".md"})


@dataclass(frozen=True)
class PageFile:
    """One file. gzipped: the same packed, of texts. etag: quoted, of the file as it is."""

    content: bytes
    media_type: str
    gzipped: bytes | None

    @cached_property
    def etag(self) -> str:
        """A strong tag, the same for the same bytes."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'

    def encoded(self, accepts: str | None) -> tuple[bytes, dict[str, str]]:
        """The bytes that suit an Accept-Encoding, and the headers that say what they are."""
        headers = {
            "Content-Type": self.media_type,
            "Content-Security-Policy": POLICY,
            "Cache-Control": "no-cache",
            "Vary": "Accept-Encoding",
            "ETag": self.etag,
        }
        if self.gzipped is None or not _takes_gzip(accepts):
            return self.content, headers
        return self.gzipped, {**headers, "Content-Encoding": "gzip", "ETag": f'{self.etag[:-1]}-gzip"'}


class Page:
    """All files below a folder, read once; hidden ones and links are none."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._folder = folder

    def find(self, path: str) -> PageFile | None:
        """The file at this path, with `/`, which is looked up, never opened."""
        return self._files.get(path)

    def index(self, place: Place) -> PageFile | None:
        """The page itself, told where it runs; None where it was not installed."""
        found = self.find(INDEX)
        if found is None:
            return None
        told = _PLACE.sub(rb"\g<1>" + place.encode() + rb"\g<2>", found.content)
        return _file(told, ".html")

    @cached_property
    def _files(self) -> dict[str, PageFile]:
        found = (path for path in sorted(self._folder.rglob("*")) if path.is_file() and not path.is_symlink())
        named = ((path.relative_to(self._folder), path) for path in found)
        return {
            name.as_posix(): _file(_sent(name, path.read_bytes()), path.suffix.lower())
            for name, path in named
            if not any(part.startswith(".") for part in name.parts)
        }


def _sent(name: Path, content: bytes) -> bytes:
    """Without comments, a tenth of what a visit takes; the files of others are sent unchanged."""
    ours = name.suffix in (".js", ".css") and _VENDORED not in name.parts
    return _COMMENT.sub(b"", content) if ours else content


def _file(content: bytes, suffix: str) -> PageFile:
    packed = gzip.compress(content, 9, mtime=0) if suffix in _TEXT else None
    smaller = packed if packed is not None and len(packed) < len(content) else None
    return PageFile(content, _MEDIA_TYPES.get(suffix, "application/octet-stream"), smaller)


def _takes_gzip(accepts: str | None) -> bool:
    """Whether an Accept-Encoding names gzip, and does not weigh it 0."""
    for entry in (accepts or "").lower().split(","):
        name, _, weight = entry.replace(" ", "").partition(";q=")
        if name in ("gzip", "x-gzip", "*"):
            return weight.strip("0.") != "" or not weight
    return False
