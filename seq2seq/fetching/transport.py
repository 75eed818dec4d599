"""HTTP that goes on where the network does not: retries with growing, random pauses, ranges continued where they broke.

An address is checked before it is connected to, and again after each redirect. What is final is told from what may
pass: a bad certificate, 404 and the like end at once; silence, resets, 429, 5xx and truncated answers are tried again.
"""

import http.client
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Protocol
from urllib.parse import urljoin

from seq2seq.fetching.addresses import AddressRules, Target
from seq2seq.fetching.answers import (
    CHUNK_BYTES,
    FileFacts,
    Passing,
    body_of,
    check_status,
    chunks,
    network_errors,
    parsed,
    stated,
    status_of,
)
from seq2seq.fetching.connections import SILENCE_S, Connections
from seq2seq.fetching.failures import ChangedError, FetchError
from seq2seq.fetching.metering import Meter
from seq2seq.fetching.spans import Span

_MAX_REDIRECTS = 5
_FEW = 4  # attempts where there is little hope
_SLOWEST_BYTES_S = 4096  # of a transfer that is still worth waiting for
_DENIED = frozenset({401, 403})

# Takes bytes, and where in the file they belong.
Sink = Callable[[int, bytes], None]


@dataclass(frozen=True)
class Retry:
    """attempts: of one request, in a row without progress. first_s, longest_s: of the pauses between them.

    By default an outage of about a minute is survived.
    """

    attempts: int = 8
    first_s: float = 0.5
    longest_s: float = 30.0
    silence_s: float = SILENCE_S

    def pause_s(self, failures: int, asked_s: float) -> float:
        """The pause after so many failures in a row: doubled each time, random, not less than the server asked for."""
        grown = min(self.longest_s, self.first_s * 2.0 ** (failures - 1)) * random.uniform(0.5, 1.0)
        return max(grown, min(asked_s, 2 * self.longest_s))


class Address(Protocol):
    """Where a file is; it may have to be signed, and signatures expire."""

    @property
    def href(self) -> str:
        """As the catalogue states it."""

    def signed(self) -> tuple[str, Mapping[str, str]]:
        """What is asked for now, and the headers that go with it."""

    def renew(self) -> bool:
        """Forgets a signature that was refused; False where another one would be no better."""


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
                    check_status(answer, (HTTPStatus.OK,))
                    return parsed(body_of(answer, meter))
            except Passing as failure:
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
            except Passing as failure:
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
                raise Passing(status_of(answer))
            check_status(answer, (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT))
            start, end, facts = stated(answer, span)
            if expected is not None and facts != expected:
                raise ChangedError("changed while it was read")
            until = time.monotonic() + self._retry.silence_s + (end - start) / _SLOWEST_BYTES_S
            for content in chunks(answer, end - start, until):
                meter.add(bytes_=len(content))
                take(start, content)
                start += len(content)
            return facts

    @contextmanager
    def _exchange(
        self, url: str, headers: Mapping[str, str], meter: Meter, body: bytes | None
    ) -> Iterator[http.client.HTTPResponse]:
        """One request and the head of its answer, redirects followed. Raises `Passing` for what may pass."""
        for _ in range(_MAX_REDIRECTS + 1):
            target = self.rules.check(url)
            self._check_stop()
            answer: http.client.HTTPResponse | None = None
            try:
                with network_errors():
                    answer = self._ask(target, headers, body)
                meter.add(requests=1)
                location = answer.headers.get("Location")
                # A POST is sent again only where that is what the answer says.
                if location and answer.status in ((307, 308) if body is not None else (301, 302, 303, 307, 308)):
                    url = urljoin(url, location)
                    headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
                    self._connections.drop(target)
                    continue
                with network_errors():
                    yield answer
                if answer.length == 0:
                    answer.close()
                if not answer.isclosed():  # not read to its end: what follows on the connection is no answer
                    self._connections.drop(target)
                return
            except BaseException:
                self._connections.drop(target)
                if answer is not None:  # one that ends with its connection is not closed with it
                    answer.close()
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

    def _pause(self, failure: Passing, failures: int, meter: Meter) -> None:
        """Waits before the next attempt. Raises `FetchError` where there is none."""
        if failures >= (min(_FEW, self._retry.attempts) if failure.unlikely else self._retry.attempts):
            raise FetchError(f"{failure}, {failures} times in a row") from failure
        meter.add(retries=1)
        until = time.monotonic() + self._retry.pause_s(failures, failure.asked_s)
        while (left := until - time.monotonic()) > 0:
            self._check_stop()
            time.sleep(min(0.1, left))
