"""The process that fetches an input: whole, within the operator's list, and honest about what it could not get."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import obstore
import pytest
import quick_fetch
from file_server import FileServer, file_server
from obstore.store import S3Store
from service_storages import S3Server
from service_workers import until
from stac_server import QUICK, add_s1, add_s2, area_of, cog, stac_server
from webhook_receiver import Names, certify

from seq2seq.bands import L2A_10
from seq2seq.errors import DecloudError
from seq2seq.fetching.failures import FetchError
from seq2seq.fetching.transport import Transport
from seq2seq.readers.opening import read_sequence
from worker.allowed_inputs import AllowList
from worker.fetching import buckets
from worker.fetching.budget import Budget, Pace
from worker.fetching.files import WebFile, fetch_file
from worker.fetching.rules import AllowedRules
from worker.fetching.run_fetch import Fetching
from worker.running.job_folder import DONE, Fetched, FetchRequest

CONTENT = bytes(range(256)) * 4096  # 1 MiB
BAD_INPUT, STOPPED, SHORT = 2, 75, 78


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as ours:
        ours.files["/fields.zip"] = CONTENT
        yield ours


def request_of(source: dict[str, Any], **values: Any) -> FetchRequest:
    """allowed: hosts that may be private."""
    allow = AllowList(values.pop("hosts", ()), tuple(values.pop("allowed", ())), values.pop("catalogs", ()))
    values = {"max_bytes": 2**30, "pixel_dates": 2**40, "disk_floor_bytes": 0, **values}
    return FetchRequest(source=source, allowed=allow.to_dict(), **values)


def begin(folder: Path, source: dict[str, Any], **request: Any) -> subprocess.Popen[bytes]:
    """A process that fetches into `folder`."""
    environment = {**os.environ, **request.pop("environment", {})}
    request_of(source, **request).write(folder)
    with (folder / "child.log").open("ab") as log:
        return subprocess.Popen([*quick_fetch.COMMAND, str(folder)], stdout=log, stderr=log, env=environment)


def run(folder: Path, source: dict[str, Any], **request: Any) -> None:
    """The same in this process, which is not enclosed."""
    options, retry = request.pop("s3_options", {}), request.pop("retry", QUICK)
    with contextlib.chdir(folder):
        Path("fetched").mkdir(exist_ok=True)
        Fetching(request_of(source, **request), lambda *_, **__: None, lambda: False, options, retry).run()


def fetch(folder: Path, source: dict[str, Any], **request: Any) -> str:
    """What a fetch that fails says."""
    with pytest.raises(DecloudError) as error:
        run(folder, source, **request)
    assert Fetched.read(folder) is None
    return str(error.value)


def fetched(folder: Path, source: dict[str, Any], **request: Any) -> Fetched:
    run(folder, source, **request)
    found = Fetched.read(folder)
    assert found is not None
    return found


def refused(folder: Path, server: FileServer, path: str = "/fields.zip", **request: Any) -> str:
    return fetch(folder, {"href": server.url + path}, allowed=(server.authority,), **request)


def test_a_file_is_fetched_whole_under_the_name_that_it_has_there(tmp_path: Path, server: FileServer) -> None:
    child = begin(tmp_path, {"href": f"{server.url}/fields.zip?sig=secret"}, allowed=(server.authority,))
    assert child.wait(timeout=60) == DONE, (tmp_path / "child.log").read_text()
    found = Fetched.read(tmp_path)
    assert found is not None
    assert found.name == "fields.zip"
    assert found.path.read_bytes() == CONTENT
    assert sorted(path.name for path in (tmp_path / "fetched").iterdir()) == ["content", "done.json"]


@pytest.mark.parametrize("fault", ["cut", 503, 429, "reset", "whole"])
def test_what_breaks_is_gone_on_with_where_it_broke(tmp_path: Path, server: FileServer, fault: Any) -> None:
    server.faults["/fields.zip"] = [fault, fault]
    found = fetched(tmp_path, {"href": f"{server.url}/fields.zip"}, allowed=(server.authority,))
    assert found.path.read_bytes() == CONTENT
    if fault == "cut":
        assert server.sent == len(CONTENT)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (404, "/fields.zip: 404 Not Found"),
        (403, "/fields.zip: 403 Forbidden"),
        (401, "/fields.zip: 401 Unauthorized"),
        (416, "/fields.zip: 416 Requested Range Not Satisfiable"),
        (503, "/fields.zip: 503 Service Unavailable, 4 times in a row"),
        ("silent", "/fields.zip: nothing arrived for 1 s, 2 times in a row"),
        ("unsized", "/fields.zip: the server knows no ranges, and states no size"),
    ],
)
def test_what_cannot_be_had_is_said_in_one_line(tmp_path: Path, server: FileServer, fault: Any, said: str) -> None:
    server.always["/fields.zip"] = fault
    retry = replace(QUICK, attempts=2, silence_s=1.0) if fault == "silent" else QUICK
    detail = refused(tmp_path, server, retry=retry)
    assert detail.startswith(f"{server.url}{said}"), detail
    assert "\n" not in detail


def test_what_cannot_be_had_is_no_failure_of_ours(tmp_path: Path, server: FileServer) -> None:
    child = begin(tmp_path, {"href": f"{server.url}/missing.zip"}, allowed=(server.authority,))
    assert child.wait(timeout=60) == BAD_INPUT
    said = {"code": "fetch-failed", "detail": f"{server.url}/missing.zip: 404 Not Found"}
    assert json.loads((tmp_path / "error.json").read_text()) == said


def test_a_signature_that_has_expired_is_named_and_never_repeated(tmp_path: Path, server: FileServer) -> None:
    server.always["/fields.zip"] = 403
    detail = refused(tmp_path, server, "/fields.zip?X-Amz-Signature=abc")
    assert detail.endswith("the signature may have expired: give a fresh one")
    assert "abc" not in detail


def test_a_file_that_is_too_large_is_refused_before_it_is_fetched(tmp_path: Path, server: FileServer) -> None:
    detail = refused(tmp_path, server, max_bytes=1_000_000)
    assert detail == f"{server.url}/fields.zip: has 1,048,576 bytes, an input may have 1,000,000"
    assert server.sent <= 64 * 1024


def test_a_server_that_knows_no_ranges_sends_no_more_than_an_input_may_have(tmp_path: Path, server: FileServer) -> None:
    server.always["/fields.zip"] = "whole"
    assert "has more than the 500,000 bytes that an input may have" in refused(tmp_path, server, max_bytes=500_000)
    assert (tmp_path / "fetched" / "file.part").stat().st_size <= 500_000


def test_a_full_disk_is_no_fault_of_the_file(tmp_path: Path, server: FileServer) -> None:
    child = begin(tmp_path, {"href": f"{server.url}/fields.zip"}, allowed=(server.authority,), disk_floor_bytes=2**62)
    assert child.wait(timeout=60) == SHORT
    assert json.loads((tmp_path / "error.json").read_text())["code"] == "storage-full"


def test_nothing_is_fetched_that_the_operator_has_not_allowed(tmp_path: Path, server: FileServer) -> None:
    source = {"href": f"{server.url}/fields.zip"}
    assert "the operator has not allowed it (DECLOUD_INPUT_HOSTS)" in fetch(tmp_path, source)
    detail = fetch(tmp_path, source, hosts=("data.example.org",))
    assert "is at no host that the operator has allowed; allowed: data.example.org" in detail
    # On the list, and yet not public.
    assert fetch(tmp_path, source, hosts=(server.authority, "*")).endswith("must have a public address")
    assert server.asked == []


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data", "https://169.254.169.254/", "http://127.0.0.1:1/", "file:///etc/passwd",
        "https://[::1]/", "https://2130706433/", "https://metadata.google.internal/", "https://other.example.org/a",
        "http://user:pw@{authority}/b", "ftp://{authority}/", "gopher://127.0.0.1:6379/_x", "https://localhost/",
    ],
)  # fmt: skip
def test_a_redirect_leads_nowhere_that_the_list_does_not(tmp_path: Path, server: FileServer, target: str) -> None:
    server.redirects["/moved.zip"] = target.format(authority=server.authority)
    assert refused(tmp_path, server, "/moved.zip").startswith(f"{server.url}/moved.zip: ")
    assert [path for path, _ in server.asked] == ["/moved.zip"]


def test_a_redirect_within_the_list_is_followed(tmp_path: Path, server: FileServer) -> None:
    with file_server() as other:
        other.files["/there.zip"] = CONTENT
        server.redirects["/moved.zip"] = f"{other.url}/there.zip"
        source = {"href": f"{server.url}/moved.zip"}
        assert "is at no host that the operator has allowed" in fetch(tmp_path, source, allowed=(server.authority,))
        assert other.asked == []
        both = (server.authority, other.authority)
        assert fetched(tmp_path, source, allowed=both).path.read_bytes() == CONTENT


def test_a_name_that_leads_inside_is_connected_to_by_nobody(tmp_path: Path, names: Names) -> None:
    """The name is on the list, but not as one inside."""
    names.answers = {"inside.example": [["10.0.0.1"]], "mixed.example": [["93.184.216.34", "127.0.0.1"]]}
    detail = fetch(tmp_path, {"href": "https://inside.example/a.zip"}, hosts=("*.example",))
    assert detail.endswith("inside.example: its name leads to no address that inputs are fetched from")


def test_a_fetch_that_was_killed_goes_on_from_its_last_byte(tmp_path: Path, server: FileServer) -> None:
    server.always["/fields.zip"] = "slow"
    source, allowed = {"href": f"{server.url}/fields.zip"}, (server.authority,)
    child = begin(tmp_path, source, allowed=allowed)
    part = tmp_path / "fetched" / "file.part"
    until(lambda: part.exists() and part.stat().st_size > 300_000)
    child.send_signal(signal.SIGKILL)
    child.wait()
    there = part.stat().st_size
    server.always.clear()
    server.asked.clear()
    assert fetched(tmp_path, source, allowed=allowed).path.read_bytes() == CONTENT
    assert server.asked == [("/fields.zip", f"bytes={there}-{len(CONTENT) - 1}")]


def test_a_file_that_was_replaced_meanwhile_is_fetched_anew(tmp_path: Path, server: FileServer) -> None:
    source, allowed = {"href": f"{server.url}/fields.zip"}, (server.authority,)
    for other in (CONTENT[::-1], CONTENT[:1000]):  # as large as before, and shorter: 416
        folder = tmp_path / str(len(other))
        folder.mkdir()
        server.files["/fields.zip"], server.etag = CONTENT, '"1"'
        server.always["/fields.zip"] = "slow"
        child = begin(folder, source, allowed=allowed)
        until(lambda part=folder / "fetched" / "file.part": part.exists() and part.stat().st_size > 200_000)
        child.kill()
        child.wait()
        server.always.clear()
        server.files["/fields.zip"], server.etag = other, '"2"'
        assert fetched(folder, source, allowed=allowed).path.read_bytes() == other


@pytest.mark.parametrize("fault", ["slow", "silent", "trickle"])
def test_it_ends_within_a_moment_when_it_is_asked_to(tmp_path: Path, server: FileServer, fault: str) -> None:
    server.always["/fields.zip"], server.pace_s = fault, 0.2
    child = begin(tmp_path, {"href": f"{server.url}/fields.zip"}, allowed=(server.authority,))
    until(lambda: server.asked)
    time.sleep(0.3)
    began = time.monotonic()
    child.terminate()
    assert child.wait(timeout=30) == STOPPED
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("network", [True, False])
def test_it_sees_nothing_of_the_machine_but_its_own_folder(tmp_path: Path, network: bool) -> None:
    """And no network either where a sample is made."""
    folder, secret = tmp_path / "1", tmp_path / "secret"
    folder.mkdir()
    secret.write_text("x")
    program = (
        f"import os, socket, sys; from pathlib import Path; NETWORK = {network}\n"
        "from worker.fetching.run_fetch import enclose\n"
        f"os.chdir({str(folder)!r}); print(enclose(Path.cwd(), network={network}).landlock, flush=True)\n"
        "Path('mine').write_text('x'); connect = lambda: socket.socket().close(); connect() if NETWORK else None\n"
        f"tries = [lambda: open({str(secret)!r}), lambda: open('../other', 'w'), lambda: open('/etc/passwd'),\n"
        "         lambda: os.execv('/bin/true', ['true']), lambda: os.fork(), lambda: os.kill(os.getppid(), 0)]\n"
        "tries += [] if NETWORK else [connect]\n"
        "for number, attempt in enumerate(tries):\n"
        "    try: attempt(); print('could', number)\n"
        "    except OSError: pass\n"
    )
    found = subprocess.run([quick_fetch.COMMAND[0], "-c", program], capture_output=True, text=True, timeout=60)
    landlock, *could = found.stdout.splitlines()
    assert found.returncode == 0, found.stderr
    if landlock == "0":
        could = [line for line in could if line.split()[1] not in "012"]  # this kernel confines no files
    assert could == []


def test_https_is_spoken_by_the_enclosed_process_and_a_wrong_certificate_refused(tmp_path: Path) -> None:
    tls, trusted = certify(tmp_path, "localhost")
    with file_server(tls) as server:
        server.files["/fields.zip"] = CONTENT
        for name, environment in (("trusting", {"SSL_CERT_FILE": str(trusted)}), ("not", {})):
            folder = tmp_path / name
            folder.mkdir()
            source = {"href": f"{server.url}/fields.zip"}
            status = begin(folder, source, allowed=(server.authority,), environment=environment).wait(timeout=60)
            if environment:
                assert status == DONE, (folder / "error.json").read_text()
            else:
                said = json.loads((folder / "error.json").read_text())["detail"]
                assert said.startswith(f"{server.url}/fields.zip: its certificate is not valid: "), said


def test_stac_items_are_fetched_with_their_images(tmp_path: Path, server: FileServer) -> None:
    for day in ("01", "06"):
        for band in ("B02", "B8A"):
            server.files[f"/s2/{day}/{band}.tif"] = cog(np.full((64, 64), 900, "uint16"))
    items = [_item(day, ("B02", "B8A")) for day in ("01", "06")]
    server.files["/s2/items.json"] = json.dumps({"type": "FeatureCollection", "features": items}).encode()
    found = fetched(tmp_path, {"href": f"{server.url}/s2/items.json"}, allowed=(server.authority,))
    assert sorted(path.relative_to(found.path).as_posix() for path in found.path.rglob("*.*")) == [
        f"{index:03d}-S2A_{day}/{name}"
        for index, day in enumerate(("01", "06"))
        for name in ("00-B02.tif", "01-B8A.tif", "item.json")
    ]
    kept = json.loads((found.path / "001-S2A_06" / "item.json").read_text())
    assert [asset["href"] for asset in kept["assets"].values()] == ["00-B02.tif", "01-B8A.tif"]


def _item(day: str, bands: tuple[str, ...]) -> dict[str, Any]:
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": f"S2A_{day}",
        "properties": {"datetime": f"2021-05-{day}T10:00:00Z", "platform": "sentinel-2a"},
        "assets": {band: {"href": f"{day}/{band}.tif", "eo:bands": [{"name": band}]} for band in bands}
        | {"thumbnail": {"href": f"{day}/small.tif", "roles": ["thumbnail"]}},
    }


def test_a_collection_leads_to_its_items(tmp_path: Path, server: FileServer) -> None:
    server.files["/s2/01/B02.tif"] = CONTENT
    server.files["/s2/one.json"] = json.dumps(_item("01", ("B02",))).encode()
    links = [{"rel": "item", "href": "./one.json"}, {"rel": "self", "href": "elsewhere"}]
    collection = {"type": "Collection", "stac_version": "1.0.0", "id": "c", "links": links}
    server.files["/s2/collection.json"] = json.dumps(collection).encode()
    found = fetched(tmp_path, {"href": f"{server.url}/s2/collection.json"}, allowed=(server.authority,))
    assert (found.path / "000-S2A_01" / "00-B02.tif").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("href", "said"),
    [
        ("https://169.254.169.254/x.tif", "https://169.254.169.254/x.tif: is at no host that the operator has allowed"),
        ("file:///etc/x.tif", "must be an address such as"),
        ("../../../missing.tif", "/missing.tif: 404 Not Found"),
        ("s3://others/x.tif", "s3://others/x.tif: is in no bucket that the operator has allowed"),
    ],
)
def test_an_item_leads_nowhere_that_the_list_does_not(tmp_path: Path, server: FileServer, href: str, said: str) -> None:
    item = _item("01", ("B02",))
    item["assets"]["B02"]["href"] = href
    server.files["/s2/item.json"] = json.dumps(item).encode()
    assert said in refused(tmp_path, server, "/s2/item.json")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"type": "Feature", ', "begins as JSON and is none"),
        (b"{" * 100_000, "begins as JSON and is none"),
        (b'{"a": 1}', "is JSON, but no STAC Item, ItemCollection or Collection"),
        (b'{"type": "Collection"}', "is a Collection without links to items"),
        (b'{"type": "FeatureCollection", "features": 3}', "holds no list of items"),
        (b'{"type": "FeatureCollection", "features": []}', "its 0 items have no images that are read"),
    ],
)
def test_json_that_is_no_usable_stac_is_refused(tmp_path: Path, server: FileServer, content: bytes, said: str) -> None:
    server.files["/x.json"] = content
    assert said in refused(tmp_path, server, "/x.json")


def test_all_images_of_items_count_together(tmp_path: Path, server: FileServer) -> None:
    bands = ("B02", "B03", "B04")
    server.files |= {f"/s2/01/{band}.tif": CONTENT for band in bands}
    server.files["/s2/item.json"] = json.dumps(_item("01", bands)).encode()
    detail = refused(tmp_path, server, "/s2/item.json", max_bytes=2_500_000)
    assert detail.startswith(f"{server.url}/s2/01/B04.tif: has 1,048,576 bytes after 2,097,"), detail


def test_an_area_is_fetched_from_a_catalogue_that_is_allowed(tmp_path: Path) -> None:
    with stac_server() as catalog:
        for day in ("01", "06"):
            add_s2(catalog, f"S2-{day}", f"2021-05-{day}T10:30:00Z", bands=L2A_10)
            add_s1(catalog, f"S1-{day}", f"2021-05-{day}T17:30:00Z")
        source = {"area": list(area_of()), "dates": "2021-05-01/2021-05-31", "catalog": catalog.url}
        assert "the operator has not allowed it (DECLOUD_INPUT_CATALOGS)" in fetch(tmp_path, source)
        detail = fetch(tmp_path, source, catalogs=("earth-search",))
        assert "no catalogue that the operator has allowed; allowed: earth-search" in detail
        # A catalogue that is allowed is not yet a host inside that is.
        assert "must have a public address" in fetch(tmp_path, source, catalogs=(catalog.url,))
        authority = catalog.url.removeprefix("http://")
        asked: dict[str, Any] = {"catalogs": (catalog.url,), "allowed": (authority,)}
        assert "pixels times dates may be 100" in fetch(tmp_path, source, pixel_dates=100, **asked)
        assert "an input may have 1,000; give a smaller area" in fetch(tmp_path, source, max_bytes=1000, **asked)
        catalog.items[0]["assets"]["B02"]["href"] = "https://169.254.169.254/B02.tif"
        detail = fetch(tmp_path, source, **asked)
        assert "S2-01, asset B02" in detail
        assert "is at no host that the operator has allowed" in detail
        catalog.items[0]["assets"]["B02"]["href"] = f"{catalog.url}/s2/S2-01/B02.tif"
        found = fetched(tmp_path, source, **asked)
        files = sorted(path.relative_to(found.path).as_posix() for path in found.path.rglob("*.tif"))
        assert files == [f"{sensor}/2021-05-{day}.tif" for sensor in ("S1", "S2", "SCL") for day in ("01", "06")]


def test_an_area_goes_on_with_the_dates_that_are_there(tmp_path: Path) -> None:
    with stac_server() as catalog:
        for day in ("01", "06"):
            add_s2(catalog, f"S2-{day}", f"2021-05-{day}T10:30:00Z", bands=L2A_10)
        source = {"area": list(area_of()), "dates": "2021-05-01/2021-05-31", "catalog": catalog.url}
        asked: dict[str, Any] = {"catalogs": (catalog.url,), "allowed": (catalog.url.removeprefix("http://"),)}
        missing = catalog.files.pop("/s2/S2-06/B8A.tif")
        detail = fetch(tmp_path, source, **asked)
        assert "S2 2021-05-06: S2-06, asset B8A: 404 Not Found; 1 of 2 dates were fetched" in detail
        assert str(tmp_path) not in detail
        catalog.files["/s2/S2-06/B8A.tif"] = missing
        catalog.requests.clear()
        fetched(tmp_path, source, **asked)
        assert catalog.asked("S2-01/B02.tif") == []
        assert catalog.asked("S2-06/B02.tif") != []


def test_an_object_is_read_from_a_bucket_that_is_allowed(tmp_path: Path, s3_server: S3Server, bucket: str) -> None:
    obstore.put(S3Store(bucket, config=_config(s3_server), client_options={"allow_http": True}), "in/a.nc", CONTENT * 9)
    asked: dict[str, Any] = {"hosts": (f"s3://{bucket}/in",), "s3_options": s3_server.options}
    for options in (s3_server.options, {"endpoint": s3_server.endpoint, "region": "us-east-1"}):  # as everybody
        folder = tmp_path / str(len(options))
        folder.mkdir()
        found = fetched(folder, {"href": f"s3://{bucket}/in/a.nc"}, **{**asked, "s3_options": options})
        assert (found.name, found.path.read_bytes()) == ("a.nc", CONTENT * 9)
    detail = fetch(tmp_path, {"href": f"s3://{bucket}/in/missing.nc"}, **asked)
    assert detail == f"s3://{bucket}/in/missing.nc: 404 Not Found"
    assert fetch(tmp_path, {"href": f"s3://{bucket}/in/a.nc"}, max_bytes=100_000, **asked).endswith(
        "has 9,437,184 bytes, an input may have 100,000"
    )
    for href in (
        f"s3://{bucket}/other/a.nc",
        f"s3://{bucket}/in/../a.nc",
        f"s3://{bucket}-2/in/a.nc",
        f"s3://{bucket}/inner",
    ):
        with pytest.raises(FetchError):
            run(tmp_path, {"href": href}, **asked)


def _config(server: S3Server) -> Any:
    return dict(server.options)


def test_a_bucket_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "_PAUSE_S", 0.01)
    options = {"endpoint": "http://127.0.0.1:9", "region": "us-east-1"}
    detail = fetch(tmp_path, {"href": "s3://bucket/a.nc"}, hosts=("s3://bucket",), s3_options=options)
    assert detail.startswith("s3://bucket/a.nc: the object store said ")
    assert detail.endswith("4 times in a row")
    assert "\n" not in detail


def test_a_server_that_sends_next_to_nothing_is_given_up(server: FileServer, tmp_path: Path) -> None:
    server.always["/fields.zip"], server.pace_s = "trickle", 0.05
    pace = Pace(window_s=1.0, least_bytes=4096)
    transport = Transport(
        AllowedRules.by(AllowList(private_hosts=(server.authority,))), retry=QUICK, check_stop=pace.check
    )
    budget = Budget(tmp_path, max_bytes=2**30, floor_bytes=0)
    began = time.monotonic()
    with contextlib.closing(transport), pytest.raises(FetchError, match=r"is too slow: [0-9]+ bytes in 1 s"):
        fetch_file(
            WebFile(f"{server.url}/fields.zip", transport),
            tmp_path / "file",
            budget=budget,
            pace=pace,
            on_bytes=lambda *_: None,
        )
    assert time.monotonic() - began < 5


def test_a_sample_is_made_in_a_process_without_a_network(tmp_path: Path) -> None:
    half = tmp_path / "fetched" / "content" / "S2"
    half.mkdir(parents=True)
    (half / "2000-01-01.tif").write_bytes(b"of an attempt that was killed")
    child = begin(tmp_path, {"sample": "fields"}, pixel_dates=16 * 96 * 96)
    assert child.wait(timeout=60) == DONE, (tmp_path / "child.log").read_text()
    made = Fetched.read(tmp_path)
    assert made is not None
    assert made.name == "sample fields"
    assert read_sequence(made.path).s2.pixels.shape == (16, 10, 96, 96)
    small = tmp_path / "small"
    small.mkdir()
    assert "16,384" in fetch(small, {"sample": "fields"}, pixel_dates=16_384)
