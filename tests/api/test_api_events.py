"""What happens to a job, as a stream that can be resumed and as a log."""

import threading
import time
from collections import deque
from typing import Any

import httpx
import pytest
from event_streams import parsed
from service_api import Serve, ServedApi, User
from service_workers import until

from api.routes.events import _message
from worker import jobs
from worker.access import keys
from worker.errors import DatabaseUnavailable
from worker.jobs.events import Event


def stream(user: User, job_id: str, **headers: str) -> list[dict[str, Any]]:
    """All events until the server ends the stream."""
    with user.stream("GET", f"/jobs/{job_id}/events", headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-accel-buffering"] == "no"
        return list(parsed(answer.iter_lines()))


def test_a_stream_tells_everything_and_ends_with_the_job(api: ServedApi, user: User) -> None:
    job_id = user.submit()
    job = api.claim(job_id)
    jobs.record(api.database, job, "log", {"message": "12 dates read."})
    timer = threading.Timer(0.3, api_finishes, (api, job))
    timer.start()
    told = stream(user, job_id)
    timer.join()
    stored = [event for event in told if "id" in event]
    messages = [event["data"]["message"] for event in stored]
    assert messages[0] == "Accepted."
    assert "12 dates read." in messages
    assert messages[-1] == "Done: 0 files."
    assert [int(event["id"]) for event in stored] == sorted({int(event["id"]) for event in stored})
    states = [event["data"]["status"] for event in told if event.get("event") == "job"]
    assert states[0] == "running"
    assert states[-1] == "successful"
    assert told[-1]["event"] == "end"
    assert "retry" in told[0]


def api_finishes(api: ServedApi, job: jobs.Job) -> None:
    jobs.publish(api.database, job, result_prefix="results/x", artifacts=[], usage={})


def test_a_broken_stream_goes_on_after_the_last_event_it_told(
    api: ServedApi, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.routes.events._BATCH", 50)
    job_id = user.submit()
    job = api.claim(job_id)
    for number in range(120):  # more than are read at once
        jobs.record(api.database, job, "step", {"step": number, "loss": 1 / (number + 1)})
    seen: list[str] = []
    with user.stream("GET", f"/jobs/{job_id}/events") as answer:
        for event in parsed(answer.iter_lines()):
            if "id" in event:
                seen.append(event["id"])
            if len(seen) == 70:
                break
    api_finishes(api, job)
    rest = [event["id"] for event in stream(user, job_id, **{"Last-Event-ID": seen[-1]}) if "id" in event]
    everything = [event["id"] for event in stream(user, job_id) if "id" in event]
    assert seen + rest == everything
    assert len(everything) > 120
    again = user.get(f"/jobs/{job_id}/events", headers={"Last-Event-ID": everything[-1]})
    assert again.status_code == 204  # a browser then asks no more


def test_progress_without_events_is_told_as_the_jobs_document(api: ServedApi, user: User) -> None:
    job_id = user.submit()
    job = api.claim(job_id)
    with user.stream("GET", f"/jobs/{job_id}/events") as answer:
        events = parsed(answer.iter_lines())
        while next(events).get("event") != "job":
            continue
        jobs.heartbeat(api.database, job, lease_s=60, progress={"phase": "reading", "step": 3, "of": 12})
        told = next(event for event in events if event.get("event") == "job")
    assert "id" not in told
    assert (told["data"]["phase"], told["data"]["step"]) == ("reading", 3)


def test_malformed_event_ids_begin_at_the_beginning(api: ServedApi, user: User) -> None:
    job_id = user.submit()
    api_finishes(api, api.claim(job_id))
    everything = stream(user, job_id)
    for text in ("x", "-1", "9" * 50, "1; DROP TABLE"):
        assert stream(user, job_id, **{"Last-Event-ID": text}) == everything


def test_an_owner_has_so_many_streams_and_no_more(api: ServedApi, user: User) -> None:
    from api.routes.streaming import MOST_STREAMS

    job_id = user.submit()
    open_ones = [
        user.raw(f"GET /jobs/{job_id}/events HTTP/1.1\r\nAccept: text/event-stream") for _ in range(MOST_STREAMS)
    ]
    until(lambda: api.app.state.services.streams._open[user.owner] == MOST_STREAMS)
    answer = user.get(f"/jobs/{job_id}/events")
    assert answer.status_code == 429
    assert answer.json()["limit"] == MOST_STREAMS
    for connection in open_ones:
        connection.close()
    until(lambda: user.owner not in api.app.state.services.streams._open)
    user.delete(f"/jobs/{job_id}")
    assert stream(user, job_id)[-1]["event"] == "end"


@pytest.mark.usefixtures("impatient")
def test_a_stream_ends_when_its_key_is_revoked(api: ServedApi) -> None:
    user = api.user()
    job_id = user.submit()
    with user.stream("GET", f"/jobs/{job_id}/events") as answer:
        events = parsed(answer.iter_lines())
        next(events)
        (key,) = keys.listing(api.database, user.owner)
        keys.revoke(api.database, key.id)
        rest = list(events)
    assert "end" not in [event.get("event") for event in rest]


def test_a_stream_ends_in_order_where_the_database_is_away_or_the_job_was_removed(
    api: ServedApi, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed, away = user.submit(), user.submit()
    with user.stream("GET", f"/jobs/{removed}/events") as answer:
        events = parsed(answer.iter_lines())
        next(events)
        jobs.dismiss(api.database, removed, user.owner)
        jobs.remove(api.database, removed, user.owner)
        deque(events, maxlen=0)  # ends, and no exception breaks the connection
    with user.stream("GET", f"/jobs/{away}/events") as answer:
        events = parsed(answer.iter_lines())
        next(events)

        def gone(*_: Any, **__: Any) -> None:
            raise DatabaseUnavailable("gone")

        monkeypatch.setattr("api.routes.events.events.read", gone)
        jobs.dismiss(api.database, away, user.owner)
        assert "end" not in [event.get("event") for event in events]


def test_streams_and_long_polls_end_when_the_server_stops(serve: Serve) -> None:
    api = serve()
    user = api.user()
    job_id = user.submit()
    ended: list[Any] = []

    def follow() -> None:
        ended.append(stream(user, job_id)[-1])

    def wait() -> None:
        with httpx.Client(headers=user.headers, trust_env=False) as other:
            ended.append(other.get(f"{api.url}/jobs/{job_id}?wait=60", timeout=70).status_code)

    threads = [threading.Thread(target=target) for target in (follow, wait)]
    for thread in threads:
        thread.start()
    until(lambda: len(api.app.state.services.watch._waiting.get(job_id, ())) == 2)
    began = time.monotonic()
    api.stop_serving()
    for thread in threads:
        thread.join(5)
    assert time.monotonic() - began < 4
    assert len(ended) == 2
    assert 200 in ended


def test_the_log_is_read_in_parts_and_as_text(api: ServedApi, user: User) -> None:
    job_id = user.submit()
    job = api.claim(job_id)
    for number in range(5):
        jobs.record(api.database, job, "log", {"message": f"line\n{number}"}, level="warning")
    lines: list[str] = []
    href = f"/jobs/{job_id}/log?limit=3"
    while href:
        page = user.get(href).json()
        lines += [entry["message"] for entry in page["logs"]]
        href = next((link["href"] for link in page["links"] if link["rel"] == "next" and page["logs"]), "")
    assert lines[0] == "Accepted."
    assert lines[-5:] == [f"line\n{number}" for number in range(5)]
    text = user.get(f"/jobs/{job_id}/log", headers={"Accept": "text/plain"})
    assert text.headers["content-type"].startswith("text/plain")
    assert text.text.count("\n") == len(lines)
    assert "warning: line 4" in text.text.splitlines()[-1]
    first = user.get(f"/jobs/{job_id}/log").json()["logs"][0]["id"]
    assert len(user.get(f"/jobs/{job_id}/log?offset={first}").json()["logs"]) == len(lines) - 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"message": "Started.", "phase": "reading"}, "Started."),
        ({"phase": "reading", "step": 0, "of": 0, "loss": None, "message": None}, "Reading"),
        (
            {"phase": "fitting", "step": 3, "of": 120, "loss": 0.8629618, "holdout_psnr": 25.14},
            "Fitting, step 3 of 120, loss 0.863, held-out 25.1 dB",
        ),
        ({"seconds": 3, "device": None}, "seconds 3"),
    ],
)
def test_the_log_speaks_in_words(data: dict[str, Any], said: str) -> None:
    assert _message(Event(1, "job", 0.0, 1, "step", "info", data)) == said
