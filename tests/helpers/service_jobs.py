"""Jobs for tests: made, claimed and looked at in one line each."""

import time
import uuid
from typing import Any

import pytest
from sqlalchemy import insert

from worker import clock, jobs
from worker.database import tables
from worker.database.connections import Database
from worker.jobs import Job, uploads
from worker.settings import Settings

LIMITS = Settings(max_queued_per_owner=1000, max_running_per_owner=1000)
LEASE_S = 60.0


class WallClock:
    """Stands still, except when moved."""

    def __init__(self) -> None:
        self.time = time.time()

    def move(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def wall_clock(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    """The clock that the service reads, in the test's hands."""
    hands = WallClock()
    monkeypatch.setattr(clock, "now", lambda: hands.time)
    return hands


def submit(database: Database, *, owner: str = "ann", limits: Settings = LIMITS, **asked: Any) -> Job:
    """A new job without an input."""
    job, created = jobs.submit(database, owner=owner, input_id=None, params={}, limits=limits, **asked)
    assert created
    return job


def claim(database: Database, *, worker: str = "worker-1", classes: tuple[str, ...] = ("cpu",)) -> Job | None:
    return jobs.claim(database, worker_id=worker, classes=classes, lease_s=LEASE_S)


def running(database: Database, *, worker: str = "worker-1", **asked: Any) -> Job:
    """A new job, claimed; there must be no other one waiting."""
    submitted = submit(database, **asked)
    job = claim(database, worker=worker)
    assert job is not None
    assert job.id == submitted.id
    return job


def publish(database: Database, job: Job, *files: jobs.Artifact) -> bool:
    return jobs.publish(database, job, result_prefix=job.attempt_prefix, artifacts=files, usage={"seconds": 1.0})


def an_artifact(path: str = "declouded/2021-05-01.tif", size: int = 100) -> jobs.Artifact:
    return jobs.Artifact(path, "declouded", size, "0" * 64, 2**32 - 1, "image/tiff", "2021-05-01")


def now(database: Database, job: Job) -> Job:
    """The job as it is now."""
    return jobs.get(database, job.id, None)


def complete_upload(database: Database, *, owner: str = "ann", length: int = 10) -> uploads.Upload:
    upload = uploads.create(database, owner=owner, length=length, limits=LIMITS)
    uploads.advance(database, upload.id, owner, old=0, new=length, limits=LIMITS)
    return uploads.complete(database, upload.id, owner, sha256="0" * 64, limits=LIMITS)


def fill(database: Database, count: int, *, owners: int, status: str = "accepted") -> None:
    """Many jobs at once, owners in turn."""
    names = [f"owner-{number}" for number in range(owners)]
    moment = clock.now()
    rows = [
        {
            "id": str(uuid.uuid4()),
            "owner": names[number % owners],
            "status": status,
            "params": {"method": "guided", "seed": number},
            "priority": 0,
            "resource_class": "cpu",
            "request_sha256": "0" * 64,
            "max_attempts": 3,
            "max_running": count,
            "keep_s": 1e6,
            "created": moment,
            "updated": moment,
        }
        for number in range(count)
    ]
    with database.begin() as connection:
        connection.execute(insert(tables.owners), [{"owner": name} for name in names])
        connection.execute(insert(tables.jobs), rows)
