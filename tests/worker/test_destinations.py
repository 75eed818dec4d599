"""Where notices may go."""

import ipaddress
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webhook_receiver import Names

from worker.errors import ForbiddenDestination
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
    assert not parse("https://hooks.internal.example.org", SETTINGS).inside
    for url in ("https://127.0.0.1:9001", "https://[::1]:9001"):
        with pytest.raises(ForbiddenDestination, match="must have a public address"):
            parse(url, SETTINGS)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "0", "[::1]", "[::ffff:127.0.0.1]", "[::]",
     "a.localhost", "printer.local", "metadata.google.internal", "LOCALHOST"],
)  # fmt: skip
def test_what_is_no_public_address_as_it_is_written_is_refused_at_once(host: str, names: Names) -> None:
    with pytest.raises(ForbiddenDestination, match="must have a public address"):
        parse(f"https://{host}/hook", SETTINGS)
    assert names.asked == []


def test_a_name_is_not_looked_up_before_a_notice_is_sent_to_it(names: Names) -> None:
    names.answers = {"intranet.example": [["10.0.0.1"]]}
    for url in ("https://intranet.example", "https://nobody.example", "https://127.0.0.1.example"):
        assert parse(url, SETTINGS).port == 443
    assert names.asked == []


@pytest.mark.parametrize("answer", [None, [], ["10.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::1"]])
def test_a_name_that_leads_inside_reads_like_one_that_does_not_exist(names: Names, answer: list[str] | None) -> None:
    names.answers = {} if answer is None else {"asked.example": [answer]}
    with pytest.raises(Unresolved) as refused:
        Resolver(1).addresses(parse("https://asked.example", SETTINGS), 5)
    assert str(refused.value) == "its name leads to no address that notices may go to"


def test_a_public_name_leads_to_all_its_addresses(names: Names) -> None:
    names.answers = {"good.example": [["93.184.216.34", "2606:4700::1111"]]}
    assert len(Resolver(1).addresses(parse("https://good.example", SETTINGS), 5)) == 2


def test_a_silent_name_server_holds_up_nobody_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()

    def silent(*_: object, **__: object) -> list[object]:
        answer.wait(30)
        return []

    # parsed before: it asks whether the name is a number, which no name server is needed for
    resolver, destination = Resolver(1), parse("https://slow.example", SETTINGS)
    monkeypatch.setattr("socket.getaddrinfo", silent)
    for _ in range(2):  # with a thread for it, and without one that is free
        began = time.monotonic()
        with pytest.raises(Unresolved, match="its name leads to no address"):
            resolver.addresses(destination, 0.1)
        assert time.monotonic() - began < 2
    answer.set()
