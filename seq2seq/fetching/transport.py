"""HTTP that goes on where the network does not: retries with growing, random pauses, ranges continued where they broke.

An address is checked before it is connected to, and again after each redirect. What is final is told from what may
pass: a bad certificate, 404 and the like end at once; silence, resets, 429, 5xx and truncated answers are tried again.
"""

import gzip
import http.client
import io
import json
import random
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Protocol
from urllib.parse import urljoin

from seq2seq.fetching.addresses import AddressRules, Target
from seq2seq.fetching.connections import SILENCE_S, Connections
from seq2seq.fetching.failures import FetchError
from seq2seq.fetching.metering import Meter
from seq2seq.fetching.spans import Span

CHUNK_BYTES = 1 << 16
MAX_JSON_BYTES = 64 * 2**20
_MAX_REDIRECTS = 5
_SLOWEST_BYTES_S = 4096  # of a transfer that is still worth waiting for
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 509})
_DENIED = frozenset({401, 403})
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_SECONDS = re.compile(r"\d{1,6}")

# Takes bytes, and where in the file they belong.
Sink = Callable[[int, bytes], None]


@dataclass(frozen=True)
class Retry:
    """attempts: of one request, in a row without progress. first_s, longest_s: of the pauses between them."""

    attempts: int = 6
    first_s: float = 0.5
    longest_s: float = 30.0
    silence_s: float = SILENCE_S

    def pause_s(self, failures: int, asked_s: float) -> float:
        """The pause after so many failures in a row: doubled each time, random, not less than the server asked for."""
        grown = min(self.longest_s, self.first_s * 2.0 ** (failures - 1)) * random.uniform(0.5, 1.0)
        return max(grown, min(asked_s, 2 * self.longest_s))


@dataclass(frozen=True)
class FileFacts:
    """A remote file, as an answer states it. etag: empty where none is stated."""

    size: int
    etag: str


class Address(Protocol):
    """Where a file is; it may have to be signed, and signatures expire."""

    @property
    def href(self) -> str:
        """As the catalogue states it."""

    def signed(self) -> tuple[str, Mapping[str, str]]:
        """What is asked for now, and the headers that go with it."""

    def renew(self) -> bool:
        """Forgets a signature that was refused; False where another one would be no better."""


class _Passing(Exception):  # noqa: N818  caught here
    """An attempt has failed, and the next one may not. asked_s: how long the server asks to be left alone."""

    def __init__(self, reason: str, asked_s: float = 0.0) -> None:
        super().__init__(reason)
        self.asked_s = asked_s


