"""The headers of tus 1.0 (core, creation, expiration, termination, checksum, concatenation), read strictly."""

import base64
import binascii
import re
from email.utils import formatdate
from urllib.parse import urljoin

from api.errors import Refusal
from worker.jobs.joining import PARTIAL
from worker.values import is_id, storable

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,creation-defer-length,expiration,termination,checksum,concatenation"
CHECKSUMS = ("sha1", "sha256")
CONTENT_TYPE = "application/offset+octet-stream"

_NUMBER = re.compile(r"\d{1,16}", re.ASCII)
_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/=]+):")
_LONGEST_METADATA = 4096
_MOST_ENTRIES = 20
_SHA256_BYTES = 32
_FINAL = "final;"


def check_version(given: str | None) -> None:
    """Raises `Refusal` for another version than ours; what others than tus use may come without one."""
    if given is not None and given != VERSION:
        raise Refusal(
            "unsupported-tus-version",
            f"Tus-Resumable is {given[:20]!r}, must be {VERSION}",
            headers={"Tus-Version": VERSION},
        )


def is_piece(content_type: str) -> bool:
    """Whether a body is a piece: by tus' own media type, or the plain one of bytes, which generated clients send."""
    return content_type.partition(";")[0].strip().lower() in (CONTENT_TYPE, "application/octet-stream")


def parse_number(name: str, text: str) -> int:
    """The number of Upload-Length or Upload-Offset. Raises `Refusal`."""
    if _NUMBER.fullmatch(text) is None:
        raise _invalid(name, "must be a whole number of bytes")
    return int(text)


def parse_metadata(text: str) -> dict[str, str]:
    """The entries of Upload-Metadata: `filename ZmllbGRzLnppcA==,other ...`. Raises `Refusal`."""
    if len(text) > _LONGEST_METADATA:
        raise _invalid("Upload-Metadata", f"has {len(text)} characters, at most {_LONGEST_METADATA}")
    entries: dict[str, str] = {}
    for pair in text.split(",") if text.strip() else ():
        key, _, value = pair.strip().partition(" ")
        if not key or not key.isascii() or key in entries or len(entries) >= _MOST_ENTRIES:
            raise _invalid("Upload-Metadata", f"must be at most {_MOST_ENTRIES} different keys, each with a value")
        entries[key] = storable(_decoded("Upload-Metadata", value).decode(errors="replace"), _LONGEST_METADATA)
    return entries


def format_metadata(entries: dict[str, str]) -> str:
    """The header of entries: the inverse of `parse_metadata`."""
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}".strip() for key, value in entries.items())


def parse_concat(text: str | None, base: str) -> list[str] | None:
    """The ids of the parts of Upload-Concat: `final;URL URL`; none for `partial`; None where there is no such header.

    base: of our own addresses. URLs may be relative to it, or to `/uploads`.
    """
    if text is None:
        return None
    if text == PARTIAL:
        return []
    if not text.startswith(_FINAL) or not (references := text.removeprefix(_FINAL).split()):
        raise _invalid("Upload-Concat", "must be 'partial', or 'final;' and the addresses of partial uploads")
    return [_part(reference, base) for reference in references]


def _part(reference: str, base: str) -> str:
    here = f"{base}/uploads/"
    try:
        there = urljoin(here.rstrip("/"), reference)
        bare = urljoin(base, "/uploads/")  # what `href` says, also below a prefix
    except ValueError:
        there = bare = ""
    for own in {here, bare}:
        if own and there.startswith(own) and is_id(part := there.removeprefix(own).rstrip("/")):
            return part
    raise _invalid("Upload-Concat", f"{reference[:100]!r} is no upload of this server, /uploads/ID")


def parse_checksum(text: str) -> tuple[str, bytes]:
    """The algorithm and sum of Upload-Checksum: `sha256 BASE64`. Raises `Refusal`."""
    algorithm, _, value = text.strip().partition(" ")
    if algorithm not in CHECKSUMS:
        raise _invalid("Upload-Checksum", f"algorithm must be one of {', '.join(CHECKSUMS)}")
    return algorithm, _decoded("Upload-Checksum", value)


def parse_digest(text: str) -> tuple[str, bytes] | None:
    """The SHA-256 of Content-Digest or Repr-Digest (RFC 9530), if it is among them. Raises `Refusal`."""
    match = _DIGEST.search(text)
    digest = _decoded("Repr-Digest", match[1]) if match else None
    if digest is not None and len(digest) != _SHA256_BYTES:
        raise _invalid("Repr-Digest", f"a SHA-256 has {_SHA256_BYTES} bytes, this one {len(digest)}")
    return None if digest is None else ("sha256", digest)


def expiry(seconds: float) -> str:
    """The value of Upload-Expires: an HTTP date."""
    return formatdate(seconds, usegmt=True)


def _decoded(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise _invalid(name, "is not Base64") from None


def _invalid(name: str, detail: str) -> Refusal:
    return Refusal("invalid-request", f"{name}: {detail}", errors=[{"in": "header", "field": name, "detail": detail}])
