"""One POST to an address that was checked before: no redirect is followed, and of the answer only the head is read."""

import re
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from worker.notices.destinations import Address, Destination

_LONGEST_HEAD = 16 * 1024
_PIECE = 4096
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)(?: [^\r\n]*)?\r\n")
_RETRY_AFTER = re.compile(rb"\r\nretry-after:[ \t]*(\d{1,9})[ \t]*\r\n", re.IGNORECASE)


class NoAnswer(Exception):  # noqa: N818
    """The receiver could not be reached, or said nothing that is HTTP, in time; the text says which."""


@dataclass(frozen=True)
class Answer:
    """retry_after_s: how long the receiver asks to be left alone; 0 where it did not."""

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
    """All of it, from connecting to the last byte of the answer's head, takes `within_s` at most. Raises `NoAnswer`."""
    until = time.monotonic() + within_s
    try:
        with closing(_connect(addresses, until)) as plain:
            plain.settimeout(_left(until))
            secure = destination.scheme == "https"
            with closing(tls.wrap_socket(plain, server_hostname=destination.host) if secure else plain) as connection:
                connection.settimeout(_left(until))
                connection.sendall(_request(destination, headers, body))
                return _read_answer(connection, until)
    except TimeoutError:
        raise NoAnswer(f"no answer within {round(within_s, 1):g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise NoAnswer(f"its certificate is not valid: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise NoAnswer("no secure connection could be made") from error
    except OSError as error:
        raise NoAnswer((error.strerror or "the connection broke").lower()) from error


def _connect(addresses: Sequence[Address], until: float) -> socket.socket:
    """To the first that answers; each has its share of the time."""
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


def _request(destination: Destination, headers: Mapping[str, str], body: bytes) -> bytes:
    sent = {
        "Host": destination.authority,
        **headers,
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    lines = [f"POST {destination.target} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    assert all(line.isprintable() for line in lines)  # no header can hold another one
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _read_answer(connection: socket.socket, until: float) -> Answer:
    """Its head, after those that only say that it will come (1xx)."""
    received, budget = b"", _LONGEST_HEAD
    while True:
        while b"\r\n\r\n" not in received:
            connection.settimeout(_left(until))
            piece = connection.recv(min(_PIECE, budget)) if budget else b""
            if not piece:
                raise NoAnswer("its answer is not HTTP" if received else "it closed the connection without an answer")
            received += piece
            budget -= len(piece)
        head, _, received = received.partition(b"\r\n\r\n")
        status = _STATUS.match(head + b"\r\n")
        if status is None:
            raise NoAnswer("its answer is not HTTP")
        if int(status[1]) >= 200:
            asked = _RETRY_AFTER.search(head + b"\r\n")
            return Answer(int(status[1]), float(asked[1]) if asked else 0.0)


def _left(until: float) -> float:
    """Seconds; raises `TimeoutError` when there are none."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
