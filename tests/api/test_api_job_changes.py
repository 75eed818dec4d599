"""All jobs of an owner as they change, in one stream."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from event_streams import parsed
from service_api import ServedApi, User
from service_workers import until

from worker import jobs
from worker.access import keys
from worker.database.connections import Database
from worker.jobs.changes import OwnerVersion, changed_jobs, jobs_after, owner_versions


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.routes.job_changes._PAUSE_S", 0.05)


class Stream:
    """Reads events one after the other."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._events = parsed(lines)
        self.last_id = ""

    def next(self) -> tuple[str, Any]:
        """Kind and data, past comments."""
        for event in self._events:
            self.last_id = event.get("id", self.last_id)
            if "event" in event:
                return event["event"], event["data"]
        return "over", None

    def until(self, kind: str) -> list[Any]:
        """Data of all events up to the first of this kind, whose own is the last."""
        found = []
        while True:
            told, data = self.next()
            assert told != "over", found
            found.append(data)
            if told == kind:
                return found

    def job(self, status: str) -> Any:
        """The next document with this status."""
        while True:
            told, data = self.next()
            assert told == "job", (told, data)
            if data["status"] == status:
                return data


@contextmanager
def streaming(user: User, **headers: str) -> Iterator[Stream]:
    with user.stream("GET", "/jobs/events", headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Stream(answer.iter_lines())


def test_a_list_hears_of_every_job_that_comes_changes_ends_or_goes(api: ServedApi, user: User) -> None:
    ended, waiting = user.submit(), user.submit()
    api.finish(ended)
    with streaming(user) as stream:
        *first, ready = stream.until("ready")
        assert [job["id"] for job in first] == [waiting]
        assert ready == {}
        listed = user.get("/jobs?status=accepted").json()["jobs"]
        assert first == listed
        other, mine = api.user().submit(), user.submit()
        assert stream.job("accepted")["id"] == mine
        api.finish(mine, gain={"measured_db": 2.0, "low_db": None, "high_db": None, "dates": 1, "pixels": 9})
        done = stream.job("successful")
        assert (done["id"], done["gain"]["measured_db"]) == (mine, 2.0)
        jobs.dismiss(api.database, waiting, user.owner)
        jobs.remove(api.database, waiting, user.owner)
        assert stream.until("removed")[-1] == {"id": waiting}
        assert other not in str(first)


def test_who_comes_back_hears_what_was_missed_by_header_and_by_parameter(api: ServedApi, user: User) -> None:
    with streaming(user) as stream:
        stream.until("ready")
        last = stream.last_id
    came_and_ended = user.submit()
    api.finish(came_and_ended)
    with streaming(user, **{"Last-Event-ID": last}) as stream:
        assert [job["status"] for job in stream.until("ready")[:-1]] == ["successful"]
    with user.stream("GET", f"/jobs/events?after={last}") as answer:
        missed = Stream(answer.iter_lines()).until("ready")
        assert [job["id"] for job in missed[:-1]] == [came_and_ended]
    with streaming(user, **{"Last-Event-ID": "nonsense"}) as stream:
        assert stream.until("ready") == [{}]


@pytest.mark.usefixtures("impatient")
def test_a_stream_of_all_jobs_ends_when_its_key_is_revoked(api: ServedApi) -> None:
    user = api.user()
    with streaming(user) as stream:
        stream.until("ready")
        (key,) = keys.listing(api.database, user.owner)
        keys.revoke(api.database, key.id)
        assert stream.next() == ("over", None)
    assert user.get("/jobs/events").status_code == 401


def test_streams_of_one_owner_share_a_limit_and_one_look(api: ServedApi) -> None:
    user = api.user()
    with streaming(user) as one, streaming(user) as other:
        one.until("ready")
        other.until("ready")
        watch = api.app.state.services.watch_owners
        until(lambda: len(watch._waiting.get(user.owner, ())) == 2)
        submitted = user.submit()
        assert one.job("accepted")["id"] == other.job("accepted")["id"] == submitted


def test_a_version_differs_by_what_a_list_shows_alone(api: ServedApi, user: User) -> None:
    database = api.database
    before = version_of(database, user)
    api.user().submit()
    assert version_of(database, user) == before
    mine = user.submit()
    after = version_of(database, user)
    assert [job.id for job in changed_jobs(database, user.owner, after, before)] == [mine]
    assert changed_jobs(database, user.owner, after, after) == ()
    api.finish(mine)
    ended = version_of(database, user)
    assert ended.active == {}
    assert [job.status for job in changed_jobs(database, user.owner, ended, after)] == ["successful"]
    assert [job.id for job in jobs_after(database, user.owner, before.position)] == [mine]
    assert jobs_after(database, user.owner, ended.position + 1000) == ()


def version_of(database: Database, user: User) -> OwnerVersion:
    return owner_versions(database, [user.owner])[user.owner]
