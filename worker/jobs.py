"""The job contract: everything that may happen to a job, each in one transaction that also appends its event."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from worker.database import Database
from worker.job_rows import ENDED, Job, JobStatus
from worker.settings import Settings


@dataclass(frozen=True)
class Artifact:
    """A file of a result. path: relative to the result's prefix, with `/`. date: YYYY-MM-DD or None."""

    path: str
    role: str
    size: int
    sha256: str
    crc32: int
    media_type: str
    date: str | None = None


@dataclass(frozen=True)
class Beat:
    """kept: False means the lease is lost: stop, write nothing. cancel_requested: stop and call `dismissed`."""

    kept: bool
    cancel_requested: bool


@dataclass(frozen=True)
class Filters:
    """Which jobs to list; None and () mean any. created_*: seconds since 1970; *_duration_s: of the run so far."""

    statuses: tuple[JobStatus, ...] = ()
    created_from: float | None = None
    created_to: float | None = None
    min_duration_s: float | None = None
    max_duration_s: float | None = None


@dataclass(frozen=True)
class Page:
    """jobs: newest first. after: give it back to get the next page; None on the last."""

    jobs: tuple[Job, ...]
    after: int | None


@dataclass(frozen=True)
class Reaped:
    """requeued, failed, dismissed: jobs whose lease had run out. ring: resource classes with jobs that wait too long.

    garbage: storage prefixes to delete; call `garbage.forget(database, prefix)` after each, they come again otherwise.
    """

    requeued: tuple[Job, ...]
    failed: tuple[Job, ...]
    dismissed: tuple[Job, ...]
    ring: tuple[str, ...]
    garbage: tuple[str, ...]


def submit(
    database: Database,
    *,
    owner: str,
    input_id: str | None,
    params: dict[str, Any],
    limits: Settings,
    name: str | None = None,
    priority: int = 0,
    resource_class: str = "cpu",
    idempotency_key: str | None = None,
    subscriber: dict[str, str] | None = None,
) -> tuple[Job, bool]:
    """The job and whether it was made now: the same idempotency key gives the first job again."""
    raise NotImplementedError


def claim(database: Database, *, worker_id: str, classes: Sequence[str], lease_s: float) -> Job | None:
    """The next job, now this worker's, or None."""
    raise NotImplementedError


def heartbeat(database: Database, job: Job, *, lease_s: float, progress: dict[str, Any] | None = None) -> Beat:
    """Keep the lease and store the progress."""
    raise NotImplementedError


def record(database: Database, job: Job, kind: str, data: dict[str, Any], level: str = "info") -> bool:
    """Append an event; False: the lease is lost and nothing was written."""
    raise NotImplementedError


def save_checkpoint(database: Database, job: Job, prefix: str) -> bool:
    """Remember that the storage holds a checkpoint below `prefix`; it is deleted when the job ends."""
    raise NotImplementedError


def publish(
    database: Database, job: Job, *, result_prefix: str, artifacts: Sequence[Artifact], usage: dict[str, Any]
) -> bool:
    """Make the result visible, once; True again when repeated for the same attempt. False: delete the files."""
    raise NotImplementedError


def fail(database: Database, job: Job, error: dict[str, Any]) -> bool:
    """End as failed; `error` has at least code and detail."""
    raise NotImplementedError


def retry(
    database: Database,
    job: Job,
    *,
    reason: dict[str, Any],
    delay_s: float = 0.0,
    retry: dict[str, Any] | None = None,
    refund_attempt: bool = False,
) -> bool:
    """Back to accepted, or failed with `reason` (code, detail) when attempts are used up."""
    raise NotImplementedError


def release(database: Database, job: Job) -> bool:
    """Orderly stop of the worker: back to accepted, the attempt does not count."""
    raise NotImplementedError


def dismissed(database: Database, job: Job) -> bool:
    """The worker stopped a job because cancel was requested."""
    raise NotImplementedError


def dismiss(database: Database, job_id: str, owner: str | None) -> Job:
    """Cancel: at once while accepted, by the worker while running; an ended job stays as it is."""
    raise NotImplementedError


def remove(database: Database, job_id: str, owner: str | None) -> None:
    """Delete an ended job with its events; its files become garbage. Raises `JobActive`."""
    raise NotImplementedError


def get(database: Database, job_id: str, owner: str | None) -> Job:
    """Raises `NotFound`, also for another owner's job; owner None is the operator."""
    raise NotImplementedError


def listing(
    database: Database, owner: str | None, filters: Filters | None = None, *, limit: int = 20, after: int | None = None
) -> Page:
    """One page of the owner's jobs."""
    raise NotImplementedError


def queue_position(database: Database, job: Job) -> int | None:
    """1 for the next of its class; None when it is not waiting."""
    raise NotImplementedError


def reap(database: Database, settings: Settings) -> Reaped:
    """Take back what dead workers held, expire what is old. Safe to run in several processes at once."""
    raise NotImplementedError


__all__ = [
    "ENDED",
    "Artifact",
    "Beat",
    "Filters",
    "Job",
    "JobStatus",
    "Page",
    "Reaped",
    "claim",
    "dismiss",
    "dismissed",
    "fail",
    "get",
    "heartbeat",
    "listing",
    "publish",
    "queue_position",
    "reap",
    "record",
    "release",
    "remove",
    "retry",
    "save_checkpoint",
    "submit",
]
