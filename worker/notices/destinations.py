"""Where a notice may go: to receivers on the public internet, and to those inside that the operator has named.

Users choose the addresses, and it is our machine that connects: without these rules they would reach what only our
machine can reach, such as a cloud's metadata service.
"""

import queue
import re
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from worker.errors import ForbiddenDestination
from worker.public_addresses import is_named, is_public, may_be_public
from worker.settings import Settings

_PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,252}|[0-9a-f:.]{2,45}")
_NOWHERE = "its name leads to no address that notices may go to"

# As `socket.getaddrinfo` gives them: family, kind, protocol, name, socket address.
Address = tuple[Any, ...]


class Unresolved(Exception):  # noqa: N818
    """The name leads nowhere, or into a network that is not public, or nobody said so in time: which of these is not
    told, or users would read the names of the operator's machines through us."""


@dataclass(frozen=True)
class Destination:
    """Holds a receiver's address in its parts. target: path and query. inside: the operator has named it."""

    scheme: str
    host: str
    port: int
    target: str
    inside: bool

    @property
    def authority(self) -> str:
        """Host, and the port where it is not the scheme's own, as URLs and the Host header have them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def parse(url: str, settings: Settings) -> Destination:
    """Checks all that can be known when a user names a receiver of notices. Raises `ForbiddenDestination`."""
    return parse_named(url, settings.webhook_private_hosts)


def parse_named(url: str, inside_hosts: tuple[str, ...]) -> Destination:
    """As `parse`; inside_hosts: that may have private addresses and plain http. Looks no name up."""
    try:
        if not url.isascii() or not url.isprintable() or " " in url:
            raise ValueError
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ForbiddenDestination("is no web address") from None
    if parts.scheme not in _PORTS or port == 0 or not _HOST.fullmatch(host):
        raise ForbiddenDestination("must be an address such as https://example.org/hook")
    if parts.username is not None or parts.password is not None:
        raise ForbiddenDestination("must hold no user name and no password")
    port = port or _PORTS[parts.scheme]
    inside = is_named(host, port, inside_hosts)
    if not inside and not may_be_public(host, port):
        raise ForbiddenDestination("must have a public address")
    if parts.scheme == "http" and not inside:
        raise ForbiddenDestination("must begin with https://")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination(parts.scheme, host, port, target, inside)


class Resolver:
    """Asks the system's resolver, `slots` times at once, with a limit of time, which it has none of itself."""

    def __init__(self, slots: int) -> None:
        self._slots = threading.BoundedSemaphore(slots)

    def addresses(self, destination: Destination, within_s: float) -> list[Address]:
        """Asks once for all of them: connect to these and never by name, or a second answer could be another one.

        Raises `Unresolved`, also where one of them is not public, unless the destination is inside.
        """
        found = self._ask(destination, within_s)
        if not found or not (destination.inside or all(is_public(address[4][0]) for address in found)):
            raise Unresolved(_NOWHERE)
        return found

    def _ask(self, destination: Destination, within_s: float) -> list[Address] | None:
        """None: none, or nobody said so in time."""
        until = time.monotonic() + within_s
        if not self._slots.acquire(timeout=max(0.0, within_s)):
            return None
        answers: queue.SimpleQueue[list[Address] | None] = queue.SimpleQueue()

        def ask() -> None:
            found: list[Address] | None = None
            try:
                found = list(socket.getaddrinfo(destination.host, destination.port, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError):
                pass
            finally:
                self._slots.release()
                answers.put(found)

        threading.Thread(target=ask, name="resolver", daemon=True).start()
        try:
            return answers.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            return None
