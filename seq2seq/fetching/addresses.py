"""Where a catalogue may lead: its items hold addresses that a stranger wrote, and it is our machine that connects.

https to public addresses alone. Where the user has named a catalogue inside a private network, that host may be
reached, and hosts that the user has named beside it; a catalogue on loopback may lead to loopback, also by plain http.
"""

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from seq2seq.fetching.failures import RefusedAddressError

_PORTS = {"https": 443, "http": 80}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_6TO4 = ipaddress.IPv6Network("2002::/16")
# Public by its number, and the metadata service of virtual machines by its use.
_AZURE_METADATA = ipaddress.IPv4Address("168.63.129.16")
_LONGEST = 4096

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Target:
    """An address in its parts. path: with the query, as it is sent."""

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)  # a query may hold a signature

    @property
    def origin(self) -> tuple[str, str, int]:
        """What two addresses share that one connection serves."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """Host, and port where it is not the scheme's own, as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True)
class AddressRules:
    """The hosts that one catalogue may lead to. trusted: those that the user has named, the catalogue's first."""

    trusted: tuple[str, ...]

    @classmethod
    def of(cls, url: str, others: tuple[str, ...] = ()) -> "AddressRules":
        """Makes the rules of the catalogue at `url`, which may also lead to the hosts `others`."""
        return cls((_split(url).hostname or "", *(host.lower() for host in others)))

    @property
    def on_loopback(self) -> bool:
        """Whether the catalogue itself is on this machine."""
        return is_loopback(self.trusted[0])

    def check(self, url: str) -> Target:
        """Takes an address apart. Raises `RefusedAddressError`; no name is looked up."""
        parts = _split(url)
        scheme, host = parts.scheme.lower(), parts.hostname or ""
        if scheme not in _PORTS or not host:
            raise RefusedAddressError(f"{shown(url)}: only https is fetched")
        if parts.username is not None or parts.password is not None:
            raise RefusedAddressError(f"{shown(url)}: holds a user name or a password")
        try:
            port = parts.port or _PORTS[scheme]
        except ValueError:
            raise RefusedAddressError(f"{shown(url)}: its port is no port") from None
        self.check_host(url, scheme, host, port)
        address = _literal(host)
        if address is not None:
            self.check_peer(host, str(address), port)
        elif host == "localhost" or host.endswith(".localhost"):
            self.check_peer(host, "127.0.0.1", port)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Target(scheme, host, port, path)

    def check_host(self, url: str, scheme: str, host: str, port: int) -> None:
        """Checks what is written in an address, before its name is looked up. Raises `RefusedAddressError`."""
        if scheme == "http" and not (self.on_loopback and is_loopback(host)):
            raise RefusedAddressError(
                f"{shown(url)}: only https is fetched, http from a catalogue on this machine alone"
            )

    def check_peer(self, host: str, address: str, port: int = 443) -> None:
        """Checks what the name `host` leads to, before anything is sent. Raises `RefusedAddressError`."""
        if host in self.trusted or is_public(address) or (self.on_loopback and is_loopback(address)):
            return
        parsed = _embedded(ipaddress.ip_address(address.partition("%")[0]))
        # Of this machine, and of the cloud that it may be in, nothing is worth a hint.
        inside = parsed.is_private and not (parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified)
        remedy = f"; --allow-host {host} lets it be fetched from" if inside else ""
        raise RefusedAddressError(f"{host}: leads into a network that is not public ({address}){remedy}")


def is_public(address: str) -> bool:
    """Tells whether an IP address is one that everybody can reach; those that carry another one count as that."""
    parsed = _embedded(ipaddress.ip_address(address.partition("%")[0]))
    return parsed.is_global and not parsed.is_multicast and parsed != _AZURE_METADATA


def is_loopback(host: str) -> bool:
    """Tells whether a host, or an IP address, is this machine."""
    address = _literal(host)
    return host == "localhost" or (address is not None and _embedded(address).is_loopback)


def shown(url: object) -> str:
    """An address for messages: without its query, which may be a signature, on one line."""
    text = "".join(character if character.isprintable() else "?" for character in str(url))
    return text.partition("?")[0][:200]


def _split(url: str) -> SplitResult:
    try:
        if len(url) > _LONGEST or not url.isascii() or not url.isprintable() or set(url) & set(' "<>\\^`{|}'):
            raise ValueError
        parts = urlsplit(url)
        _ = parts.hostname
    except ValueError:
        raise RefusedAddressError(f"{shown(url)}: is no web address") from None
    return parts


def _literal(host: str) -> IPAddress | None:
    """The IP address that a host is written as, None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _embedded(address: IPAddress) -> IPAddress:
    """The IPv4 address that one of IPv6 really leads to."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address in _6TO4:
            return ipaddress.IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    return address