class Transport:
    """Asks one catalogue, and the hosts it leads to. Safe to use from many threads."""

    def __init__(
        self, rules: AddressRules, *, retry: Retry | None = None, check_stop: Callable[[], None] = lambda: None
    ) -> None:
        self.rules, self._retry, self._check_stop = rules, retry or Retry(), check_stop
        self._connections = Connections(rules, check_stop, self._retry.silence_s)

    def close(self) -> None:
        """Closes all connections."""
        self._connections.close()

    def json(
        self, url: str, meter: Meter, *, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Gets, or where there is a `body` posts, and returns the JSON object answered. Raises `FetchError`."""
        sent = {"Accept": "application/geo+json, application/json", "Accept-Encoding": "gzip", **(headers or {})}
        posted = None if body is None else json.dumps(body).encode()
        if posted is not None:
            sent["Content-Type"] = "application/json"
        failures = 0
        while True:
            try:
                with self._exchange(url, sent, meter, posted) as answer:
                    self._check_status(answer, (HTTPStatus.OK,))
                    return _parsed(_all_of(answer, meter))
            except _Passing as failure:
                failures += 1
                self._pause(failure, failures, meter)

    def read(self, address: Address, span: Span, sink: Sink, meter: Meter, expected: FileFacts | None) -> FileFacts:
        """Gives the bytes of `span`, or to the file's end, to `sink`; a server without ranges gives all of the file.

        expected: what earlier answers stated of the file, which must not have changed. Raises `FetchError`.
        """
        at, failures = span.start, 0

        def take(position: int, content: bytes) -> None:
            nonlocal at
            sink(position, content)
            at = max(at, position + len(content))

        while True:
            before = at
            try:
                return self._read_once(address, Span(at, span.end), take, meter, expected)
            except _Passing as failure:
                # Whatever brings a quarter of what is lacking ends some time.
                progress = at > before and at - before >= min(CHUNK_BYTES, (span.end - before) / 4)
                failures = 1 if progress else failures + 1
                self._pause(failure, failures, meter)
                if expected is not None and at >= min(span.end, expected.size):
                    return expected

    def _read_once(
        self, address: Address, span: Span, take: Sink, meter: Meter, expected: FileFacts | None
    ) -> FileFacts:
        url, headers = address.signed()
        headers = {"Accept-Encoding": "identity", **headers, "Range": f"bytes={span.start}-{span.end - 1}"}
        with self._exchange(url, headers, meter, None) as answer:
            if answer.status in _DENIED and address.renew():
                raise _Passing(_status(answer))
            self._check_status(answer, (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT))
            start, end, facts = _stated(answer, span)
            if expected is not None and facts != expected:
                raise FetchError("changed while it was read")
            until = time.monotonic() + self._retry.silence_s + (end - start) / _SLOWEST_BYTES_S
            for content in _chunks(answer, end - start, until):
                meter.add(bytes_=len(content))
                take(start, content)
                start += len(content)
            return facts

    @contextmanager
    def _exchange(
        self, url: str, headers: Mapping[str, str], meter: Meter, body: bytes | None
    ) -> Iterator[http.client.HTTPResponse]:
        """One request and the head of its answer, redirects followed. Raises `_Passing` for what may pass."""
        for _ in range(_MAX_REDIRECTS + 1):
            target = self.rules.check(url)
            self._check_stop()
            try:
                with _network_errors():
                    answer = self._ask(target, headers, body)
                meter.add(requests=1)
                location = answer.headers.get("Location")
                # A POST is sent again only where that is what the answer says.
                if location and answer.status in ((307, 308) if body is not None else (301, 302, 303, 307, 308)):
                    url = urljoin(url, location)
                    headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
                    self._connections.drop(target)
                    continue
                with _network_errors():
                    yield answer
                if answer.length == 0:
                    answer.close()
                if not answer.isclosed():  # not read to its end: what follows on the connection is no answer
                    self._connections.drop(target)
                return
            except BaseException:
                self._connections.drop(target)
                raise
        raise FetchError(f"it redirects more than {_MAX_REDIRECTS} times")

    def _ask(self, target: Target, headers: Mapping[str, str], body: bytes | None) -> http.client.HTTPResponse:
        sent = {"Host": target.authority, "User-Agent": f"decloud/{version('decloud')}", **headers}
        connection = self._connections.get(target)
        idle = connection.sock is not None
        try:
            connection.request("GET" if body is None else "POST", target.path, body=body, headers=sent)
            return connection.getresponse()
        except (ConnectionResetError, BrokenPipeError):
            self._connections.drop(target)
            if idle:  # the server has closed it while nobody asked anything, which is its right
                return self._ask(target, headers, body)
            raise

    def _check_status(self, answer: http.client.HTTPResponse, allowed: tuple[HTTPStatus, ...]) -> None:
        if answer.status in allowed:
            return
        if answer.status in _PASSING:
            asked = answer.headers.get("Retry-After", "").strip()
            raise _Passing(_status(answer), float(asked) if _SECONDS.fullmatch(asked) else 0.0)
        raise FetchError(f"{_status(answer)}{_explained(answer)}")

    def _pause(self, failure: _Passing, failures: int, meter: Meter) -> None:
        """Waits before the next attempt. Raises `FetchError` where there is none."""
        if failures >= self._retry.attempts:
            raise FetchError(f"{failure}, {failures} times in a row") from failure
        meter.add(retries=1)
        until = time.monotonic() + self._retry.pause_s(failures, failure.asked_s)
        while (left := until - time.monotonic()) > 0:
            self._check_stop()
            time.sleep(min(0.1, left))


@contextmanager
def _network_errors() -> Iterator[None]:
    """What may pass becomes `_Passing`, with a reason in words; a certificate that is not valid never passes."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise FetchError(f"its certificate is not valid: {error.verify_message}") from error
    except http.client.IncompleteRead as error:
        raise _Passing("the answer was cut off") from error
    except http.client.HTTPException as error:
        raise _Passing(f"the answer is not HTTP ({type(error).__name__})") from error
    except TimeoutError as error:
        raise _Passing(str(error) if "arrived" in str(error) else "no answer in time") from error
    except OSError as error:
        raise _Passing((error.strerror or "the connection broke").lower()) from error


def _chunks(answer: http.client.HTTPResponse, size: int, until: float) -> Iterator[bytes]:
    """`size` bytes of the body. Raises `_Passing` where there are fewer, or they take for ever."""
    while size > 0:
        content = answer.read1(min(CHUNK_BYTES, size))
        if not content:
            raise _Passing("the answer was cut off")
        size -= len(content)
        yield content
        if time.monotonic() > until:
            raise _Passing("the answer is too slow")


def _stated(answer: http.client.HTTPResponse, span: Span) -> tuple[int, int, FileFacts]:
    """The bytes that an answer holds, from and to, and the facts of the file. Raises `_Passing`, `FetchError`."""
    etag = answer.headers.get("ETag", "")
    etag = "" if etag.startswith("W/") else etag
    if answer.status == HTTPStatus.OK:
        if answer.length is None:
            raise FetchError("the server knows no ranges, and states no size")
        return 0, answer.length, FileFacts(answer.length, etag)
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if found is None:
        raise _Passing("the answer does not state its range")
    start, end, size = int(found[1]), int(found[2]) + 1, int(found[3])
    if start != span.start or end != min(span.end, size):
        raise _Passing("the answer is another range than was asked for")
    return start, end, FileFacts(size, etag)


def _all_of(answer: http.client.HTTPResponse, meter: Meter) -> bytes:
    """The body, unpacked, within the limit. Raises `_Passing`, `FetchError`."""
    content = bytearray()
    until = time.monotonic() + 300
    while chunk := answer.read1(CHUNK_BYTES):
        content += chunk
        meter.add(bytes_=len(chunk))
        _check_size(len(content))
        if time.monotonic() > until:
            raise _Passing("the answer is too slow")
    if answer.length:
        raise _Passing("the answer was cut off")
    if answer.headers.get("Content-Encoding", "").lower() != "gzip":
        return bytes(content)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(bytes(content))) as packed:
            unpacked = packed.read(MAX_JSON_BYTES + 1)
    except (OSError, EOFError) as error:
        raise _Passing("the answer was cut off") from error
    _check_size(len(unpacked))
    return unpacked


def _check_size(size: int) -> None:
    if size > MAX_JSON_BYTES:
        raise FetchError(f"answers more than {MAX_JSON_BYTES / 2**20:.0f} MiB")


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FetchError("answers what is not JSON") from error
    if not isinstance(found, dict):
        raise FetchError("answers JSON that is no object")
    return found


def _status(answer: http.client.HTTPResponse) -> str:
    return f"{answer.status} {answer.reason}".strip()


def _explained(answer: http.client.HTTPResponse) -> str:
    """The first words of a body that is a text, such as a catalogue's complaint about a query."""
    if "json" not in answer.headers.get("Content-Type", ""):
        return ""
    words = " ".join(answer.read(2000).decode("utf-8", "replace").split())
    return f": {words[:160]}" if words else ""
