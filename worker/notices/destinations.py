"""Where a notice may go: to receivers on the public internet, and to those inside that the operator has named.

Users choose the addresses, and it is our machine that connects: without these rules they would reach what only our
machine can reach, such as a cloud's metadata service.
"""

import ipaddress
import queue
import re
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from worker.errors import ForbiddenDestination
from worker.settings import Settings

_PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,252}|[0-9a-f:.]{2,45}")
# IANA's special-purpose registries; 168.63.129.16 is public by its number and Azure's metadata by its use.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
        "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    )
)  # fmt: skip
_NOWHERE = "its name leads to no address that notices may go to"
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

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


def parse_named(url: str, inside_hosts: Sequence[str]) -> Destination:
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
    inside = _is_named(host, port, inside_hosts)
    if not inside and not _may_be_public(host, port):
        raise ForbiddenDestination("must have a public address")
    if parts.scheme == "http" and not inside:
        raise ForbiddenDestination("must begin with https://")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination(parts.scheme, host, port, target, inside)


def _is_named(host: str, port: int, names: Sequence[str]) -> bool:
    """Whether the operator's list has the host, with this port or for any."""
    written = f"[{host}]" if ":" in host else host
    return any(name.lower() in (written, f"{written}:{port}") for name in names)


def _may_be_public(host: str, port: int) -> bool:
    """Whether what is written there can lead to everybody's machines. No name is looked up: whether it has an address
    would show in the answer, or in the time it takes."""
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return False
    try:  # also 127.1, 0x7f.1 and 2130706433
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return True  # a name
    return all(is_public(str(address[4][0])) for address in found)


def is_public(address: str) -> bool:
    """Tells whether an address, as a resolver gives it, is one that everybody can reach."""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        embedded = _embedded(parsed)
        if embedded is not None:
            return is_public(str(embedded))
        if parsed not in _GLOBAL_UNICAST:
            return False
    return not any(parsed in network for network in _NOT_PUBLIC)


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that one of these really leads to."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


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
