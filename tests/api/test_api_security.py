"""Who is let in, how often, from where; and what no answer ever shows."""

import asyncio
import logging
import threading
import time
from contextlib import suppress

import httpx
import pytest
from service_api import Serve, ServedApi, User
from service_workers import until
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from api.errors import KINDS, Refusal, type_of
from api.http import protocol, request_context
from api.http.rates import Rates
from api.http.request_guard import RequestGuard
from worker.access import keys
from worker.settings import Settings


def code_of(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return str(answer.json()["code"])


OPEN = ("/", "/conformance", "/processes", "/processes/decloud", "/health/live", "/health/ready", "/openapi.json")
CLOSED = ("/jobs", "/uploads", "/metrics", "/health/workers", "/jobs/x", "/jobs/x/events", "/jobs/x/results.zip")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer x",
        "Basic dXNlcjpwYXNz",
        "Bearer dcl_000000000000_" + "0" * 48,
        "Bearer dcl_000000000000_" + "0" * 47 + "g",
        "Bearer " + "x" * 5000,
        "bearer é",
    ],
)
def test_without_a_valid_key_only_descriptions_and_health_are_answered(api: ServedApi, header: str | None) -> None:
    user = api.anybody()
    headers = [(b"authorization", header.encode("latin-1"))] if header is not None else []
    for path in OPEN:
        assert user.get(path, headers=headers).status_code == 200
    for path in CLOSED:
        answer = user.get(path, headers=headers)
        assert (answer.status_code, code_of(answer)) == (401, "unauthorized"), path
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.usefixtures("impatient")
def test_a_key_works_until_it_is_revoked(api: ServedApi) -> None:
    user = api.user()
    assert user.get("/jobs").status_code == 200
    (key,) = keys.listing(api.database, user.owner)
    keys.revoke(api.database, key.id)
    until(lambda: user.get("/jobs").status_code == 401)


