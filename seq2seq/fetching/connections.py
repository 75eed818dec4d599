"""Connections whose other end is checked before anything is sent, and which notice within a moment that we stop.

The standard library's client speaks HTTP; where it connects to, and how it waits, are ours.
"""

import io
import os
import socket
import ssl
import threading
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import unquote, urlsplit

import certifi

from seq2seq.fetching.addresses import AddressRules, Target
from seq2seq.fetching.failures import FetchError

CONNECT_S = 10.0
SILENCE_S = 30.0  # of a server that has accepted, after which the attempt is given up
_POLL_S = 0.25


class Connections:
    """The open connections of a fetch: one for each thread and origin, used again as long as they live.

    check_stop: raises where the fetch was stopped; it is asked several times a second while somebody waits.
    """

    def __init__(self, rules: AddressRules, check_stop: Callable[[], None], silence_s: float = SILENCE_S) -> None:
        self._rules, self._check_stop, self._silence_s = rules, check_stop, silence_s
        self._tls = _tls_context()
        self._local = threading.local()
        self._lock, self._all = threading.Lock(), set[HTTPConnection]()

    def get(self, target: Target) -> HTTPConnection:
        """This thread's connection to that origin; it connects when something is asked of it."""
        mine: dict[Any, HTTPConnection] = self._local.__dict__.setdefault("open", {})
        if target.origin not in mine:
            connection = _Connection(target, self._rules, self._tls, self._check_stop, self._silence_s)
            mine[target.origin] = connection
            with self._lock:
                self._all.add(connection)
        return mine[target.origin]

    def drop(self, target: Target) -> None:
        """Closes this thread's connection to that origin: after an error nobody knows what is in it."""
        connection = self._local.__dict__.get("open", {}).pop(target.origin, None)
        if connection is not None:
            connection.close()
            with self._lock:
                self._all.discard(connection)

    def close(self) -> None:
        """Closes all, of all threads."""
        with self._lock:
            while self._all:
                self._all.pop().close()


class _Connection(HTTPConnection):
    """One connection, through the proxy of the environment where there is one for this host."""

    def __init__(
        self,
        target: Target,
        rules: AddressRules,
        tls: ssl.SSLContext,
        check_stop: Callable[[], None],
        silence_s: float,
    ) -> None:
        super().__init__(target.host, target.port, timeout=CONNECT_S)
        self._target, self._rules, self._tls = target, rules, tls
        self._check_stop, self._silence_s = check_stop, silence_s

    def connect(self) -> None:
        proxy = _proxy_of(self._target)
        plain = socket.create_connection((proxy.host, proxy.port), CONNECT_S) if proxy else self._connect_checked()
        try:
            if proxy:
                self._tunnel_through(plain, proxy)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._target.scheme == "https":
                plain = self._tls.wrap_socket(plain, server_hostname=self._target.host)
        except BaseException:
            plain.close()
            raise
        self.sock: Any = _PolledSocket(plain, self._check_stop, self._silence_s)

    def _connect_checked(self) -> socket.socket:
        """To the first address of the name that answers; none is tried before it is checked, nor looked up twice."""
        failure: OSError = OSError("no address")
        target = self._target
        for family, kind, protocol, _, address in socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM):
            self._rules.check_peer(target.host, str(address[0]), target.port)
            self._check_stop()
            plain = socket.socket(family, kind, protocol)
            try:
                plain.settimeout(CONNECT_S)
                plain.connect(address)
                return plain
            except OSError as error:
                plain.close()
                failure = error
        raise failure

    def _tunnel_through(self, plain: socket.socket, proxy: "_Proxy") -> None:
        """A proxy resolves the name itself: what it leads to is the proxy's to refuse."""
        lines = [f"CONNECT {self._target.host}:{self._target.port} HTTP/1.1", f"Host: {self._target.authority}"]
        if proxy.credentials:
            lines.append(f"Proxy-Authorization: Basic {b64encode(proxy.credentials.encode()).decode()}")
        plain.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            received = plain.recv(1)
            if not received or len(answer) > 16384:
                raise ConnectionError(0, "the proxy closed the connection")
            answer += received
        status = answer.splitlines()[0].decode("latin-1").partition(" ")[2][:60]
        if status.startswith("4"):
            raise FetchError(f"the proxy answers {status}")
        if not status.startswith("200"):
            raise ConnectionError(0, f"the proxy answers {status}")


@dataclass(frozen=True)
class _Proxy:
    """credentials: user:password, or empty."""

    host: str
    port: int
    credentials: str


class _PolledSocket:
    """A socket as `HTTPConnection` uses one. It is closed when it and the file that is made of it are."""

    def __init__(self, plain: socket.socket, check_stop: Callable[[], None], silence_s: float) -> None:
        self._plain, self._check_stop, self._silence_s = plain, check_stop, silence_s
        self._users = 1

    def sendall(self, data: Any) -> None:
        """Sends all of it."""
        self._plain.settimeout(self._silence_s)
        self._plain.sendall(data)

    def receive(self, buffer: Any) -> int:
        """Waits for bytes, but not for longer than the longest silence. Raises TimeoutError, and what stops us."""
        self._plain.settimeout(min(_POLL_S, self._silence_s))
        until = time.monotonic() + self._silence_s
        while True:
            self._check_stop()
            try:
                return self._plain.recv_into(buffer)
            except TimeoutError:
                if time.monotonic() > until:
                    raise TimeoutError(f"nothing arrived for {self._silence_s:g} s") from None

    def makefile(self, _: str) -> io.BufferedReader:
        """A file that reads from it."""
        self._users += 1
        return io.BufferedReader(_Received(self), 65536)

    def close(self) -> None:
        """Closes it once nobody uses it any more."""
        self._users -= 1
        if self._users == 0:
            self._plain.close()


class _Received(io.RawIOBase):
    def __init__(self, source: _PolledSocket) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._source.receive(buffer)

    def close(self) -> None:
        if not self.closed:
            self._source.close()
        super().close()


def _proxy_of(target: Target) -> _Proxy | None:
    if target.scheme != "https" or urllib.request.proxy_bypass(target.host):
        return None
    url = urllib.request.getproxies().get("https")
    if not url:
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if not parts.hostname:
        return None
    credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
    return _Proxy(parts.hostname, parts.port or 3128, credentials)


def _tls_context() -> ssl.SSLContext:
    """The system's authorities, or those that the environment names; certifi's beside the system's."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not {"SSL_CERT_FILE", "SSL_CERT_DIR"} & set(os.environ):
        context.load_verify_locations(certifi.where())
    return context
