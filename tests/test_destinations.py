"""Where notices may go."""

import ipaddress
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webhook_receiver import Names

from worker.errors import ForbiddenDestination
from worker.notices import destinations
from worker.notices.destinations import Resolver, Unresolved, is_public, parse
from worker.settings import Settings

SETTINGS = Settings(webhook_private_hosts=("127.0.0.1:9000", "Hooks.internal", "[::1]:9000"))


@given(st.ip_addresses(v=4))
def test_no_address_is_public_that_python_calls_private(address: ipaddress.IPv4Address) -> None:
    if is_public(str(address)):
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=6))
def test_no_ipv6_address_is_public_that_python_calls_private(address: ipaddress.IPv6Address) -> None:
    if is_public(str(address)) and address.ipv4_mapped is None:
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_one_is_as_public_as_itself(address: ipaddress.IPv4Address) -> None:
    for prefix in ("::ffff:", "64:ff9b::"):
        assert is_public(f"{prefix}{address}") == is_public(str(address))
    sixth = ipaddress.IPv6Address((0x2002 << 112) | (int(address) << 80))
    assert not is_public(str(sixth))


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
     "100.64.0.1", "100.100.100.200", "169.254.169.254", "169.254.170.2", "168.63.129.16", "192.0.0.192",
     "198.18.0.1", "203.0.113.1", "224.0.0.1", "255.255.255.255",
     "::", "::1", "fe80::1", "fe80::1%2", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "2001::1",
     "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b:1::1", "::ffff:10.0.0.1", "::127.0.0.1", "fec0::1"],
)  # fmt: skip
def test_addresses_of_machines_inside_and_of_metadata_services_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::101:101"]
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    ["", "x", "ftp://example.org", "javascript:alert(1)", "https://", "https:///a", "https://a b", "https://a:b",
     "https://a:0", "https://a:99999", "https://[::1", "https://[fe80::1%25eth0]/", "https://exämple.org",
     "https://example.org/\r\nHost: x", "https://example.org/\x00", "https://.example.org", "https://-a",
     "https://a%2eb", "https://user@example.org", "https://user:pw@example.org", "https://:pw@example.org",
     "https://" + "a" * 300, "http://example.org", "http://127.0.0.1:9001", "http://127.0.0.1", "//example.org"],
)  # fmt: skip
def test_what_is_no_address_for_notices_is_refused(url: str) -> None:
    with pytest.raises(ForbiddenDestination):
        parse(url, SETTINGS)


def test_an_address_is_taken_apart_and_its_fragment_forgotten() -> None:
    parsed = parse("https://Example.org/a/b;c?d=e&f#g", SETTINGS)
    assert (parsed.host, parsed.port, parsed.target) == ("example.org", 443, "/a/b;c?d=e&f")
    assert (parsed.authority, parsed.inside) == ("example.org", False)
    assert parse("https://example.org:8443", SETTINGS).authority == "example.org:8443"
    assert parse("https://[2606:4700::1]:8443?a", SETTINGS).authority == "[2606:4700::1]:8443"
    assert parse("https://example.org?a", SETTINGS).target == "/?a"


def test_only_hosts_that_the_operator_has_named_may_be_plain_and_private() -> None:
    for url in ("http://127.0.0.1:9000", "http://hooks.internal:1", "https://HOOKS.internal/", "http://[::1]:9000"):
        assert parse(url, SETTINGS).inside
        destinations.check("http://127.0.0.1:9000", SETTINGS)
    for url in ("https://127.0.0.1:9001", "https://hooks.internal.example.org", "https://[::1]:9001"):
        assert not parse(url, SETTINGS).inside


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "0", "[::1]", "[::ffff:127.0.0.1]", "[::]"]
)
def test_loopback_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(ForbiddenDestination, match="must have a public address"):
        destinations.check(f"https://{host}/hook", SETTINGS)


def test_a_name_is_refused_when_any_of_its_addresses_is_private(names: Names) -> None:
    names.answers = {"mixed.example": [["93.184.216.34", "10.0.0.1"]], "good.example": [["93.184.216.34"]]}
    with pytest.raises(ForbiddenDestination, match="must have a public address") as refused:
        destinations.check("https://mixed.example", SETTINGS)
    assert "10.0.0.1" not in refused.value.detail, "users shall not read the operator's names through us"
    destinations.check("https://good.example", SETTINGS)


def test_a_name_that_is_not_known_now_passes_submission_and_does_not_resolve(names: Names) -> None:
    destinations.check("https://nobody.example", SETTINGS)
    with pytest.raises(Unresolved, match="no address"):
        Resolver(1).addresses(parse("https://nobody.example", SETTINGS), 5)
    names.answers = {"nothing.example": [[]]}
    with pytest.raises(Unresolved, match="no address"):
        Resolver(1).addresses(parse("https://nothing.example", SETTINGS), 5)


def test_a_silent_name_server_holds_up_nobody_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()

    def silent(*_: object, **__: object) -> list[object]:
        answer.wait(30)
        return []

    monkeypatch.setattr("socket.getaddrinfo", silent)
    resolver, destination = Resolver(1), parse("https://slow.example", SETTINGS)
    for _ in range(2):  # with a thread for it, and without one that is free
        began = time.monotonic()
        with pytest.raises(Unresolved, match="no answer"):
            resolver.addresses(destination, 0.1)
        assert time.monotonic() - began < 2
    answer.set()
