"""The connections of a server: how many at most in all, idle and from one address, and which go when they are too many.

Every connection costs a descriptor, and without descriptors jobs, database and files fail: so there are far fewer
connections than descriptors. An idle one makes room for a new one. Where none is idle, a few more are let in to hear
that the server is busy, and to ask whether it is alive.
"""

import ipaddress
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from worker.errors import InvalidSettings
from worker.settings import Settings

# Beyond the limit, to be answered that it is reached.
SPARE = 16
# A request may need a file or two besides its connection; a half is left to jobs, database and log.
_SHARE = 4
_MOST = 10_000
# What has just come or just been answered is not called idle.
_SPARED_S = 1.0
# A receiver that has taken nothing for so long has to go where room is needed.
_STALLED_S = 10.0


@dataclass(frozen=True)
class Limits:
    """Connections: in_all, of them idle, from_one address. shared: proxies' addresses, from which everybody comes."""

    in_all: int
    idle: int
    from_one: int
    shared: frozenset[str] = frozenset()


def limits_for(settings: Settings, descriptors: int) -> Limits:
    """The limits by the settings; what is not set follows from the number of descriptors. Raises `InvalidSettings`."""
    in_all = settings.max_connections or max(1, min(descriptors // _SHARE, _MOST))
    if in_all + SPARE > descriptors // 2:
        raise InvalidSettings(
            f"max_connections (DECLOUD_MAX_CONNECTIONS): {in_all:,} connections, but this process may open "
            f"{descriptors:,} files, and jobs need half of them; raise `ulimit -n` to {2 * (in_all + SPARE):,} or more"
        )
    from_one = settings.max_connections_per_address or max(1, in_all // _SHARE)
    return Limits(in_all, max(1, in_all // 2), from_one, frozenset(network_of(name) for name in settings.proxies))


def network_of(address: str) -> str:
    """The network that an address counts for: an IPv6 one for its /64; one that is no number for itself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)


class Connection(Protocol):
    """A connection that can be ended."""

    def drop(self) -> None:
        """Ends it now."""


class Connections:
    """Counts those of one server, within `limits`, in its event loop alone. A new one is idle until its request."""

    def __init__(self, limits: Limits, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._elapsed = limits, elapsed
        self._networks: dict[Connection, str] = {}
        self._counts: Counter[str] = Counter()
        # Since when; the longest first.
        self._idle: OrderedDict[Connection, float] = OrderedDict()
        self._idle_of: dict[str, OrderedDict[Connection, None]] = {}
        self._stalled: OrderedDict[Connection, float] = OrderedDict()
        self._spare: OrderedDict[Connection, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._networks) + len(self._spare)

    def opened(self, connection: Connection, address: str) -> bool:
        """Counts a new one: whether it is within the limits, maybe in another's place; else it may only be refused."""
        network = network_of(address)
        if not self._make_room(network):
            self._spare[connection] = None
            if len(self._spare) > SPARE:
                self._drop(next(iter(self._spare)))
            return False
        self._networks[connection] = network
        self._counts[network] += 1
        self.idle(connection)
        return True

    def busy(self, connection: Connection) -> None:
        """Notes that a request of it has come."""
        if self._idle.pop(connection, None) is not None:
            network = self._networks[connection]
            self._idle_of[network].pop(connection)
            if not self._idle_of[network]:
                del self._idle_of[network]

    def idle(self, connection: Connection) -> None:
        """Notes that all its requests are answered. Others that were idle for longer may have to go."""
        network = self._networks.get(connection)
        if network is None or connection in self._idle:
            return
        now = self._elapsed()
        self._idle[connection] = now
        self._idle_of.setdefault(network, OrderedDict())[connection] = None
        while len(self._idle) > self._limits.idle:
            longest, since = next(iter(self._idle.items()))
            if now - since < _SPARED_S:
                return
            self._drop(longest)

    def stalled(self, connection: Connection) -> None:
        """Notes that its receiver takes nothing."""
        if connection in self._networks:
            self._stalled[connection] = self._elapsed()

    def flows(self, connection: Connection) -> None:
        """Notes that its receiver takes something again."""
        self._stalled.pop(connection, None)

    def closed(self, connection: Connection) -> None:
        """Counts it no more; the second time, nothing happens."""
        self.busy(connection)
        self.flows(connection)
        self._spare.pop(connection, None)
        network = self._networks.pop(connection, None)
        if network is not None:
            self._counts[network] -= 1
            if not self._counts[network]:
                del self._counts[network]

    def _make_room(self, network: str) -> bool:
        """For one more from there, if need be in the place of one that is idle or stalled."""
        if network not in self._limits.shared and self._counts[network] >= self._limits.from_one:
            return self._drop(next(iter(self._idle_of.get(network, ())), None))
        if len(self._networks) < self._limits.in_all:
            return True
        return self._drop(next(iter(self._idle), None) or self._longest_stalled())

    def _longest_stalled(self) -> Connection | None:
        connection, since = next(iter(self._stalled.items()), (None, 0.0))
        return connection if self._elapsed() - since > _STALLED_S else None

    def _drop(self, connection: Connection | None) -> bool:
        if connection is None:
            return False
        self.closed(connection)
        connection.drop()
        return True
