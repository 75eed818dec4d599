"""Notices on their way: told once it happened, signed, tried again, given up, and never in a job's way."""

import asyncio
import json
import logging
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from locations import HELPERS
from service_api import Serve
from service_jobs import WallClock, an_artifact, publish, running
from service_workers import until
from sqlalchemy import select
from webhook_receiver import Names, RawServer, Received, Receiver

from api.app import create_app
from worker import jobs
from worker.database.connections import Database
from worker.database.tables import webhook_outbox
from worker.jobs import Job, due, events, outbox
from worker.notices import courier, delivery
from worker.notices.courier import Courier, open_signer
from worker.notices.delivery import delay_s
from worker.settings import Settings

BASE = "https://decloud.example.org"
CRASHED = {"code": "internal-error", "detail": "The job process ended with status 70."}
EVERYTHING = {"running": "/running", "successful": "/done", "failed": "/failed"}


def subscriber(receiver: Receiver, **paths: str) -> dict[str, str]:
    return {**{status: receiver.url + path for status, path in (paths or EVERYTHING).items()}, "base": BASE}


def settings_for(*hosts: str, **values: Any) -> Settings:
    return Settings(webhook_private_hosts=hosts, **{"webhook_timeout_s": 10.0, "poll_s": 0.02, **values})


class Post:
    """What one test needs to have notices sent: `courier` is running."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database, self.settings = database, settings
        self.signer = open_signer(settings, b"signing secret")
        self.courier = Courier(database, settings, self.signer)
        self.courier.start()

    def waiting(self) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(select(webhook_outbox)))

    def log(self, job: Job) -> list[tuple[str, str]]:
        read = events.read(self.database, job.id, kinds=["notice"])
        return [(event.level, str(event.data["message"])) for event in read]


@pytest.fixture
def couriers() -> Iterator[list[Courier]]:
    started: list[Courier] = []
    yield started
    for each in started:
        each.stop()


@pytest.fixture
def posting(sqlite_database: Database, receiver: Receiver, couriers: list[Courier]) -> Post:
    """The receiver's host is the one that the operator has named."""
    made = Post(sqlite_database, settings_for(receiver.host))
    couriers.append(made.courier)
    return made


@pytest.fixture
def posting_on_each(database: Database, receiver: Receiver, couriers: list[Courier]) -> Post:
    """On each database in turn."""
    made = Post(database, settings_for(receiver.host))
    couriers.append(made.courier)
    return made


def ended(database: Database, how: str, **asked: Any) -> Job:
    job = running(database, **asked)
    if how == "successful":
        assert publish(database, job, an_artifact())
    elif how == "failed":
        assert jobs.fail(database, job, CRASHED)
    else:
        jobs.dismiss(database, job.id, job.owner)
        assert jobs.dismissed(database, job)
    return jobs.get(database, job.id, None)


def types(got: list[Received]) -> list[str]:
    return sorted(one.payload["type"] for one in got)


# -- what is told


@pytest.mark.parametrize(("how", "path"), [("successful", "/done"), ("failed", "/failed"), ("dismissed", "/failed")])
def test_a_job_is_told_of_when_it_starts_and_when_it_ends(
    posting_on_each: Post, receiver: Receiver, how: str, path: str
) -> None:
    job = ended(posting_on_each.database, how, subscriber=subscriber(receiver), name="Fields")
    until(lambda: len(receiver.received) == 2)
    end = next(got for got in receiver.received if got.path == path)
    assert types(receiver.received) == sorted(["job.running", f"job.{how}"])
    data = end.payload["data"]
    assert (data["jobID"], data["status"], data["name"]) == (job.id, how, "Fields")
    assert data.get("exception") == job.error
    assert data["links"][0]["href"] == f"{BASE}/jobs/{job.id}"
    results = [link["href"] for link in data["links"][1:]]
    assert results == ([] if how == "dismissed" else [f"{BASE}/jobs/{job.id}/results"])
    until(lambda: not posting_on_each.waiting())
    assert sorted(posting_on_each.log(job)) == [
        ("info", f"Notified {receiver.host}: {kind}.") for kind in types(receiver.received)
    ]


