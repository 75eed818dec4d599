"""Answers of servers: what they hold, what they state of a file, and which failures may pass."""

import gzip
import http.client
import io
import json
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from seq2seq.fetching.failures import FetchError, StatusError
from seq2seq.fetching.metering import Meter
from seq2seq.fetching.spans import Span

CHUNK_BYTES = 1 << 16
MAX_JSON_BYTES = 64 * 2**20
_LONGEST_JSON_S = 300.0
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 509})
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_SECONDS = re.compile(r"\d{1,6}")


@dataclass(frozen=True)
class FileFacts:
    """A remote file, as an answer states it. etag: empty where none is stated."""

    size: int
    etag: str


class Passing(Exception):  # noqa: N818  caught by who asks again
    """An attempt has failed, and the next one may not. asked_s: how long the server asks to be left alone.

    unlikely: the next one will most probably fail, too, as where nobody knows the name.
    """

    def __init__(self, reason: str, asked_s: float = 0.0, *, unlikely: bool = False) -> None:
        super().__init__(reason)
        self.asked_s, self.unlikely = asked_s, unlikely


@contextmanager
def network_errors() -> Iterator[None]:
    """What may pass becomes `Passing`, with a reason in words; a certificate that is not valid never passes."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise FetchError(f"its certificate is not valid: {error.verify_message}") from error
    except http.client.IncompleteRead as error:
        raise Passing("the answer was cut off") from error
    except http.client.HTTPException as error:
        raise Passing(f"the answer is not HTTP ({type(error).__name__})") from error
    except TimeoutError as error:
        raise Passing(str(error) if "arrived" in str(error) else "no answer in time") from error
    except OSError as error:
        nobody = isinstance(error, socket.gaierror | ConnectionRefusedError)
        raise Passing((error.strerror or "the connection broke").lower(), unlikely=nobody) from error


def check_status(answer: http.client.HTTPResponse, allowed: tuple[HTTPStatus, ...]) -> None:
    """Raises `Passing` or `FetchError` for another status than these, with the server's own words where it has some."""
    if answer.status in allowed:
        return
    if answer.status in _PASSING:
        asked = answer.headers.get("Retry-After", "").strip()
        raise Passing(status_of(answer), float(asked) if _SECONDS.fullmatch(asked) else 0.0)
    raise StatusError(f"{status_of(answer)}{_explained(answer)}", answer.status)


def chunks(answer: http.client.HTTPResponse, size: int, until: float) -> Iterator[bytes]:
    """`size` bytes of the body. Raises `Passing` where there are fewer, or they take for ever."""
    while size > 0:
        content = answer.read1(min(CHUNK_BYTES, size))
        if not content:
            raise Passing("the answer was cut off")
        size -= len(content)
        yield content
        if time.monotonic() > until:
            raise Passing("the answer is too slow")


def stated(answer: http.client.HTTPResponse, span: Span) -> tuple[int, int, FileFacts]:
    """The bytes that an answer holds, from and to, and the facts of the file. Raises `Passing`, `FetchError`."""
    etag = answer.headers.get("ETag", "")
    etag = "" if etag.startswith("W/") else etag
    if answer.status == HTTPStatus.OK:
        if answer.length is None:
            raise FetchError("the server knows no ranges, and states no size")
        return 0, answer.length, FileFacts(answer.length, etag)
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if found is None:
        raise Passing("the answer does not state its range")
    start, end, size = int(found[1]), int(found[2]) + 1, int(found[3])
    if start != span.start or end != min(span.end, size):
        raise Passing("the answer is another range than was asked for")
    return start, end, FileFacts(size, etag)


def body_of(answer: http.client.HTTPResponse, meter: Meter) -> bytes:
    """The body, unpacked, within the limit. Raises `Passing`, `FetchError`."""
    content = bytearray()
    until = time.monotonic() + _LONGEST_JSON_S
    while chunk := answer.read1(CHUNK_BYTES):
        content += chunk
        meter.add(bytes_=len(chunk))
        _check_size(len(content))
        if time.monotonic() > until:
            raise Passing("the answer is too slow")
    if answer.length:
        raise Passing("the answer was cut off")
    if answer.headers.get("Content-Encoding", "").lower() != "gzip":
        return bytes(content)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(bytes(content))) as packed:
            unpacked = packed.read(MAX_JSON_BYTES + 1)
    except (OSError, EOFError) as error:
        raise Passing("the answer was cut off") from error
    _check_size(len(unpacked))
    return unpacked


def _check_size(size: int) -> None:
    if size > MAX_JSON_BYTES:
        raise FetchError(f"answers more than {MAX_JSON_BYTES / 2**20:.0f} MiB")


def parsed(content: bytes) -> dict[str, Any]:
    """The JSON object that a body is. Raises `FetchError`."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FetchError("answers what is not JSON") from error
    if not isinstance(found, dict):
        raise FetchError("answers JSON that is no object")
    return found


def status_of(answer: http.client.HTTPResponse) -> str:
    """Number and words of a status."""
    return f"{answer.status} {answer.reason}".strip()


def _explained(answer: http.client.HTTPResponse) -> str:
    """The first words of a body that is a text, such as a catalogue's complaint about a query."""
    if "json" not in answer.headers.get("Content-Type", ""):
        return ""
    words = " ".join(answer.read(2000).decode("utf-8", "replace").split())
    return f": {words[:160]}" if words else ""
