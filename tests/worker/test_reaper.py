"""What nobody else sets right: dead workers' jobs, unheard doorbells, files nobody refers to; and what must wait."""

from typing import Any

import pytest
from service_workers import Workshop, until

from worker import clock, jobs
from worker.errors import DatabaseUnavailable, StorageUnavailable
from worker.queue import workers
from worker.queue.doorbell import InProcessDoorbell
from worker.queue.reaper import Reaper


class Bell(InProcessDoorbell):
    """Remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.rung: list[str] = []

    def ring(self, resource_class: str) -> None:
        self.rung.append(resource_class)


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def reaper(workshop: Workshop, bell: Bell) -> Reaper:
    return Reaper(workshop.database, workshop.storage, workshop.settings, bell)


def claimed(workshop: Workshop, *, lease_s: float) -> jobs.Job:
    submitted = workshop.submit()
    job = jobs.claim(workshop.database, worker_id="dead", classes=("cpu",), lease_s=lease_s)
    assert job is not None
    assert job.id == submitted.id
    return job


def test_a_job_that_waits_is_rung_for_again(workshop: Workshop, reaper: Reaper, bell: Bell) -> None:
    workshop.submit()
    reaper.reap()
    assert bell.rung == []
    until(lambda: (reaper.reap(), bell.rung)[1], within_s=5)
    assert bell.rung == ["cpu"]


def test_files_of_a_removed_job_are_deleted_and_asked_for_once_more_where_storage_fails(
    workshop: Workshop, bell: Bell
) -> None:
    job = workshop.work(workshop.submit())
    files = workshop.settings.data / "files" / "results" / job.id
    assert files.exists()
    jobs.remove(workshop.database, job.id, "ann")

    class Away:
        """Once."""

        calls = 0

        def delete_prefix(self, prefix: str) -> None:
            self.calls += 1
            if self.calls == 1:
                raise StorageUnavailable("the storage does not answer")
            workshop.storage.delete_prefix(prefix)

    storage: Any = Away()
    reaper = Reaper(workshop.database, storage, workshop.settings, bell)
    assert reaper.reap().garbage
    assert list(files.iterdir())
    reaper.reap()
    assert not list(files.glob("*")) or not files.exists()
    assert not reaper.reap().garbage


def test_no_lease_is_taken_right_after_the_clock_leapt_or_the_database_was_away(
    workshop: Workshop, reaper: Reaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed(workshop, lease_s=60)
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + 3600)
    assert not reaper.reap().requeued, "its worker had no chance to report"
    (job,) = reaper.reap().requeued
    jobs.dismiss(workshop.database, job.id, "ann")

    claimed(workshop, lease_s=-1)
    reap = jobs.reap

    def away(*_: Any, **__: Any) -> Any:
        raise DatabaseUnavailable("the database does not answer")

    monkeypatch.setattr(jobs, "reap", away)
    with pytest.raises(DatabaseUnavailable):
        reaper.reap()
    monkeypatch.setattr(jobs, "reap", reap)
    assert not reaper.reap().requeued
    assert reaper.reap().requeued


def test_the_loop_goes_on_whatever_happens_and_ends_when_told(
    workshop: Workshop, reaper: Reaper, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reap, failures = jobs.reap, [ValueError("a bug"), DatabaseUnavailable("away")]

    def sometimes(*args: Any, **values: Any) -> Any:
        if failures:
            raise failures.pop()
        return reap(*args, **values)

    monkeypatch.setattr(jobs, "reap", sometimes)
    job = claimed(workshop, lease_s=0.1)
    reaper.start()
    until(lambda: workshop.get(job).status == "accepted", within_s=5)
    reaper.stop()
    assert "reaper failed" in caplog.text


def test_silent_workers_are_forgotten(workshop: Workshop, reaper: Reaper, monkeypatch: pytest.MonkeyPatch) -> None:
    workers.seen(workshop.database, "old", host="h", device="cpu", classes=("cpu",))
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + 2 * 3600)
    workers.seen(workshop.database, "new", host="h", device="cpu", classes=("cpu",))
    reaper.reap()
    assert [worker.id for worker in workers.listing(workshop.database)] == ["new"]
