"""One request to an address that was checked before: no redirect is followed, and of the answer only the head is read.

What is HTTP is httpcore's, which httpx stands on. Where the connection goes and how long all of it may take are ours:
httpx asks for a name's address itself, and its timeouts begin anew with every byte.
"""

import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpcore

from worker.notices.destinations import Address, Destination

_LONGEST_HEAD = 16 * 1024
_SECONDS = re.compile(rb"\d{1,9}")


class NoAnswer(Exception):  # noqa: N818
    """The receiver could not be reached, or sent nothing that is HTTP, in time; the text says which."""


@dataclass(frozen=True)
class Answer:
    """Holds what a receiver answered. retry_after_s: how long it asks to be left alone; 0 where it did not."""

    status: int
    retry_after_s: float = 0.0


def post(
    destination: Destination,
    addresses: Sequence[Address],
    *,
    headers: Mapping[str, str],
    body: bytes,
    tls: ssl.SSLContext,
    within_s: float,
) -> Answer:
    """Sends `body` and takes in the head of the answer, in `within_s` at most. Raises `NoAnswer`."""
    until = time.monotonic() + within_s
    with silence_told(within_s), connect(destination, addresses, tls, until) as connection:
        return exchange("POST", destination, headers, body, len(body), Stream(connection, until))


@contextmanager
def silence_told(within_s: float) -> Iterator[None]:
    """Makes whatever goes wrong with a connection a `NoAnswer`, which says what."""
    try:
        yield
    except TimeoutError:
        raise NoAnswer(f"no answer within {round(within_s, 1):g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise NoAnswer(f"its certificate is not valid: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise NoAnswer("no secure connection could be made") from error
    except OSError as error:
        raise NoAnswer((error.strerror or "the connection broke").lower()) from error


class Stream(httpcore.NetworkStream):
    """A connection with a deadline for all of it, of which no more than the head of an answer is read."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        self._connection, self._until = connection, until
        self._unsent, self._budget = b"", _LONGEST_HEAD

    @property
    def is_silent(self) -> bool:
        """Whether nothing was received."""
        return self._budget == _LONGEST_HEAD

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Sends what was written, and receives what is there; nothing more once the longest head has come."""
        self._connection.settimeout(_left(self._until))
        self._connection.sendall(self._unsent)
        self._unsent = b""
        self._connection.settimeout(_left(self._until))
        return self._receive(max_bytes)

    def _receive(self, max_bytes: int) -> bytes:
        """Nothing more once the longest head has come."""
        if not self._budget:
            return b""
        received = self._connection.recv(min(max_bytes, self._budget))
        self._budget -= len(received)
        return received

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Keeps it until the answer is asked for, so that head and body are sent at once."""
        self._unsent += buffer

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def get_extra_info(self, info: str) -> Any:
        """Tells nothing."""


def connect(destination: Destination, addresses: Sequence[Address], tls: ssl.SSLContext, until: float) -> socket.socket:
    """To the first address that answers, each of which has its share of the time; the certificate is for the name."""
    plain = _connect_plain(addresses, until)
    try:
        plain.settimeout(_left(until))
        return tls.wrap_socket(plain, server_hostname=destination.host) if destination.scheme == "https" else plain
    except BaseException:
        plain.close()
        raise


def _connect_plain(addresses: Sequence[Address], until: float) -> socket.socket:
    failure: OSError = OSError("no address")
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(_left(until) / (len(addresses) - number))
            connection.connect(address)
            return connection
        except OSError as error:
            connection.close()
            failure = error
    raise failure


def exchange(
    method: str,
    destination: Destination,
    headers: Mapping[str, str],
    body: bytes | Iterator[bytes],
    size: int,
    stream: Stream,
) -> Answer:
    """Request and answer; interim answers (1xx) are passed over, and what follows the head is not waited for."""
    # The stream is there already: of this address only the path and query are used.
    url = httpcore.URL(scheme="http", host=destination.host, port=destination.port, target=destination.target)
    sent = {"Host": destination.authority, **headers, "Content-Length": str(size), "Connection": "close"}
    try:
        with (
            httpcore.HTTP11Connection(url.origin, stream) as connection,
            connection.stream(method, url, headers=list(sent.items()), content=body) as answer,
        ):
            asked = {name.lower(): value for name, value in answer.headers}.get(b"retry-after", b"")
            return Answer(answer.status, float(asked) if _SECONDS.fullmatch(asked) else 0.0)
    except httpcore.RemoteProtocolError as error:
        silent = "it closed the connection without an answer"
        raise NoAnswer(silent if stream.is_silent else "its answer is not HTTP") from error


def _left(until: float) -> float:
    """Seconds; raises `TimeoutError` when there are none."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
