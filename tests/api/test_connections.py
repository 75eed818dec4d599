"""Who has to go when there are too many connections."""

import pytest

from api.http.connections import SPARE, Connections, Limits, limits_for, network_of
from worker.errors import InvalidSettings
from worker.settings import Settings

FEW = Limits(in_all=4, idle=4, from_one=2, shared=frozenset({"127.0.0.1"}))


class Line:
    """A connection that knows whether it was ended."""

    def __init__(self) -> None:
        self.is_open = True

    def drop(self) -> None:
        self.is_open = False


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def connect(connections: Connections, address: str, *, busy: bool = False) -> Line:
    line = Line()
    assert connections.opened(line, address)
    if busy:
        connections.busy(line)
    return line


def test_the_one_that_was_idle_for_longest_makes_room() -> None:
    connections = Connections(FEW)
    lines = [connect(connections, "127.0.0.1") for _ in range(4)]
    connections.busy(lines[0])
    connections.idle(lines[0])  # asked something meanwhile
    connect(connections, "127.0.0.1")
    assert [line.is_open for line in lines] == [True, False, True, True]
    assert len(connections) == 4


def test_one_that_is_busy_is_never_ended_and_a_few_more_may_hear_that_all_are() -> None:
    connections = Connections(FEW)
    lines = [connect(connections, "127.0.0.1", busy=True) for _ in range(4)]
    spare = [Line() for _ in range(SPARE + 2)]
    assert not any(connections.opened(line, "127.0.0.1") for line in spare)
    assert [line.is_open for line in spare] == [False, False, *[True] * SPARE]
    assert all(line.is_open for line in lines)
    connections.closed(lines[0])
    assert connections.opened(Line(), "127.0.0.1")


def test_one_address_takes_no_other_ones_place() -> None:
    connections = Connections(FEW)
    other = connect(connections, "192.0.2.7")
    greedy = [connect(connections, "192.0.2.1") for _ in range(5)]
    assert [line.is_open for line in greedy] == [False, False, False, True, True]
    assert other.is_open
    for line in greedy[3:]:
        connections.busy(line)
    assert not connections.opened(Line(), "192.0.2.1")
    assert other.is_open


def test_many_come_from_a_proxys_address() -> None:
    connections = Connections(FEW)
    assert all(connect(connections, "127.0.0.1", busy=True).is_open for _ in range(4))


def test_a_receiver_that_takes_nothing_makes_room_after_a_while() -> None:
    clock = Clock()
    connections = Connections(FEW, clock)
    lines = [connect(connections, "127.0.0.1", busy=True) for _ in range(4)]
    connections.stalled(lines[2])
    connections.stalled(lines[3])
    connections.flows(lines[2])
    assert not connections.opened(Line(), "127.0.0.1")
    clock.now += 11
    assert connections.opened(Line(), "127.0.0.1")
    assert [line.is_open for line in lines] == [True, True, True, False]


def test_of_idle_ones_there_are_fewer_but_for_those_that_have_just_come() -> None:
    clock = Clock()
    connections = Connections(Limits(in_all=10, idle=2, from_one=10), clock)
    lines = [connect(connections, "192.0.2.1") for _ in range(5)]
    assert all(line.is_open for line in lines)
    clock.now += 2
    connect(connections, "192.0.2.1")
    assert [line.is_open for line in lines] == [False, False, False, False, True]


def test_nothing_is_remembered_of_those_that_are_gone() -> None:
    connections = Connections(FEW)
    for number in range(1000):
        line = connect(connections, f"192.0.2.{number % 250}", busy=number % 2 == 0)
        connections.stalled(line)
        connections.closed(line)
        connections.closed(line)
        connections.idle(line)
    assert len(connections) == 0
    kept = (connections._counts, connections._idle, connections._idle_of, connections._stalled, connections._spare)
    assert not any(kept)


def test_an_ipv6_address_counts_as_all_that_its_owner_has() -> None:
    assert network_of("2001:db8:1:2::3") == network_of("2001:db8:1:2:ffff::4") != network_of("2001:db8:1:3::3")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1")
    assert network_of("") == ""


def test_limits_follow_from_the_number_of_files_that_may_be_open() -> None:
    limits = limits_for(Settings(), 1024)
    assert (limits.in_all, limits.idle, limits.from_one) == (256, 128, 64)
    assert limits_for(Settings(), 1 << 20).in_all == 10_000
    chosen = limits_for(Settings(max_connections=100, max_connections_per_address=7, proxies=("10.0.0.9",)), 1024)
    assert (chosen.in_all, chosen.from_one, chosen.shared) == (100, 7, frozenset({"10.0.0.9"}))


def test_more_connections_than_files_are_refused_with_what_to_do() -> None:
    with pytest.raises(InvalidSettings, match=r"DECLOUD_MAX_CONNECTIONS.*1,024 files.*ulimit -n` to 2,032"):
        limits_for(Settings(max_connections=1000), 1024)