def test_a_notice_is_signed_for_its_owner_with_an_id_and_the_time_of_the_try(posting: Post, receiver: Receiver) -> None:
    ended(posting.database, "successful", subscriber=subscriber(receiver), owner="ann")
    until(lambda: len(receiver.received) == 2)
    for got in receiver.received:
        assert got.is_signed_with(posting.signer.secret_of("ann"))
        assert not got.is_signed_with(posting.signer.secret_of("bob"))
        assert abs(int(got.headers["webhook-timestamp"]) - got.at) < 5
        assert got.headers["content-type"] == "application/json"
        assert set(got.payload) == {"type", "timestamp", "data"}
    assert len({got.id for got in receiver.received}) == 2


def test_what_nobody_asked_for_is_not_told(posting: Post, receiver: Receiver) -> None:
    ended(posting.database, "failed")
    ended(posting.database, "failed", subscriber=subscriber(receiver, successful="/done"))
    assert posting.waiting() == []


def test_running_is_told_once_whatever_happens_to_the_job(database: Database) -> None:
    job = running(database, subscriber={"running": "https://example.org/running"})
    assert jobs.release(database, job)
    again = jobs.claim(database, worker_id="worker-2", classes=("cpu",), lease_s=60)
    assert again is not None
    assert again.attempt == 2
    jobs.dismiss(database, job.id, job.owner)
    with database.read() as connection:
        assert len(list(connection.execute(select(webhook_outbox)))) == 1


def test_who_removes_a_job_at_once_is_told_of_its_end_all_the_same(
    database: Database, receiver: Receiver, couriers: list[Courier]
) -> None:
    job = ended(database, "successful", subscriber=subscriber(receiver, successful="/done"))
    jobs.remove(database, job.id, job.owner)
    posting = Post(database, settings_for(receiver.host))
    couriers.append(posting.courier)
    until(lambda: not posting.waiting())
    assert types(receiver.received) == ["job.successful"]


def test_no_address_however_broken_hinders_a_job(posting_on_each: Post) -> None:
    urls = ("https://[bad", "x", "https://\x00", "\ud800", "https://" + "a" * 5000, "http://example.org/")
    for number, url in enumerate(urls, 1):
        job = ended(posting_on_each.database, "failed", subscriber={"failed": url})
        assert job.status == "failed"
        until(lambda job=job: posting_on_each.log(job))
        ((level, said),) = posting_on_each.log(job)
        assert level == "warning", number
        assert "Given up after 1 try." in said
    assert posting_on_each.waiting() == []


# -- receivers that are down, slow, or want no more


def put_off(posting: Post, wall_clock: WallClock, *, tries: int) -> Any:
    """The notice, when it has failed so often and is not on its way."""

    def found() -> Any:
        (row,) = posting.waiting()
        on_its_way = abs(row.next_try - wall_clock.time - posting.settings.webhook_timeout_s - 30) < 1
        return row if row.attempts == tries and not on_its_way else None

    return until(found)


def test_a_receiver_that_was_down_gets_the_same_notice_when_it_is_up(
    database: Database, wall_clock: WallClock, couriers: list[Courier]
) -> None:
    before = Receiver()
    before.close()
    posting = Post(database, settings_for(before.host))
    couriers.append(posting.courier)
    job = ended(database, "successful", subscriber=subscriber(before, successful="/done"))
    for tries in (1, 2, 3):
        row = put_off(posting, wall_clock, tries=tries)
        assert row.last_error == "connection refused"
        wall_clock.move(60 if tries < 3 else 0)
    after = Receiver(before.port)
    try:
        wall_clock.move(600)
        until(lambda: not posting.waiting())
    finally:
        after.close()
    (got,) = after.received
    assert (got.id, got.headers["webhook-timestamp"]) == (row.id, str(int(wall_clock.time)))
    assert got.payload["timestamp"] == got.payload["data"]["finished"], "of the event, however late it is told"
    assert posting.log(job) == [("info", f"Notified {after.host}: job.successful.")]


