"""Which addresses are everybody's, and which are this machine's, its network's or its cloud's alone.

Users choose addresses, and it is our machine that connects to them: to send notices, and to fetch what they name.
"""

import ipaddress
import socket

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
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_named(host: str, port: int, names: tuple[str, ...]) -> bool:
    """Tells whether an operator's list has the host, with this port or for any."""
    written = f"[{host}]" if ":" in host else host
    return any(name.lower() in (written, f"{written}:{port}") for name in names)


def may_be_public(host: str, port: int) -> bool:
    """Tells whether what is written there can lead to everybody's machines.

    No name is looked up: whether it has an address would show in the answer, or in the time it takes.
    """
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
