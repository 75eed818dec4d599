"""One PUT of any size to an address that was checked before: streamed, in bounded memory, with limits of time.

As in `worker.notices.posting`, where the connection goes is ours, no redirect is followed, and of the answer only the
head is read. A server that answers before it has everything, as S3 does to an address that has expired, is heard at
once.
"""

import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

import httpcore

from worker.notices.destinations import Address, Destination
from worker.notices.posting import Answer, NoAnswer, Stream, connect, exchange, silence_told

# Without any byte taken, or without an answer, for so long: nobody is there.
IDLE_S = 60.0
# All of it may take so long, and the time that its bytes need at the slowest rate that is borne.
_AT_LEAST_S = 120.0
_SLOWEST = 64_000
_PIECE = 256 * 1024


def put(
    destination: Destination,
    addresses: Sequence[Address],
    *,
    headers: Mapping[str, str],
    body: Iterable[bytes],
    size: int,
    tls: ssl.SSLContext,
) -> Answer:
    """Sends `size` bytes and takes in the head of the answer. Raises `NoAnswer`, and what `body` raises."""
    until = time.monotonic() + _AT_LEAST_S + size / _SLOWEST
    with silence_told(IDLE_S), connect(destination, addresses, tls, time.monotonic() + IDLE_S) as connection:
        return exchange("PUT", destination, headers, _sliced(body), size, _Upload(connection, until))


def _sliced(body: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in body:
        for start in range(0, len(chunk), _PIECE):
            yield chunk[start : start + _PIECE]


class _Upload(Stream):
    """Sends what is written at once."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        super().__init__(connection, until)
        self._early: bytes | None = None

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Raises `httpcore.WriteError` where nobody wants it any more: what they say is read next."""
        if self._has_answered():
            raise httpcore.WriteError
        try:
            self._connection.settimeout(self._patience_s())
            self._connection.sendall(buffer)
        except TimeoutError:
            self._patience_s()  # raises where all of it has taken too long
            raise NoAnswer(f"it took in nothing for {IDLE_S:g} s") from None
        except OSError as error:
            raise httpcore.WriteError from error

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Receives what is there."""
        if self._early is not None:
            early, self._early = self._early, None
            return early
        self._connection.settimeout(self._patience_s())
        return self._receive(max_bytes)

    def _has_answered(self) -> bool:
        """Whether it says something, or has closed the connection, before it has everything."""
        self._connection.settimeout(0)
        try:
            self._early = self._receive(_PIECE)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError:
            return True
        return True

    def _patience_s(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise NoAnswer(f"it took in less than {_SLOWEST:,} bytes a second")
        return min(IDLE_S, left)