def test_after_the_last_try_the_notice_is_given_up_and_the_jobs_log_says_so(
    database: Database, receiver: Receiver, wall_clock: WallClock, couriers: list[Courier]
) -> None:
    receiver.answers = [(500, {})]
    posting = Post(database, settings_for(receiver.host, webhook_max_attempts=3))
    couriers.append(posting.courier)
    job = ended(database, "failed", subscriber=subscriber(receiver, failed="/secret-path?token=hunter2"))
    for tries in (1, 2):
        assert put_off(posting, wall_clock, tries=tries).last_error == "it answered 500"
        wall_clock.move(90_000)
    until(lambda: not posting.waiting())
    said = f"{receiver.host} could not be notified of job.failed: it answered 500. Given up after 3 tries."
    assert posting.log(job) == [("warning", said)]
    assert len({got.id for got in receiver.received}) == 1
    assert len(receiver.received) == 3
    assert jobs.get(database, job.id, None) == job


def test_tries_are_spaced_ever_wider_with_jitter_and_not_sooner_than_the_receiver_asks() -> None:
    random.seed(1)
    for tries, expected in enumerate((5, 30, 180, 1080, 6480, 38_880, 86_400, 86_400), 1):
        delays = [delay_s(tries) for _ in range(200)]
        assert 0.74 * expected < min(delays) < 0.9 * expected
        assert 1.1 * expected < max(delays) < 1.26 * expected
        assert max(delays) < due.LONGEST_DELAY_S
    assert delay_s(1, asked_s=100) == 100
    assert delay_s(1, asked_s=1e9) == 86_400
    assert delay_s(10**9) < 110_000


def test_a_receiver_that_asks_for_rest_gets_it_and_one_that_is_gone_is_left_alone(
    posting: Post, receiver: Receiver
) -> None:
    receiver.answers = [(429, {"Retry-After": "3600"}), (410, {})]
    first = ended(posting.database, "failed", subscriber=subscriber(receiver, failed="/a"))
    until(lambda: posting.waiting()[0].last_error)
    assert 3500 < posting.waiting()[0].next_try - time.time() < 3700
    second = ended(posting.database, "failed", subscriber=subscriber(receiver, failed="/b"))
    until(lambda: posting.log(second))
    assert "it answered 410" in posting.log(second)[0][1]
    assert posting.log(first) == []
    assert len(receiver.received) == 2


def test_a_slow_receiver_holds_up_neither_jobs_nor_other_receivers(
    sqlite_database: Database, receiver: Receiver, couriers: list[Courier]
) -> None:
    receiver.hold.clear()
    other = Receiver()
    couriers.append(Post(sqlite_database, settings_for(receiver.host, other.host, webhook_timeout_s=25.0)).courier)
    try:
        began = time.monotonic()
        for _ in range(5):
            ended(sqlite_database, "failed", subscriber=subscriber(receiver, failed="/slow"))
        ended(sqlite_database, "failed", subscriber=subscriber(other, failed="/quick"))
        until(lambda: other.received)
        assert time.monotonic() - began < 10
        assert len(receiver.received) == 1, "one at a time"
    finally:
        receiver.hold.set()
        other.close()


def test_a_receiver_that_never_answers_has_had_its_try(
    sqlite_database: Database, receiver: Receiver, couriers: list[Courier]
) -> None:
    receiver.hold.clear()
    posting = Post(sqlite_database, settings_for(receiver.host, webhook_timeout_s=0.5))
    couriers.append(posting.courier)
    ended(sqlite_database, "failed", subscriber=subscriber(receiver, failed="/slow"))
    until(lambda: posting.waiting()[0].last_error, within_s=5)
    (row,) = posting.waiting()
    assert row.last_error == "no answer within 0.5 s"
    assert 1 < row.next_try - time.time() < 7


def test_one_owners_slow_receivers_leave_room_for_another_owner(
    sqlite_database: Database, receiver: Receiver, couriers: list[Courier], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "_SENDERS", 4)
    slow = [Receiver() for _ in range(6)]
    for one in slow:
        one.hold.clear()
        ended(sqlite_database, "failed", subscriber=subscriber(one, failed="/slow"), owner="ann")
    ended(sqlite_database, "failed", subscriber=subscriber(receiver, failed="/quick"), owner="bob")
    posting = Post(sqlite_database, settings_for(receiver.host, *(one.host for one in slow), webhook_timeout_s=20.0))
    couriers.append(posting.courier)
    try:
        until(lambda: receiver.received, within_s=10)
        time.sleep(0.1)
        assert sum(len(one.received) for one in slow) == 3
    finally:
        for one in slow:
            one.close()


