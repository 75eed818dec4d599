"""A catalogue that means us ill: its addresses, its redirects, its files, its answers."""

import json
import os
import resource
import socket
import struct

import numpy as np
import pytest
from stac_server import FEW, QUICK, Fault, add_s2, area_of, cog, stac_server

from seq2seq.errors import DecloudError
from seq2seq.fetching.addresses import AddressRules
from seq2seq.fetching.area import Box, parse_period
from seq2seq.fetching.failures import FetchError, RefusedAddressError
from seq2seq.fetching.metering import Meter
from seq2seq.fetching.plan import Request, plan
from seq2seq.fetching.transfer import fetch
from seq2seq.fetching.transport import Transport

PERIOD = parse_period("2022-05-01/2022-06-30")
PUBLIC = AddressRules.of("https://stac.example.org/v1")


def planned(server, bands=FEW):
    return plan(Request(Box(*area_of()), PERIOD, server.catalog, None, bands), retry=QUICK)


def refusal(call):
    """What a call is refused with, in words; anything else that it raises is a bug."""
    try:
        call()
    except DecloudError as error:
        return str(error)
    return ""


def fetched(server, out):
    return fetch(planned(server), out, retry=QUICK)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "/vsicurl/https://example.org/x.tif",
        "/vsizip/etc.zip",
        "s3://bucket/key.tif",
        "ftp://example.org/x.tif",
        "http://example.org/x.tif",
        "http://localhost/x.tif",
        "https://localhost/x.tif",
        "https://a.localhost/x.tif",
        "https://127.0.0.1/x.tif",
        "https://[::1]/x.tif",
        "https://[::ffff:10.0.0.1]/x.tif",
        "https://[64:ff9b::a9fe:a9fe]/x.tif",
        "https://[2002:0a00:0001::1]/x.tif",
        "https://10.0.0.5/x.tif",
        "https://192.168.1.1/x.tif",
        "https://172.16.0.1/x.tif",
        "https://100.64.0.1/x.tif",
        "https://169.254.169.254/latest/meta-data",
        "https://168.63.129.16/x",
        "https://0.0.0.0/x.tif",
        "https://224.0.0.1/x.tif",
        "https://[fe80::1]/x.tif",
        "https://user:secret@example.org/x.tif",
        "https://example.org:0x50/x.tif",
        "https://example.org/a b.tif",
        "https://example.org/\r\nHost: other",
        "https://[::1/x.tif",
        "https:///x.tif",
        "",
    ],
)
def test_addresses_that_lead_elsewhere_are_refused(url):
    with pytest.raises(RefusedAddressError) as caught:
        PUBLIC.check(url)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value).split(": ", 1)[1]


@pytest.mark.parametrize(
    "url", ["https://example.org/x.tif", "https://8.8.8.8:8443/x", "https://[2606:4700::1]/x?sig=1"]
)
def test_public_addresses_are_fetched_from(url):
    target = PUBLIC.check(url)
    assert (target.scheme, target.path.startswith("/x")) == ("https", True)
    assert "sig" not in repr(target)


def test_hosts_that_the_user_has_named_may_be_private_and_no_others():
    rules = AddressRules.of("https://10.1.2.3/stac", ("images.intra",))
    rules.check("https://10.1.2.3/x.tif")
    rules.check_peer("images.intra", "10.9.9.9")
    with pytest.raises(RefusedAddressError, match=r"--allow-host other\.intra lets it"):
        rules.check_peer("other.intra", "10.9.9.9")
    with pytest.raises(RefusedAddressError, match=r"not public \(127\.0\.0\.1\)$"):
        rules.check_peer("evil.example", "127.0.0.1")


@pytest.mark.parametrize(
    "href", ["file:///etc/passwd", "https://169.254.169.254/x.tif", "/vsis3/bucket/x", "http://10.0.0.1/x.tif"]
)
def test_an_item_that_leads_elsewhere_is_refused_before_anything_is_transferred(server, tmp_path, href):
    item = add_s2(server, "S2A_1", "2022-05-03T10:50:31Z")
    item["assets"]["B04"]["href"] = href
    if href.startswith("/"):  # relative to the catalogue: its own path, and not a file of ours
        with pytest.raises(FetchError, match="404"):
            fetched(server, tmp_path / "fields")
        assert server.asked("/vsis3/bucket/x")
        return
    with pytest.raises(RefusedAddressError, match=r"^S2A_1, asset B04: "):
        planned(server)
    assert not server.asked(".tif")


