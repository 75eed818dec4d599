"""The lease is kept while a child works, and what it says arrives, in measure."""

import time
from typing import Any

import pytest
from service_workers import Workshop, until

from worker import clock, jobs
from worker.errors import DatabaseUnavailable
from worker.jobs import Job, events
from worker.running.heartbeat import Heartbeat


@pytest.fixture
def job(workshop: Workshop) -> Job:
    workshop.submit()
    claimed = jobs.claim(workshop.database, worker_id="w", classes=("cpu",), lease_s=workshop.settings.lease_s)
    assert claimed is not None
    return claimed


def recorded(workshop: Workshop, job: Job, kind: str) -> list[dict[str, Any]]:
    return [event.data for event in events.read(workshop.database, job.id, kinds=(kind,))]


def test_the_lease_is_kept_without_any_progress(workshop: Workshop, job: Job) -> None:
    with Heartbeat(workshop.database, job, workshop.settings):
        time.sleep(workshop.settings.lease_s * 1.5)
        assert not workshop.reaper().reap().requeued
    time.sleep(workshop.settings.lease_s * 1.2)
    assert workshop.reaper().reap().requeued


def test_the_latest_progress_is_stored_and_every_message_and_phase_is_recorded_once(
    workshop: Workshop, job: Job
) -> None:
    with Heartbeat(workshop.database, job, workshop.settings) as heartbeat:
        heartbeat.report({"phase": "reading", "message": "one"})
        heartbeat.report({"phase": "reading", "message": "two"})
        heartbeat.report({"phase": "fitting", "step": 3, "of": 9, "loss": 0.5})
        until(lambda: workshop.get(job).phase == "fitting")
        heartbeat.report({"phase": "fitting", "step": 4, "of": 9, "loss": 0.4})
        until(lambda: (workshop.get(job).progress or {}).get("step") == 4)
    assert [data["message"] for data in recorded(workshop, job, "log")] == ["one", "two"]
    assert [data["phase"] for data in recorded(workshop, job, "phase")] in (["fitting"], ["reading", "fitting"])
    assert next(data["step"] for data in recorded(workshop, job, "step")) == 3


def test_a_phase_is_stored_when_it_begins_and_not_when_the_next_look_is_due(workshop: Workshop, job: Job) -> None:
    settings = workshop.settings.model_copy(update={"poll_s": 60.0, "heartbeat_s": 60.0})
    with Heartbeat(workshop.database, job, settings) as heartbeat:
        for phase in ("reading", "fitting", "writing"):
            began = time.monotonic()
            heartbeat.report({"phase": phase})
            until(lambda phase=phase: workshop.get(job).phase == phase)
            assert time.monotonic() - began < 1.0  # a quiet child's row is looked at every 2 s


def test_a_long_training_records_hundreds_of_steps_and_not_thousands(
    workshop: Workshop, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(clock, "elapsed", lambda: now)
    heartbeat = Heartbeat(workshop.database, job, workshop.settings)
    recorded_kinds: list[str] = []
    monkeypatch.setattr(jobs, "record", lambda database, job, kind, data: recorded_kinds.append(kind))
    monkeypatch.setattr(jobs, "heartbeat", lambda *_, **__: jobs.Beat(kept=True, cancel_requested=False))
    for second in range(1, 6 * 3600):
        now = float(second)
        heartbeat.report({"phase": "fitting", "step": second, "loss": 0.5})
        assert heartbeat.beat()
    assert 300 < recorded_kinds.count("step") < 1000
    assert recorded_kinds.count("phase") == 1


def test_loss_and_cancellation_are_heard_of(workshop: Workshop, job: Job) -> None:
    with Heartbeat(workshop.database, job, workshop.settings) as heartbeat:
        jobs.dismiss(workshop.database, job.id, "ann")
        assert heartbeat.cancel_requested.wait(2)
        assert not heartbeat.lost.is_set()
        jobs.dismissed(workshop.database, job)
        assert heartbeat.lost.wait(2)
        assert not heartbeat.beat()


def test_a_database_that_does_not_answer_takes_no_job_away(
    workshop: Workshop, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = jobs.heartbeat

    def away(*_: Any, **__: Any) -> Any:
        raise DatabaseUnavailable("the database does not answer")

    with Heartbeat(workshop.database, job, workshop.settings) as heartbeat:
        monkeypatch.setattr(jobs, "heartbeat", away)
        time.sleep(workshop.settings.lease_s * 1.5)
        assert not heartbeat.lost.is_set()
        monkeypatch.setattr(jobs, "heartbeat", beat)
        until(lambda: (workshop.get(job).lease_until or 0) > clock.now())
        assert heartbeat.beat()