# -- where they do not go


def test_a_redirect_is_not_followed(posting: Post, receiver: Receiver) -> None:
    inside = RawServer(lambda connection: None)
    try:
        receiver.answers = [
            (302, {"Location": f"http://127.0.0.1:{inside.port}/"}),
            (307, {"Location": f"{receiver.url}/elsewhere"}),
        ]
        ended(posting.database, "failed", subscriber=subscriber(receiver, failed="/a"))
        ended(posting.database, "failed", subscriber=subscriber(receiver, failed="/b"))
        until(lambda: all(row.last_error for row in posting.waiting()))
        assert sorted(row.last_error for row in posting.waiting()) == [
            "it answered 302, and redirects are not followed",
            "it answered 307, and redirects are not followed",
        ]
        assert inside.connections == 0
        assert sorted(got.path for got in receiver.received) == ["/a", "/b"]
    finally:
        inside.close()


@pytest.mark.parametrize("inside", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "fd00:ec2::254"])
def test_a_name_that_leads_inside_is_not_connected_to_and_reads_like_one_that_does_not_exist(
    sqlite_database: Database, names: Names, couriers: list[Courier], inside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = record_connects(monkeypatch)
    names.answers = {"inside.example": [[inside]]}
    posting = Post(sqlite_database, settings_for(webhook_max_attempts=1))
    told = []
    for name in ("inside.example", "nobody.example"):
        job = ended(sqlite_database, "failed", subscriber={"failed": f"https://{name}/hook"})
        told.append((job, name))
    couriers.append(posting.courier)
    until(lambda: all(posting.log(job) for job, _ in told))
    first, second = (posting.log(job)[0][1].replace(name, "NAME") for job, name in told)
    assert first == second
    assert "its name leads to no address that notices may go to. Given up after 1 try." in first
    assert sorted(names.asked) == ["inside.example", "nobody.example"]
    assert connected == []


def test_the_address_that_was_checked_is_the_one_connected_to_however_the_name_changes(
    sqlite_database: Database, names: Names, couriers: list[Courier], monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = record_connects(monkeypatch)
    names.answers = {"rebound.example": [["93.184.216.34"], ["127.0.0.1"]]}
    posting = Post(sqlite_database, settings_for())
    couriers.append(posting.courier)
    ended(sqlite_database, "failed", subscriber={"failed": "https://rebound.example:8443/hook"})
    until(lambda: posting.waiting()[0].last_error)
    assert connected == [("93.184.216.34", 8443)]
    assert names.asked == ["rebound.example"], "asked once"


def record_connects(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """No connection is made."""
    connected: list[Any] = []

    def connect(_: socket.socket, address: Any) -> None:
        connected.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket.socket, "connect", connect)
    return connected


def test_a_host_that_the_operator_names_no_longer_is_not_sent_to(
    sqlite_database: Database, receiver: Receiver, couriers: list[Courier]
) -> None:
    job = ended(sqlite_database, "failed", subscriber=subscriber(receiver, failed="/a"))
    posting = Post(sqlite_database, settings_for())
    couriers.append(posting.courier)
    until(lambda: posting.log(job))
    assert receiver.received == []


# -- crashes, clocks, several at once


def test_a_courier_killed_between_delivery_and_commit_has_it_delivered_again_under_the_same_id(
    sqlite_database: Database, tmp_path: Path, receiver: Receiver, wall_clock: WallClock, couriers: list[Courier]
) -> None:
    settings = settings_for(receiver.host, data=tmp_path)
    job = ended(sqlite_database, "successful", subscriber=subscriber(receiver, successful="/done"))
    values = json.loads(settings.model_dump_json(exclude_defaults=True))
    script = HELPERS / "killed_courier.py"
    killed = subprocess.run([sys.executable, script, json.dumps(values)], timeout=30)
    assert killed.returncode == -signal.SIGKILL
    (first,) = receiver.received
    wall_clock.time = time.time()
    posting = Post(sqlite_database, settings)
    couriers.append(posting.courier)
    time.sleep(0.2)
    assert len(receiver.received) == 1, "it may still be on its way"
    wall_clock.move(settings.webhook_timeout_s + 90)
    until(lambda: not posting.waiting())
    _, second = receiver.received
    assert (second.id, second.body) == (first.id, first.body)
    assert second.is_signed_with(posting.signer.secret_of(job.owner))
    assert len(posting.log(job)) == 1


def test_a_bug_costs_a_try_and_not_the_other_notices(
    posting: Post, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = delivery.post

    def broken(destination: Any, *args: Any, **values: Any) -> Any:
        if destination.target == "/broken":
            raise ValueError("a bug")
        return post(destination, *args, **values)

    monkeypatch.setattr(delivery, "post", broken)
    ended(posting.database, "failed", subscriber=subscriber(receiver, failed="/broken"))
    ended(posting.database, "failed", subscriber=subscriber(receiver, failed="/well"))
    until(lambda: receiver.received)
    until(lambda: [row.last_error for row in posting.waiting()] == ["something went wrong on our side"])
    assert [got.path for got in receiver.received] == ["/well"]


def test_several_couriers_send_each_notice_once(
    posting_on_each: Post, receiver: Receiver, couriers: list[Courier]
) -> None:
    for _ in range(2):
        couriers.append(Post(posting_on_each.database, posting_on_each.settings).courier)
    for number in range(12):
        ended(
            posting_on_each.database,
            "failed",
            subscriber=subscriber(receiver, failed="/a"),
            owner=f"owner-{number % 3}",
        )
    until(lambda: not posting_on_each.waiting())
    assert len(receiver.received) == len({got.id for got in receiver.received}) == 12


def test_a_clock_set_back_by_years_delays_no_notice(
    database: Database, receiver: Receiver, wall_clock: WallClock, couriers: list[Courier]
) -> None:
    ended(database, "failed", subscriber=subscriber(receiver, failed="/a"))
    wall_clock.move(-3 * 365 * 86_400)
    couriers.append(Post(database, settings_for(receiver.host)).courier)
    until(lambda: receiver.received)


def test_the_loop_goes_on_when_the_database_was_away(
    posting: Post, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from worker.errors import DatabaseUnavailable

    failures: list[Exception] = [DatabaseUnavailable("away"), ValueError("a bug")]
    waiting = outbox.waiting

    def sometimes(*args: Any, **values: Any) -> Any:
        if failures:
            raise failures.pop()
        return waiting(*args, **values)

    monkeypatch.setattr(outbox, "waiting", sometimes)
    ended(posting.database, "failed", subscriber=subscriber(receiver, failed="/a"))
    until(lambda: receiver.received)
    assert {"courier failed", "notices have to wait: away"} <= set(caplog.messages)


def test_a_courier_that_stops_does_not_wait_for_a_silent_receiver(
    sqlite_database: Database, receiver: Receiver
) -> None:
    receiver.hold.clear()
    posting = Post(sqlite_database, settings_for(receiver.host, webhook_timeout_s=20.0))
    ended(sqlite_database, "failed", subscriber=subscriber(receiver, failed="/a"))
    until(lambda: receiver.received)
    began = time.monotonic()
    posting.courier.stop()
    assert time.monotonic() - began < 3
    assert len(posting.waiting()) == 1, "sent again after the next start"


def test_addresses_do_not_show_in_the_operators_log(
    posting: Post, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.answers = [(410, {})]
    job = ended(posting.database, "failed", subscriber=subscriber(receiver, failed="/hook?token=hunter2"))
    until(lambda: posting.log(job))
    until(lambda: "notice given up" in caplog.text)
    assert "hunter2" not in caplog.text + str(posting.log(job))
    assert receiver.host in str([vars(record) for record in caplog.records])


# -- through the API


def test_a_user_asks_for_notices_verifies_them_and_finds_the_job_by_their_links(
    serve: Serve, receiver: Receiver, couriers: list[Courier]
) -> None:
    api = serve(webhook_private_hosts=(receiver.host,), poll_s=0.02)
    ann, bob = api.user("ann"), api.user("bob")
    addresses = {"successUri": f"{receiver.url}/done", "inProgressUri": f"{receiver.url}/running"}
    asked = {"inputs": {"sequence": ann.sequence}, "subscriber": addresses}
    job = ann.post("/processes/decloud/execution", json=asked).json()
    api.finish(job["jobID"])
    services = api.app.state.services
    couriers.append(Courier(api.database, api.settings, open_signer(api.settings, services.secret)))
    couriers[-1].start()
    until(lambda: len(receiver.received) == 2)
    secret = ann.get("/webhook-secret").json()["secret"]
    assert all(got.is_signed_with(secret) for got in receiver.received)
    assert secret != bob.get("/webhook-secret").json()["secret"]
    assert api.anybody().get("/webhook-secret").status_code == 401
    done = next(got for got in receiver.received if got.path == "/done")
    own, results = (link["href"] for link in done.payload["data"]["links"])
    assert ann.get(own).json()["status"] == "successful"
    assert ann.get(results).status_code == 200
    log = ann.get(f"/jobs/{job['jobID']}/log", headers={"Accept": "text/plain"})
    until(lambda: f"Notified {receiver.host}: job.successful." in log_of(ann, job["jobID"]), log.text)


def log_of(user: Any, job_id: str) -> str:
    return str(user.get(f"/jobs/{job_id}/log", headers={"Accept": "text/plain"}).text)


@pytest.mark.parametrize("member", ["successUri", "inProgressUri", "failedUri"])
@pytest.mark.parametrize(
    "url",
    ["http://example.org", "https://127.0.0.1", "https://localhost/", "https://169.254.169.254/latest/meta-data",
     "https://[::1]", "https://10.0.0.1:8443", "https://user:pw@example.org", "https://0x7f.1"],
)  # fmt: skip
def test_an_address_that_we_must_not_connect_to_is_refused_by_name(
    user: Any, names: Names, member: str, url: str
) -> None:
    names.answers = {"127.0.0.1": [["127.0.0.1"]]}  # by which the user finds us
    asked = {"inputs": {"sequence": user.sequence}, "subscriber": {member: url}}
    answer = user.post("/processes/decloud/execution", json=asked)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == f"subscriber.{member}"
    assert user.get("/jobs").json()["jobs"] == []
    assert set(names.asked) <= {"127.0.0.1"}


def test_a_submission_answers_the_same_whether_a_name_leads_inside_or_does_not_exist(user: Any, names: Names) -> None:
    names.answers = {"inside.example": [["192.168.1.1"]], "127.0.0.1": [["127.0.0.1"]]}
    for name in ("inside.example", "nobody.example"):
        asked = {"inputs": {"sequence": user.sequence}, "subscriber": {"successUri": f"https://{name}/hook"}}
        assert user.post("/processes/decloud/execution", json=asked).status_code == 201
    assert set(names.asked) <= {"127.0.0.1"}


def test_a_job_submitted_again_tells_the_first_ones_subscriber_unless_asked_otherwise(api: Any, user: Any) -> None:
    asked = {"inputs": {"sequence": user.sequence}, "subscriber": {"successUri": "https://nobody.invalid/a"}}
    first = user.post("/processes/decloud/execution", json=asked).json()["jobID"]
    again = user.post(f"/jobs/{first}/resubmit").json()["jobID"]
    assert api.job(again).subscriber == api.job(first).subscriber is not None
    silent = user.post(f"/jobs/{first}/resubmit", json={"subscriber": None}).json()["jobID"]
    assert api.job(silent).subscriber is None


def test_the_serving_process_delivers_by_itself(sqlite_database: Database, tmp_path: Path, receiver: Receiver) -> None:
    settings = Settings(data=tmp_path, webhook_private_hosts=(receiver.host,), poll_s=0.02, disk_floor_bytes=0)
    ended(sqlite_database, "successful", subscriber=subscriber(receiver, successful="/done"))
    app = create_app(settings, database=sqlite_database)

    async def serve_until_told() -> None:
        async with app.router.lifespan_context(app):
            await asyncio.to_thread(until, lambda: receiver.received)

    asyncio.run(serve_until_told())
    assert types(receiver.received) == ["job.successful"]