def test_many_requests_with_one_key_ask_the_database_once_in_a_while(
    api: ServedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = api.user()
    asked: list[str] = []

    def find_key(text: str) -> keys.Key:
        asked.append(text)
        time.sleep(0.05)
        return keys.authenticate(api.database, text)

    monkeypatch.setattr(api.app.state.services.authenticator, "_find_key", find_key)

    def ask() -> None:
        with httpx.Client(headers=user.headers, trust_env=False) as client:
            assert client.get(f"{api.url}/jobs").status_code == 200

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= len(asked) <= 2


def test_a_caller_may_ask_a_minutes_worth_at_once_and_then_at_the_rate() -> None:
    now = [1000.0]
    rates = Rates(lambda: now[0])

    def allowed(tries: int) -> int:
        passed = 0
        for _ in range(tries):
            with suppress(Refusal):
                rates.spend("ann", 60)
                passed += 1
        return passed

    assert allowed(100) == 60
    assert allowed(5) == 0
    now[0] += 10
    assert allowed(100) == 10
    now[0] += 3600
    assert allowed(100) == 60
    rates.spend("bob", 60)


def test_waiting_as_long_as_retry_after_says_is_enough(api: ServedApi) -> None:
    user = api.user(requests_per_minute=60)
    answers = [user.get("/jobs") for _ in range(70)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 8
    assert answers[0].status_code == 200
    assert code_of(refused[0]) == "rate-limit-exceeded"
    assert refused[0].json()["limit"] == 60
    time.sleep(int(refused[-1].headers["retry-after"]))
    assert user.get("/jobs").status_code == 200


def test_rates_do_not_remember_everybody_for_ever() -> None:
    now = [0.0]
    rates = Rates(lambda: now[0])
    for number in range(10_001):
        rates.spend(f"owner-{number}", 1000)
        now[0] += 0.1
    assert len(rates._whole_at) < 10


def test_every_answer_has_the_headers_that_keep_browsers_in_check(api: ServedApi, user: User) -> None:
    for answer in (user.get("/"), user.get("/jobs"), user.get("/nothing"), user.post("/jobs"), user.get("/jobs/x")):
        headers = answer.headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["referrer-policy"] == "no-referrer"
        assert "cache-control" in headers
        assert len(headers["x-request-id"]) >= 8


def test_no_other_site_may_read_our_answers(user: User) -> None:
    origin = {"Origin": "https://evil.example", "Access-Control-Request-Method": "PUT"}
    for answer in (user.get("/jobs", headers=origin), user.options("/jobs", headers=origin), user.options("/uploads")):
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_without_keys_no_other_sites_page_can_use_its_visitors_browser(serve: Serve) -> None:
    api = serve(auth="none")
    local = api.anybody()
    job = {"inputs": {"sequence": local.sequence}}
    assert local.post("/processes/decloud/execution", json=job).status_code == 201
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{api.port + 1}"):
        answer = local.post("/processes/decloud/execution", json=job, headers={"Origin": origin})
        assert (answer.status_code, code_of(answer)) == (403, "foreign-page")
    assert local.post("/processes/decloud/execution", json=job, headers={"Origin": api.url}).status_code == 201
    rebound = local.get("/jobs", headers={"Host": f"evil.example:{api.port}"})
    assert (rebound.status_code, code_of(rebound)) == (421, "unknown-host")
    assert local.get("/jobs", headers={"Host": f"localhost:{api.port}"}).status_code == 200
    plain = local.post(
        "/processes/decloud/execution", content=b'{"inputs": {}}', headers={"Content-Type": "text/plain"}
    )
    assert plain.status_code == 400  # what a form of another site could send without asking
    assert len(local.get("/jobs").json()["jobs"]) == 2


def test_without_keys_no_other_machine_is_let_in_whatever_the_server_is_bound_to() -> None:
    async def routes(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("in")(scope, receive, send)

    async def admit(_: Request) -> None:
        """Nobody is asked for a key."""

    guard = RequestGuard(routes, Settings(auth="none"), admit, count=lambda *_: None)

    async def statuses() -> list[int]:
        answers = []
        for address in ("127.0.0.1", "::1", "192.0.2.1", "10.0.0.1"):
            transport = httpx.ASGITransport(guard, client=(address, 4711))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                answers.append((await client.get("/")).status_code)
        return answers

    assert asyncio.run(statuses()) == [200, 200, 401, 401]


@pytest.mark.parametrize("host", ["a b", "evil.example/x", "x@y", "[::1", "a\\b", "x" * 10 + "\x7f"])
def test_a_host_that_is_none_gets_into_no_link(user: User, host: str) -> None:
    connection = user.raw(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close")
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_links_lead_to_the_public_address_behind_a_proxy(serve: Serve) -> None:
    user = serve(public_url="https://sat.example.org/decloud/").user()
    job = user.post("/processes/decloud/execution", json={"inputs": {"sequence": user.sequence}})
    assert job.headers["location"].startswith("https://sat.example.org/decloud/jobs/")
    assert all(link["href"].startswith("https://sat.example.org/decloud/") for link in user.get("/").json()["links"])
    assert "max-age" in job.headers["strict-transport-security"]


def test_huge_headers_are_refused(user: User) -> None:
    for request in (
        user.build_request("GET", "/jobs", headers={"X-Large": "x" * 70_000}),
        user.build_request("GET", f"/jobs?{'x' * 40_000}", headers={"X-Large": "x" * 40_000}),
        user.build_request("GET", "/jobs", headers={f"X-{number}": "y" * 100 for number in range(700)}),
    ):
        answer = user.send(request)
        assert (answer.status_code, code_of(answer)) == (431, "headers-too-large")


def test_headers_without_an_end_are_not_kept_in_memory(user: User) -> None:
    connection = user.raw("GET /jobs HTTP/1.1\r\nX-First: 1\r\nX-Rest: ")
    connection.sendall(b"x" * 1000)

    def send_for_ever() -> None:
        for _ in range(50_000):
            connection.sendall(b"x" * 1000 + b"\r\nX: ")

    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        send_for_ever()


def test_headers_that_never_come_are_not_waited_for(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_HEAD_WITHIN_S", 0.3)
    user = serve().user()
    for begun in (b"", b"GET /jobs HT", b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /"):
        connection = user.connection()
        connection.sendall(begun)
        connection.settimeout(5)
        while connection.recv(65536):  # ends with the connection
            continue


@pytest.mark.parametrize("announced", [True, False])
def test_a_huge_body_is_refused_at_its_limit(user: User, announced: bool) -> None:
    content = b'{"inputs": "' + b"x" * 2_000_000 + b'"}'
    body = content if announced else iter([content[i : i + 50_000] for i in range(0, len(content), 50_000)])
    headers = {"Content-Type": "application/json"}
    answer = user.post("/processes/decloud/execution", content=body, headers=headers)
    assert (answer.status_code, code_of(answer)) == (413, "content-too-large")


def test_a_body_that_never_comes_is_not_waited_for(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_context, "_BODY_WITHIN_S", 0.3)
    head = "POST /processes/decloud/execution HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 100"
    connection = user.raw(head)
    connection.sendall(b'{"inputs": ')
    connection.settimeout(10)
    assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")


def test_a_request_id_of_the_callers_is_kept_when_it_is_harmless(user: User) -> None:
    assert user.get("/", headers={"X-Request-ID": "abc-123"}).headers["x-request-id"] == "abc-123"
    for evil in ("a b", "x" * 100, '"', "é"):
        kept = user.get("/", headers=[(b"x-request-id", evil.encode("latin-1"))]).headers["x-request-id"]
        assert kept != evil


def test_a_bug_of_ours_shows_its_request_id_and_nothing_else(
    api: ServedApi, user: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret /srv/path dcl_000000000000_key")

    monkeypatch.setattr("api.routes.jobs.jobs.listing", broken)
    with caplog.at_level(logging.ERROR):
        answer = user.get("/jobs", headers={"X-Request-ID": "find-me"})
    assert (answer.status_code, code_of(answer)) == (500, "internal-error")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert ".py" not in answer.text
    assert answer.headers["x-request-id"] == "find-me"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert any(record.exc_info for record in caplog.records)


def test_a_database_that_is_away_is_a_503_that_says_when_to_come_back(
    api: ServedApi, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from worker.errors import DatabaseUnavailable

    def away(*_: object, **__: object) -> None:
        raise DatabaseUnavailable("the database does not answer: gone")

    monkeypatch.setattr("api.routes.jobs.jobs.listing", away)
    answer = user.get("/jobs")
    assert (answer.status_code, code_of(answer)) == (503, "database-unavailable")
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("path", ["/nothing", "/jobs/", "/docs", "/redoc", "/static/x", "/jobs/a/b/c", "/%00"])
def test_an_unknown_address_is_a_problem_too(user: User, path: str) -> None:
    answer = user.get(path)
    assert (answer.status_code, code_of(answer)) == (404, "not-found")


def test_a_method_that_an_address_does_not_know_is_answered_with_those_it_knows(user: User) -> None:
    for method, path, allowed in (
        ("POST", "/jobs", {"GET", "HEAD"}),
        ("PUT", "/jobs/x", {"GET", "HEAD", "PATCH", "DELETE"}),
        ("POST", "/uploads/x", {"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"}),
        ("TRACE", "/uploads", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("DELETE", "/", {"GET", "HEAD"}),
    ):
        answer = user.request(method, path)
        assert (answer.status_code, code_of(answer)) == (405, "method-not-allowed")
        assert set(answer.headers["allow"].split(", ")) == allowed


def test_every_problem_has_one_stable_address() -> None:
    types = {type_of(code) for code in KINDS}
    assert len(types) == len(KINDS)
    assert all(kind.status >= 400 for kind in KINDS.values())


def test_every_error_of_the_service_has_a_status() -> None:
    from worker import errors

    ours = {
        kind.code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ServiceError)
    }
    at_the_start = {"invalid-settings", "database-too-new", "foreign-database", "broker-unavailable"}
    assert ours - set(KINDS) - at_the_start - {"service-error", "lease-lost"} == set()


def test_figures_name_nobody_and_count_what_happened(api: ServedApi, user: User) -> None:
    user.submit()
    user.upload(b"x" * 1000)
    text = user.get("/metrics").text
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(figures['decloud_jobs{status="accepted"}']) >= 1
    assert float(figures["decloud_upload_bytes_total"]) >= 1000
    assert any(name.startswith("decloud_http_requests_total{") and 'status="201"' in name for name in figures)
    assert user.owner not in text
    assert "decloud_disk_free_bytes" in figures


def test_health_says_whether_waiting_jobs_are_served(serve: Serve) -> None:
    from worker.queue import workers

    api = serve()
    user = api.user()
    assert user.get("/health/workers").json()["status"] == "ok"
    user.submit()
    told = user.get("/health/workers").json()
    assert (told["status"], told["waiting"], told["serving"]) == ("unserved", {"cpu": 1}, {})
    workers.seen(api.database, "w", host="h", device="cpu", classes=["cpu"])
    told = user.get("/health/workers").json()
    assert (told["status"], told["serving"]) == ("ok", {"cpu": 1})