def test_a_name_that_leads_inside_is_not_even_connected_to(monkeypatch):
    """As a name server can do that the author of a catalogue owns."""
    connected = []
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.5", 443))]
    )
    monkeypatch.setattr(socket.socket, "connect", lambda *address: connected.append(address))
    monkeypatch.setenv("no_proxy", "*")
    transport = Transport(PUBLIC, retry=QUICK)
    with pytest.raises(RefusedAddressError, match=r"images\.example\.org: leads into a network that is not public"):
        transport.json("https://images.example.org/x", Meter())
    transport.close()
    assert not connected


def test_a_redirect_is_followed_only_where_a_link_might_lead(server, tmp_path):
    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z")
    moved = f"{server.url}/s2/S2A_1/moved.tif"
    server.files["/s2/S2A_1/moved.tif"] = server.files["/s2/S2A_1/B04.tif"]
    server.always["B04.tif"] = Fault("status", 302, headers={"Location": moved})
    assert fetched(server, tmp_path / "fields").new
    for number, target in enumerate(("https://169.254.169.254/x", "file:///etc/passwd", "http://10.0.0.1/")):
        server.always["B04.tif"] = Fault("status", 302, headers={"Location": target})
        with pytest.raises(FetchError, match=r"S2A_1, asset B04: .*(not public|only https)"):
            fetched(server, tmp_path / f"refused{number}")


def test_redirects_in_a_circle_end(server, tmp_path):
    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z")
    server.always["B04.tif"] = Fault("status", 302, headers={"Location": f"{server.url}/s2/S2A_1/B04.tif"})
    with pytest.raises(FetchError, match="redirects more than 5 times"):
        fetched(server, tmp_path / "fields")


def test_a_catalogue_on_this_machine_leads_to_no_other_private_one():
    rules = AddressRules.of("http://127.0.0.1:8000")
    rules.check("http://127.0.0.1:9000/x.tif")
    rules.check("http://localhost:9000/x.tif")
    for url in ("http://10.0.0.1/x", "http://example.org/x", "https://192.168.0.1/x"):
        with pytest.raises(RefusedAddressError):
            rules.check(url)


VRT = b'<VRTDataset rasterXSize="1" rasterYSize="1"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>\
<SourceFilename>/etc/passwd</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>'


def _patched(content, at, new):
    return content[:at] + new + content[at + len(new) :]


def hostile_files():
    whole = cog(np.full((192, 192), 1500, "uint16"))
    yield "vrt", VRT, "is no image that is read"
    yield "empty", b"", ""
    yield "text", b"<html>please log in</html>" * 100, "is no image that is read"
    yield "png", b"\x89PNG\r\n\x1a\n" + bytes(100), "is no image that is read"
    yield "zip", b"PK\3\4" + bytes(100), "is no image that is read"
    yield "truncated", whole[:200], ""
    yield "cut", whole[:-400], ""
    yield "directory beyond", _patched(whole, 4, struct.pack("<I", 2**31)), "ends at byte"
    yield "many tags", _patched(whole, struct.unpack("<I", whole[4:8])[0], b"\xff\xff"), ""
    yield "floats", cog(np.full((192, 192), 0.5, "float32")), "is float32, which is not reflectance"


@pytest.mark.parametrize(
    ("content", "words"), [pytest.param(content, words, id=kind) for kind, content, words in hostile_files()]
)
def test_files_that_are_no_images_are_refused_by_name(server, tmp_path, content, words):
    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z")
    server.files["/s2/S2A_1/B04.tif"] = content
    with pytest.raises(FetchError) as caught:
        fetched(server, tmp_path / "fields")
    assert "S2A_1, asset B04: " in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value).split(";")[0]


