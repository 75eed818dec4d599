"""Results over HTTP: listed, read whole and in part, as one archive, and by signed addresses."""

import base64
import hashlib
import io
import time
import zipfile
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from service_api import Serve, ServedApi, User
from service_jobs import WallClock
from service_storages import pattern, size_of

from worker import jobs
from worker.errors import NotFound, StorageUnavailable

IMAGE = pattern(2_500_001)
FILES = {
    "declouded/2021-05-01.tif": IMAGE,
    "declouded/2021-05-11.tif": b"another",
    "uncertainty/2021-05-01.tif": b"sigma",
    "report.json": b"{}",
    "report.html": b"<p>good</p>",
    "preview.png": b"png",
    "stac/collection.json": b"{}",
    "empty.txt": b"",
}


@pytest.fixture(scope="module")
def user(api: ServedApi) -> User:
    return api.user()


@pytest.fixture(scope="module")
def done(user: User) -> str:
    """The id of a job with a result, which tests only read."""
    return finished(user)


def finished(user: User, files: dict[str, bytes] = FILES) -> str:
    job_id = user.submit()
    user.api.finish(job_id, files)
    return job_id


def code_of(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return str(answer.json()["code"])


def test_results_are_links_by_output(user: User, done: str) -> None:
    found = user.get(f"/jobs/{done}/results").json()
    assert {"declouded", "uncertainty", "report", "preview", "stac", "manifest", "archive"} <= set(found)
    assert [link["date"] for link in found["declouded"]] == ["2021-05-01", "2021-05-11"]
    first = found["declouded"][0]
    assert first["href"] == f"{user.api.url}/jobs/{done}/results/declouded/2021-05-01.tif"
    assert first["size"] == len(IMAGE)
    assert first["sha256"] == hashlib.sha256(IMAGE).hexdigest()
    assert first["type"].startswith("image/tiff")
    assert user.get(found["archive"]["href"]).headers["content-length"] == str(found["archive"]["size"])
    told = user.get(f"/jobs/{done}").json()
    assert f"{user.api.url}/jobs/{done}/results" in [link["href"] for link in told["links"]]


def test_every_file_of_a_result_arrives_as_it_is(user: User, done: str) -> None:
    for path, content in FILES.items():
        answer = user.get(f"/jobs/{done}/results/{path}")
        assert answer.status_code == 200
        assert answer.content == content
        digest = hashlib.sha256(content)
        assert answer.headers["etag"] == f'"{digest.hexdigest()}"'
        assert answer.headers["repr-digest"] == f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
        assert answer.headers["content-length"] == str(len(content))
        assert answer.headers["accept-ranges"] == "bytes"
        assert path.rpartition("/")[2] in answer.headers["content-disposition"]
        head = user.head(f"/jobs/{done}/results/{path}")
        assert head.status_code == 200
        assert head.content == b""
        same = ("etag", "content-length", "content-type", "repr-digest", "last-modified")
        assert [head.headers[name] for name in same] == [answer.headers[name] for name in same]


@pytest.mark.parametrize(
    ("asked", "those"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=0-99", slice(0, 100)),
        ("bytes=1000000-", slice(1_000_000, None)),
        ("bytes=-1", slice(-1, None)),
        ("bytes=-99999999", slice(None)),
        ("bytes=2500000-2600000", slice(2_500_000, 2_600_001)),
        ("BYTES= 5 - 9", slice(5, 10)),
    ],
)
@pytest.mark.parametrize("tail", ["results/declouded/2021-05-01.tif", "results.zip"])
def test_a_range_gives_those_bytes(user: User, done: str, tail: str, asked: str, those: slice) -> None:
    whole = user.get(f"/jobs/{done}/{tail}").content
    start, stop, _ = those.indices(len(whole))
    answer = user.get(f"/jobs/{done}/{tail}", headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == whole[those]
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(whole)}"
    assert answer.headers["content-length"] == str(stop - start)
    head = user.head(f"/jobs/{done}/{tail}", headers={"Range": asked})
    assert head.status_code == 206
    assert head.headers["content-range"] == answer.headers["content-range"]


@pytest.mark.parametrize("asked", ["bytes=9-5", "bytes=x-", "lines=1-2", "bytes=-", "bytes=1-2,5-6", "bytes=--1", ""])
def test_a_range_that_says_nothing_is_answered_with_the_whole(user: User, done: str, asked: str) -> None:
    answer = user.get(f"/jobs/{done}/results/report.html", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, FILES["report.html"])


@pytest.mark.parametrize("asked", ["bytes=11-", "bytes=11-12", "bytes=999999999999999999-", "bytes=-0"])
def test_a_range_behind_the_end_is_refused_with_the_size(user: User, done: str, asked: str) -> None:
    answer = user.get(f"/jobs/{done}/results/report.html", headers={"Range": asked})
    assert (answer.status_code, code_of(answer)) == (416, "range-not-satisfiable")
    assert answer.headers["content-range"] == "bytes */11"


def test_no_byte_of_an_empty_file_can_be_had(user: User, done: str) -> None:
    assert user.get(f"/jobs/{done}/results/empty.txt", headers={"Range": "bytes=0-"}).status_code == 416


@pytest.mark.parametrize("tail", ["results/report.html", "results.zip"])
def test_what_the_receiver_has_is_not_sent_again(user: User, done: str, tail: str) -> None:
    etag = user.get(f"/jobs/{done}/{tail}").headers["etag"]
    for named in (etag, f'W/{etag}, "other"', "*"):
        for answer in (user.get, user.head):
            same = answer(f"/jobs/{done}/{tail}", headers={"If-None-Match": named, "Range": "bytes=0-1"})
            assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    assert user.get(f"/jobs/{done}/{tail}", headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize("tail", ["results/report.html", "results.zip"])
def test_a_part_is_sent_only_of_the_version_that_was_begun(user: User, done: str, tail: str) -> None:
    whole = user.get(f"/jobs/{done}/{tail}")
    same = user.get(f"/jobs/{done}/{tail}", headers={"Range": "bytes=5-", "If-Range": whole.headers["etag"]})
    assert (same.status_code, same.content) == (206, whole.content[5:])
    for other in ('"other"', f"W/{whole.headers['etag']}", whole.headers["last-modified"]):
        answer = user.get(f"/jobs/{done}/{tail}", headers={"Range": "bytes=5-", "If-Range": other})
        assert (answer.status_code, answer.content) == (200, whole.content)


def test_the_archive_holds_every_file_and_can_be_resumed(api: ServedApi, user: User, done: str) -> None:
    answer = user.get(f"/jobs/{done}/results.zip")
    assert answer.headers["content-length"] == str(len(answer.content))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in FILES} == FILES
        assert "manifest.json" in archive.namelist()
    cut = len(answer.content) // 3
    rest = user.get(f"/jobs/{done}/results.zip", headers={"Range": f"bytes={cut}-", "If-Range": answer.headers["etag"]})
    assert answer.content[:cut] + rest.content == answer.content


def test_an_archive_is_named_after_its_job_and_no_name_breaks_a_header(api: ServedApi, user: User) -> None:
    for name, plain in (
        ("fields of May", "fields_of_May.zip"),
        ('a"\r\nX-Evil: 1\\..//', "a_X-Evil_1.zip"),
        ("💥", "decloud.zip"),
    ):
        body = {"inputs": {"sequence": user.sequence}, "name": name}
        job = user.post("/processes/decloud/execution", json=body).json()["id"]
        api.finish(job)
        answer = user.get(f"/jobs/{job}/results.zip")
        assert answer.status_code == 200
        assert "x-evil" not in answer.headers
        assert f'filename="{plain}"' in answer.headers["content-disposition"]


@pytest.mark.parametrize(
    "path",
    [
        "..%2f..%2fdecloud.db",
        "../../../decloud.db",
        "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/etc/passwd",
        "declouded",
        "declouded/",
        "declouded//2021-05-01.tif",
        "./report.json",
        "report.json%00.png",
        "REPORT.JSON",
        "declouded\\2021-05-01.tif",
        "%ff%fe",
        "",
    ],
)
def test_no_path_leads_anywhere_but_to_the_jobs_own_files(user: User, done: str, path: str) -> None:
    connection = user.raw(f"GET /jobs/{done}/results/{path} HTTP/1.1\r\nConnection: close")
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"application/problem+json" in answer
    assert b"root:" not in answer


def test_a_job_without_a_result_says_why_there_is_none(serve: Serve, wall_clock: WallClock) -> None:
    api = serve()
    user = api.user()
    waiting = user.submit()
    for path in ("results", "results/report.json", "results.zip"):
        answer = user.get(f"/jobs/{waiting}/{path}")
        assert (answer.status_code, code_of(answer)) == (404, "result-not-ready")
        assert answer.json()["type"].startswith("http://www.opengis.net/def/exceptions/")
        assert int(answer.headers["retry-after"]) > 0
    job = api.finish(waiting)
    wall_clock.move(api.settings.artifact_expiry_s + 1)
    jobs.reap(api.database, api.settings, take_leases=False)
    for path in ("results", "results/report.json", "results.zip"):
        answer = user.get(f"/jobs/{job.id}/{path}")
        assert (answer.status_code, code_of(answer)) == (410, "result-expired")


def test_a_signed_address_works_without_a_key_for_its_file_and_its_time(
    api: ServedApi, user: User, done: str, wall_clock: WallClock
) -> None:
    found = user.get(f"/jobs/{done}/results?signed=true&expires_s=600").json()
    nobody = api.anybody()
    for link in (found["report"][0], found["declouded"][0], found["archive"]):
        answer = nobody.get(link["href"])
        assert answer.status_code == 200
        assert len(answer.content) == link["size"]
        part = nobody.get(link["href"], headers={"Range": "bytes=0-1"})
        assert part.status_code == 206
        assert nobody.head(link["href"]).status_code == 200
    wall_clock.move(601)
    expired = nobody.get(found["archive"]["href"])
    assert (expired.status_code, code_of(expired), expired.json()["expired"]) == (403, "invalid-signature", True)


def test_a_signature_is_good_for_nothing_else(api: ServedApi, user: User, done: str) -> None:
    href = user.get(f"/jobs/{done}/results?signed=true").json()["declouded"][0]["href"]
    parts = urlsplit(href)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    nobody = api.anybody()
    other = finished(user)
    last = "4" if query["signature"].endswith("0") else "0"  # one in sixteen ends in 0 by itself
    tampered = [
        (parts.path.replace("05-01", "05-11"), query),
        (parts.path.replace(done, other), query),
        (f"/jobs/{done}/results.zip", query),
        (parts.path, {**query, "expires": str(int(query["expires"]) + 1)}),
        (parts.path, {**query, "expires": "9" * 19}),
        (parts.path, {**query, "signature": query["signature"][:-1] + last}),
        (parts.path, {"expires": query["expires"]}),
        (parts.path, {"signature": query["signature"]}),
        (parts.path, {**query, "signature": "é"}),
    ]
    for path, changed in tampered:
        answer = nobody.get(path, params=changed)
        assert (answer.status_code, code_of(answer)) == (403, "invalid-signature"), (path, changed)
    assert nobody.get(parts.path).status_code == 401
    for path in (f"/jobs/{done}", f"/jobs/{done}/results", f"/jobs/{done}/log", "/jobs"):
        assert nobody.get(path, params=query).status_code in (400, 401)
    assert nobody.delete(f"/jobs/{done}", params=query).status_code in (400, 401)


def test_another_owner_reads_no_result_also_with_a_key(api: ServedApi, done: str) -> None:
    other = api.user()
    for path in ("results/report.json", "results.zip"):
        assert other.get(f"/jobs/{done}/{path}").status_code == 404
        assert other.head(f"/jobs/{done}/{path}").status_code == 404


@pytest.mark.parametrize(
    "headers", [{}, {"Range": "bytes=7-70"}, {"Range": f"bytes=1-{2 << 20}"}, {"Range": "bytes=-0"}]
)
@pytest.mark.parametrize("path", ["declouded/2021-05-01.tif", "report.html", "empty.txt", "no/such"])
def test_the_short_way_to_a_file_answers_as_the_route_does(
    user: User, done: str, path: str, headers: dict[str, str]
) -> None:
    """A parameter, even one that says nothing, goes by way of the route."""
    varying = {"date", "x-request-id"}
    answers = [user.get(f"/jobs/{done}/results/{path}{query}", headers=headers) for query in ("", "", "?f=json")]
    for answer in answers[1:]:
        assert answer.status_code == answers[0].status_code
        assert answer.content == answers[0].content
        assert [h for h in answer.headers.items() if h[0] not in varying] == [
            h for h in answers[0].headers.items() if h[0] not in varying
        ]


def test_a_page_of_a_result_runs_nothing(user: User, done: str) -> None:
    policy = user.get(f"/jobs/{done}/results/report.html").headers["content-security-policy"]
    assert "sandbox" in policy
    assert "script" not in policy
    assert "default-src 'none'" in policy


def test_a_receiver_that_goes_leaves_no_reader_behind(api: ServedApi, user: User, done: str) -> None:
    readers = api.app.state.services.readers
    for _ in range(30):  # more than there are threads for readers
        with user.stream("GET", f"/jobs/{done}/results/declouded/2021-05-01.tif") as answer:
            next(answer.iter_raw(1))
    deadline = time.monotonic() + 5
    while readers.borrowed_tokens:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert user.get(f"/jobs/{done}/results/declouded/2021-05-01.tif").content == IMAGE


def test_a_file_that_storage_has_lost_is_not_served_as_something_else(api: ServedApi, user: User) -> None:
    done = finished(user)
    prefix = api.job(done).result_prefix
    api.storage.delete_prefix(f"{prefix}/report.json")
    answer = user.get(f"/jobs/{done}/results/report.json")
    assert answer.status_code == 404
    with pytest.raises(httpx.RemoteProtocolError):  # its length was announced: a short answer is a broken one
        user.get(f"/jobs/{done}/results.zip")
    assert user.get("/health/live").status_code == 200


@pytest.mark.parametrize("elsewhere", [False, True], ids=["this server", "another server"])
def test_no_part_of_a_removed_result_is_sent_any_more(serve: Serve, elsewhere: bool) -> None:
    api = serve()
    user = api.user()
    job = finished(user)
    other = serve(beside=api) if elsewhere else api
    reader = other.anybody(user.owner, user.key)
    ranges = [{"Range": "bytes=0-99"}, {"Range": f"bytes=0-{2 << 20}"}]
    path = f"/jobs/{job}/results/declouded/2021-05-01.tif"
    signed = urlsplit(user.get(f"/jobs/{job}/results?signed=true").json()["declouded"][0]["href"])
    addresses = [path, f"{signed.path}?{signed.query}"]
    for headers in ranges:
        for address in addresses:
            assert reader.get(address, headers=headers).status_code == 206
    assert user.delete(f"/jobs/{job}").status_code == 200
    for headers in ranges:
        for address in addresses:
            answer = reader.get(address, headers=headers)
            assert (answer.status_code, code_of(answer)) == (404, "no-such-job")


def test_no_part_of_an_expired_result_is_sent_any_more(serve: Serve, wall_clock: WallClock) -> None:
    api = serve()
    user = api.user()
    path = f"/jobs/{finished(user)}/results/declouded/2021-05-01.tif"
    assert user.get(path, headers={"Range": "bytes=0-99"}).status_code == 206
    wall_clock.move(api.settings.artifact_expiry_s + 1)
    reaped = jobs.reap(api.database, api.settings, take_leases=False)
    for prefix in reaped.garbage:
        api.storage.delete_prefix(prefix)
    answer = user.get(path, headers={"Range": "bytes=0-99"})
    assert (answer.status_code, code_of(answer)) == (410, "result-expired")


@pytest.mark.parametrize("tail", ["results/large.bin", "results.zip"])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["this server", "another server"])
def test_a_download_that_runs_stops_when_its_result_is_removed(serve: Serve, tail: str, elsewhere: bool) -> None:
    api = serve()
    user = api.user()
    job = finished(user, {"large.bin": bytes(64 << 20)})
    reader = (serve(beside=api) if elsewhere else api).anybody(user.owner, user.key)
    with reader.stream("GET", f"/jobs/{job}/{tail}") as answer:
        pieces = answer.iter_raw(1 << 20)
        next(pieces)
        assert user.delete(f"/jobs/{job}").status_code == 200
        time.sleep(0.3)
        with pytest.raises(httpx.RemoteProtocolError):
            list(pieces)
        assert answer.num_bytes_downloaded < 64 << 20


def test_a_removed_results_files_do_not_wait_for_the_reaper(api: ServedApi, user: User) -> None:
    job = finished(user)
    key = f"{api.job(job).result_prefix}/report.json"
    assert size_of(api.storage, key)
    user.delete(f"/jobs/{job}")
    with pytest.raises(NotFound):
        size_of(api.storage, key)


def test_a_storage_that_does_not_answer_keeps_no_job_from_being_removed(
    api: ServedApi, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = finished(user)
    prefix = api.job(job).result_prefix

    def unavailable(_: str) -> None:
        raise StorageUnavailable("no answer")

    with monkeypatch.context() as broken:
        broken.setattr(api.app.state.services.storage, "delete_prefix", unavailable)
        assert user.delete(f"/jobs/{job}").status_code == 200
    assert prefix in jobs.reap(api.database, api.settings, take_leases=False).garbage
