"""HTTP as it must not be taken: heads, codings, trailers, bodies; and as browsers of other sites ask."""

import json
import socket
import time
from contextlib import suppress

import httpx
import pytest
from service_api import Serve, ServedApi, User
from service_workers import until

from api.errors import Refusal, raw_problem
from api.http import bodies, protocol
from api.http.bodies import check_json
from worker import jobs
from worker.errors import InvalidSettings
from worker.settings import load_settings

EXECUTION = "/processes/decloud/execution"


def code_of(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return str(answer.json()["code"])


def said(user: User, request: str, *, ends: bool = True) -> str:
    """The whole answer to these bytes; `KEY` in them is the user's."""
    connection = user.connection()
    connection.settimeout(10)
    connection.sendall(request.replace("KEY", str(user.key)).encode("latin-1"))
    answer = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            answer += piece
            if not ends and b"\r\n\r\n" in answer:
                break
    return answer.decode("latin-1")


# -- heads


@pytest.mark.parametrize("hosts", ["", "Host: a\r\nHost: a\r\n", "Host: a\r\nhost: b\r\n", "Host:\r\n"])
def test_there_is_exactly_one_host(user: User, hosts: str) -> None:
    answer = said(user, f"GET / HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n")
    assert answer.startswith("HTTP/1.1 400 ")
    assert '"code":"invalid-request"' in answer


def test_http_1_0_needs_no_host(user: User) -> None:
    assert said(user, "GET /health/live HTTP/1.0\r\n\r\n").startswith("HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("coding", "statuses"),
    [("gzip, chunked", {501}), ("chunked, chunked", {400, 501}), ("x", {400, 501}), ("identity", {400, 501}),
     ("chunked\r\nTransfer-Encoding: chunked", {400}), ("chunked\r\nContent-Length: 2", {400}),
     ("xchunked", {400, 501})],
)  # fmt: skip
def test_no_transfer_coding_is_known_but_chunked(user: User, coding: str, statuses: set[int]) -> None:
    head = f"POST {EXECUTION} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer KEY\r\nConnection: close\r\n"
    answer = said(
        user, f"{head}Content-Type: application/json\r\nTransfer-Encoding: {coding}\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
    )
    assert int(answer.split()[1]) in statuses, answer
    assert "application/problem+json" in answer


def test_what_is_no_http_is_answered_with_a_problem_and_no_more(user: User) -> None:
    for rubbish in ("\x16\x03\x01\x02\x00\x01", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "G\x00T / HTTP/1.1\r\n\r\n"):
        answer = said(user, rubbish)
        assert answer.startswith("HTTP/1.1 400 ")
        assert '"code":"invalid-request"' in answer


def test_there_are_not_more_headers_or_parameters_than_anybody_needs(user: User) -> None:
    many = user.get("/jobs", headers={f"X-{number}": "y" for number in range(130)})
    assert (many.status_code, code_of(many)) == (431, "headers-too-large")
    long = user.get(f"/jobs?{'status=x&' * 1000}")
    assert (long.status_code, code_of(long)) == (414, "address-too-long")


def test_an_unknown_method_makes_no_series(user: User) -> None:
    for method in ("PROPFIND", "TRACE", "PURGE", "MKCOL"):
        assert user.request(method, "/jobs").status_code == 405
    counted = user.get("/metrics").text
    assert 'method="other"' in counted
    assert not [method for method in ("PROPFIND", "TRACE", "PURGE", "MKCOL") if method in counted]


@pytest.mark.parametrize("path", ["/uploads/a%2Fb.zip", "/uploads/..%2f..%2fetc"])
def test_a_name_with_a_slash_is_refused_in_words(user: User, path: str) -> None:
    answer = user.put(path, content=b"x")
    assert (answer.status_code, code_of(answer)) == (400, "invalid-key")
    assert "%2F" in answer.json()["detail"]
    assert "%2F" in user.get("/jobs/a%2Fb").json()["detail"]


def test_head_is_get_without_its_content_on_every_address(api: ServedApi, user: User) -> None:
    job_id = user.submit()
    api.finish(job_id, {"report.json": b"{}"})
    upload_id = user.upload()
    group = user.post("/groups", json={"sequences": [user.sequence]}).json()
    api.finish(group["jobs"][0]["jobID"], {"report.json": b"{}"})
    own = {"/uploads/{upload_id}"}
    paths = [route.path for route in api.app.state.routes if "GET" in route.methods and route.path not in own]
    assert len(paths) > 15
    for path in paths:
        names = {"job_id": job_id, "process_id": "decloud", "upload_id": upload_id, "group_id": group["id"]}
        address = path.format(**names) if ":path" not in path else f"/jobs/{job_id}/results/report.json"
        asked = user.head(address)
        assert asked.status_code == 200, path
        assert asked.content == b""
        assert asked.headers["content-type"]
    assert user.head("/nothing").status_code == 404
    assert user.head("/jobs?x=1").status_code == 400
    assert user.head(f"/jobs/{job_id}").headers["etag"] == user.get(f"/jobs/{job_id}").headers["etag"]


def test_head_of_a_stream_that_would_not_end_ends(user: User) -> None:
    job_id = user.submit()
    began = time.monotonic()
    assert user.head(f"/jobs/{job_id}/events").headers["content-type"].startswith("text/event-stream")
    assert user.get("/jobs").status_code == 200
    assert time.monotonic() - began < 5


# -- trailers


CHUNKED = "Host: a\r\nAuthorization: Bearer KEY\r\nTransfer-Encoding: chunked\r\n"


def test_trailers_are_dropped_whatever_they_are(user: User) -> None:
    trailers = "Authorization: Bearer x\r\nHost: b\r\nX-Request-ID: evil\r\nExpect: 100-continue\r\n\r\n"
    head = f"PUT /uploads/a.zip HTTP/1.1\r\n{CHUNKED}Connection: close\r\n\r\n"
    answer = said(user, f"{head}3\r\nabc\r\n0\r\n{trailers}")
    assert answer.startswith("HTTP/1.1 201 ")
    assert "evil" not in answer


@pytest.mark.parametrize("trailer", ["Content-Length: 7", "Transfer-Encoding: chunked"])
def test_a_trailer_that_would_frame_the_body_is_no_http(user: User, trailer: str) -> None:
    head = f"PUT /uploads/a.zip HTTP/1.1\r\n{CHUNKED}Connection: close\r\n\r\n"
    answer = said(user, f"{head}3\r\nabc\r\n0\r\n{trailer}\r\n\r\n")
    assert answer.startswith("HTTP/1.1 400 ")
    assert answer.count("\r\n\r\n") == 1, "one answer"


def test_a_key_that_comes_in_a_trailer_lets_nobody_in(user: User) -> None:
    connection = user.api.anybody().raw("PUT /uploads/a.zip HTTP/1.1\r\nTransfer-Encoding: chunked")
    connection.sendall(b"3\r\nabc\r\n0\r\nAuthorization: Bearer " + str(user.key).encode() + b"\r\n\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("piece", [b"X-A: " + b"x" * 1000 + b"\r\n", b"x" * 1000])
@pytest.mark.parametrize("before", [b"0\r\n", b"1;extension="])
def test_trailers_and_extensions_without_an_end_are_not_kept(user: User, before: bytes, piece: bytes) -> None:
    connection = user.raw("PUT /uploads/a.zip HTTP/1.1\r\nTransfer-Encoding: chunked")
    connection.sendall(b"3\r\nabc\r\n" + before + b"X-A: ")

    def send_for_ever() -> None:
        for _ in range(20_000):
            connection.sendall(piece)

    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        send_for_ever()


def test_a_body_of_small_chunks_is_received_whole(user: User) -> None:
    content = b"x" * 30_000
    answer = user.put("/uploads/a.zip", content=(content[i : i + 1] for i in range(len(content))))
    assert (answer.status_code, answer.json()["length"]) == (201, len(content))


@pytest.mark.parametrize(
    ("head", "more"),
    [("GET /health/live HTTP/1.1", b"\r\n"), (f"POST {EXECUTION} HTTP/1.1\r\nContent-Length: 9", b"x")],
)
def test_a_silent_keeper_of_an_answered_connection_is_not_waited_for(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, head: str, more: bytes
) -> None:
    monkeypatch.setattr(protocol, "_HEAD_WITHIN_S", 0.3)
    connection = serve().anybody().raw(head)
    connection.settimeout(5)
    answer = b""
    while not answer.endswith(b"}"):
        part = connection.recv(65536)
        assert part, f"ended after {answer!r}"
        answer += part
    assert answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 401 "))
    connection.sendall(more)  # is no request, and once stopped the clock
    with suppress(ConnectionResetError):
        assert connection.recv(65536) == b""


def test_a_receiver_that_takes_nothing_is_not_waited_for(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_STALLED_S", 0.5)
    api = serve()
    connection = api.anybody().connection()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    request = f"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\n\r\n".encode()
    connection.settimeout(10)

    def ask_for_ever() -> None:
        while True:
            connection.sendall(request)
            time.sleep(0.002)

    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        ask_for_ever()


def test_one_owner_takes_not_all_connections_by_waiting(user: User) -> None:
    job_id = user.submit()
    for _ in range(35):
        user.raw(f"GET /jobs/{job_id}?wait=20 HTTP/1.1")
    waiting = user.api.app.state.services.polls
    # Before we ask ourselves: a question of ours would have the place of one of them.
    until(lambda: waiting._open[user.owner] == 30, "30 of them wait", 15)

    def answer_within(seconds: float, status: int) -> httpx.Response:
        deadline = time.monotonic() + seconds
        while (answer := user.get(f"/jobs/{job_id}?wait=0.01")).status_code != status:
            assert time.monotonic() < deadline, answer.text
            time.sleep(0.02)
        return answer

    refused = answer_within(3, 429)
    assert (code_of(refused), refused.json()["limit"]) == ("quota-exceeded", 30)
    assert user.get(f"/jobs/{job_id}").status_code == 200
    assert user.delete(f"/jobs/{job_id}").status_code == 200
    answer_within(15, 200)  # once they have had their answers, which the job's end gives them


# -- bodies


def test_a_body_is_judged_by_its_members_before_anything_looks_for_meaning(user: User) -> None:
    many = {"inputs": {f"k{number}": 0 for number in range(5000)}}
    for body in (many, {"inputs": {"method_settings": {"a": [[0] * 100] * 3}}}):
        answer = user.post(EXECUTION, json=body)
        assert (answer.status_code, code_of(answer)) == (400, "invalid-request")
        assert "members, at most 256" in answer.json()["detail"]
        assert len(answer.content) < 1000


def test_the_rule_is_the_same_for_every_body(user: User) -> None:
    job_id = user.submit()
    for path in (EXECUTION, f"/jobs/{job_id}/resubmit", "/jobs", "/nothing"):
        large = user.post(path, content=b" " * (bodies.BODY_BYTES + 1), headers={"Content-Type": "application/json"})
        assert (large.status_code, code_of(large), large.json()["limit"]) == (413, "content-too-large", 65536)
        assert "members" in user.post(path, json=[0] * 1000).json()["detail"]
    pieces = (b" " * 1000 for _ in range(100))
    assert user.post(EXECUTION, content=pieces).status_code == 413


def test_members_are_counted_at_any_depth_and_what_is_no_json_is_left_to_others() -> None:
    check_json(json.dumps({"a": list(range(254)), "b": 1}).encode())
    for document in ({"a": list(range(256))}, [[[0] * 300]], {"a": {"b": {str(n): n for n in range(300)}}}):
        with pytest.raises(Refusal, match="members, at most 256"):
            check_json(json.dumps(document).encode())
    for rubbish in (b"{", b"[" * 60_000, b'{"a": ' * 10_000, b"9" * 60_000, b"\xff\xfe\x00"):
        check_json(rubbish)


def test_rubbish_of_any_kind_is_the_callers_mistake(user: User) -> None:
    for rubbish in (b"{", b"[" * 60_000, b'{"a":' * 12_000, b'{"inputs":' + b"9" * 60_000 + b"}", b"\xff\xfe\x00"):
        answer = user.post(EXECUTION, content=rubbish, headers={"Content-Type": "application/json"})
        assert (answer.status_code, code_of(answer)) == (400, "invalid-request")


@pytest.mark.parametrize("length", ["Content-Length: 60000", "Transfer-Encoding: chunked"])
def test_nobody_without_a_key_is_listened_to(api: ServedApi, length: str) -> None:
    connection = api.anybody().raw(f"POST {EXECUTION} HTTP/1.1\r\nContent-Type: application/json\r\n{length}")
    connection.settimeout(5)
    assert connection.recv(65536).startswith(b"HTTP/1.1 401 "), "nothing of the body was sent, and none is waited for"


def test_a_request_with_a_body_is_counted_once(api: ServedApi) -> None:
    user = api.user(requests_per_minute=20)
    statuses = [user.post(EXECUTION, json={}).status_code for _ in range(20)]
    assert statuses == [400] * 20
    assert user.post(EXECUTION, json={}).status_code == 429


def test_a_body_that_comes_by_bits_is_waited_for_no_longer_than_one_that_does_not(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.request_context._BODY_WITHIN_S", 0.5)
    connection = user.raw(f"POST {EXECUTION} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 60000")
    connection.settimeout(0.05)
    began, answer = time.monotonic(), b""
    while not answer and time.monotonic() - began < 10:
        connection.sendall(b" ")
        with suppress(TimeoutError):
            answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_whoever_leaves_in_the_middle_of_a_body_makes_no_job(api: ServedApi, user: User) -> None:
    body = json.dumps({"inputs": {"sequence": user.sequence}}).encode()
    assert len(body) < 100
    connection = user.raw(f"POST {EXECUTION} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 100")
    connection.sendall(body)
    connection.close()
    time.sleep(0.1)
    assert jobs.listing(api.database, user.owner).jobs == ()


def test_a_raw_problem_is_the_same_as_any_other() -> None:
    head, _, body = raw_problem("headers-too-large", "too many").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert b"content-length: %d" % len(body) in head
    assert json.loads(body)["code"] == "headers-too-large"


# -- pages of other sites

MAPS = "https://maps.example.org"


@pytest.fixture
def open_to_maps(serve: Serve) -> User:
    return serve(allowed_origins=(MAPS, "http://localhost:8080")).user()


def test_a_page_that_the_operator_has_named_may_upload_by_tus(open_to_maps: User) -> None:
    user = open_to_maps
    for method in ("POST", "PATCH", "DELETE", "HEAD"):
        asked = {
            "Origin": MAPS,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization, tus-resumable, upload-length, upload-metadata, "
            "upload-offset, upload-concat, content-type, x-http-method-override",
        }
        preflight = user.options("/uploads/x", headers=asked)
        assert preflight.status_code == 200, preflight.text
        assert preflight.headers["access-control-allow-origin"] == MAPS
        assert method in preflight.headers["access-control-allow-methods"]
        assert "access-control-allow-credentials" not in preflight.headers
    begun = user.post("/uploads", headers={"Origin": MAPS, "Tus-Resumable": "1.0.0", "Upload-Length": "3"})
    assert begun.status_code == 201
    assert begun.headers["access-control-allow-origin"] == MAPS
    shown = {name.strip().lower() for name in begun.headers["access-control-expose-headers"].split(",")}
    assert shown >= {
        "location", "upload-offset", "upload-length", "tus-resumable", "etag", "content-range", "retry-after",
    }  # fmt: skip
    sent = {
        "Origin": MAPS,
        "Tus-Resumable": "1.0.0",
        "Upload-Offset": "0",
        "Content-Type": "application/offset+octet-stream",
    }
    assert user.patch(begun.headers["location"], content=b"abc", headers=sent).headers["upload-offset"] == "3"
    told = user.options("/uploads", headers={"Origin": MAPS})
    assert (told.status_code, told.headers["tus-version"]) == (204, "1.0.0")


def test_a_named_page_reads_every_problem_too(open_to_maps: User) -> None:
    user = open_to_maps
    origin = {"Origin": MAPS}
    refused = [
        user.get("/jobs/x", headers=origin),
        user.get("/jobs", headers={**origin, "Authorization": "Bearer x"}),
        user.post(EXECUTION, json=[0] * 1000, headers=origin),
        user.get(f"/jobs?{'x' * 9000}", headers=origin),
    ]
    assert [answer.status_code for answer in refused] == [404, 401, 400, 414]
    for answer in refused:
        assert answer.headers["access-control-allow-origin"] == MAPS
        assert answer.headers.get_list("access-control-allow-origin") == [MAPS]


def test_a_page_that_nobody_has_named_may_read_nothing(open_to_maps: User) -> None:
    for origin in ("https://evil.example", "null", f"{MAPS}.evil.example", "http://maps.example.org"):
        answer = open_to_maps.get("/jobs", headers={"Origin": origin})
        assert "access-control-allow-origin" not in answer.headers
        asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        assert "access-control-allow-origin" not in open_to_maps.options("/jobs", headers=asked).headers


def test_a_star_lets_every_page_in_and_none_with_credentials(serve: Serve) -> None:
    user = serve(allowed_origins=("*",)).user()
    answer = user.get("/jobs", headers={"Origin": "https://anybody.example", "Cookie": "a=b"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


def test_without_keys_a_named_page_may_submit(serve: Serve) -> None:
    user = serve(auth="none", allowed_origins=("http://localhost:8080",)).anybody()
    job = {"inputs": {"sequence": user.sequence}}
    assert user.post(EXECUTION, json=job, headers={"Origin": "http://localhost:8080"}).status_code == 201
    assert user.post(EXECUTION, json=job, headers={"Origin": "http://localhost:8081"}).status_code == 403


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"allowed_origins": ("maps.example.org",)}, "is no origin such as"),
        ({"allowed_origins": ("https://maps.example.org/",)}, "is no origin such as"),
        ({"allowed_origins": ("*", "https://maps.example.org")}, "name either"),
        ({"allowed_origins": ("*",), "auth": "none"}, "any page that a user visits"),
        ({"proxies": ("proxy.example.org",)}, "proxies"),
    ],
)
def test_origins_and_proxies_that_are_none_are_refused_at_the_start(values: dict[str, object], problem: str) -> None:
    with pytest.raises(InvalidSettings, match=problem):
        load_settings(**values)