def test_damaged_files_never_crash(server, tmp_path):
    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z")
    whole = server.files["/s2/S2A_1/B02.tif"]
    random = np.random.default_rng(0)
    result = planned(server)
    for number in range(20):
        damaged = np.frombuffer(whole, np.uint8).copy()
        damaged[random.integers(0, 600, 6)] = random.integers(0, 256, 6)
        server.files["/s2/S2A_1/B02.tif"] = damaged.tobytes()
        refused = refusal(lambda out=tmp_path / f"fields{number}": fetch(result, out, retry=QUICK, jobs=1))
        assert "\n" not in refused


def test_a_file_may_claim_any_size_and_takes_no_more_than_it_sends(server, tmp_path):
    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z")
    server.always["B04.tif"] = Fault("huge")
    with pytest.raises(FetchError, match="at most 4,294,967,296 are fetched"):
        fetched(server, tmp_path / "fields")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"<html>", "answers what is not JSON"),
        (b"[" * 100_000, "answers what is not JSON"),
        (b"[]", "answers JSON that is no object"),
        (b"{}", "answers no list of items; is it a STAC API?"),
        (json.dumps({"features": [1]}).encode(), "answers no list of items"),
        (json.dumps({"features": [{"id": "x\nrm -rf"}]}).encode(), r"x\?rm -rf: states no time"),
        (json.dumps({"features": [{"id": None, "properties": {"datetime": "soon"}}]}).encode(), "states no time"),
    ],
)
def test_answers_that_are_no_items_are_one_line(server, answer, words):
    server.files["/answer"] = answer
    server.always["/search"] = Fault("status", 307, headers={"Location": f"{server.url}/answer"})
    with pytest.raises(FetchError, match=words) as caught:
        planned(server)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("loopback, collection sentinel-2-l2a: ")


@pytest.mark.parametrize("field", ["properties", "assets", "geometry", "links", "id", "bbox"])
@pytest.mark.parametrize("value", [None, 0, "text", [], {}, [[]], {"href": 3}, 1e308, True])
def test_items_of_any_shape_are_read_or_refused(server, field, value):
    item = add_s2(server, "S2A_1", "2022-05-03T10:50:31Z", bands=("B04",))
    server.items[0] = {**item, field: value} if field != "properties" else item
    if field == "properties":
        for key in list(item["properties"]):
            if key != "datetime":
                item["properties"][key] = value
    assert "\n" not in refusal(lambda: planned(server, bands=("B04",)))


def test_a_next_link_leads_only_where_an_address_may(server):
    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z")
    page = {"features": server.items, "links": [{"rel": "next", "href": "https://169.254.169.254/search"}]}
    server.files["/answer"] = json.dumps(page).encode()
    server.always["/search"] = Fault("status", 307, headers={"Location": f"{server.url}/answer"})
    with pytest.raises(FetchError, match=r"169\.254\.169\.254: leads into a network that is not public"):
        planned(server)


def test_keys_are_not_sent_to_another_host(server, monkeypatch, tmp_path):
    with stac_server() as other:
        other.files["/token"] = b"{}"
        server.always["/token"] = Fault("status", 302, headers={"Location": f"{other.url}/token"})
        transport = Transport(AddressRules.of(server.url), retry=QUICK)
        transport.json(f"{server.url}/token", Meter(), headers={"Authorization": "secret"})
        transport.close()
        assert server.requests[-1].headers["Authorization"] == "secret"
        assert "Authorization" not in other.requests[-1].headers


def test_memory_of_a_reader_does_not_follow_a_header_that_claims_much(server, tmp_path):
    """A TIFF of a few hundred bytes that says it has gigabytes of pixels."""
    content = cog(np.full((192, 192), 1500, "uint16"), driver="GTiff")
    at = struct.unpack("<I", content[4:8])[0]
    (count,) = struct.unpack("<H", content[at : at + 2])
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        if struct.unpack("<H", content[entry : entry + 2])[0] in (256, 257):
            content = _patched(content, entry + 8, struct.pack("<I", 60_000))
    add_s2(server, "S2A_1", "2022-05-03T10:50:31Z")
    server.files["/s2/S2A_1/B04.tif"] = content
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FetchError, match="S2A_1, asset B04"):
        fetched(server, tmp_path / "fields")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000
    assert os.listdir(tmp_path / "fields") == ["fetched.json"]
