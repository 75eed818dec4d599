"""The building blocks of every transition: lock the row, look, change it, append the event. All within one transaction.

Locking first matters on PostgreSQL: what was looked at is still so when it is changed, and a job's events get their ids
in the order in which they appear. On SQLite a writing transaction has the whole database anyway.
"""

from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, select, update

from worker import clock
from worker.database.tables import job_tiles, jobs
from worker.errors import NotFound
from worker.jobs import events, exports, garbage, outbox
from worker.jobs.rows import COLUMNS, ONE, ONE_OWNED, Job, JobStatus, to_job
from worker.values import is_id

# A retry never waits longer: what waits longer was written before the clock was set back.
LONGEST_DELAY_S = 900.0
# A worker that has just lost its job may still be storing a checkpoint.
_LATE_S = 120.0


def fence(job: Job) -> ColumnElement[bool]:
    """True for the job's row while it is still in the attempt that `job` was claimed for. No clock is asked."""
    return and_(
        jobs.c.number == job.number,
        jobs.c.status == "running",
        jobs.c.lease_owner == job.lease_owner,
        jobs.c.attempt == job.attempt,
    )


def lock_held(connection: Connection, job: Job) -> Job | None:
    """The row as it is now, locked, or None when the lease is lost."""
    row = connection.execute(select(*COLUMNS).where(fence(job)).with_for_update(key_share=True)).one_or_none()
    return None if row is None else to_job(row)


def lock_owned(connection: Connection, job_id: str, owner: str | None) -> Job:
    """The owner's job, locked; owner None is the operator. Raises `NotFound`."""
    query = (ONE if owner is None else ONE_OWNED).with_for_update()
    row = connection.execute(query, {"job_id": job_id, "owner": owner}).one_or_none() if is_id(job_id) else None
    if row is None:
        raise NotFound("no such job")
    return to_job(row)


def change(connection: Connection, job: Job, **values: Any) -> Job:
    """Set columns of a locked row."""
    changed = update(jobs).where(jobs.c.number == job.number).values(updated=clock.now(), **values).returning(*COLUMNS)
    return to_job(connection.execute(changed).one())


def report(connection: Connection, job: Job, message: str, *, level: str = "info", **more: Any) -> None:
    """Append the event of a transition that has just been made; `message` is a sentence for the job's owner."""
    data = {"status": job.status, "message": message, **more}
    events.append(connection, job.id, job.attempt, "status", data, level=level)
    outbox.announce(connection, job, message)


def end(connection: Connection, job: Job, status: JobStatus, message: str, **values: Any) -> Job:
    """Takes the job into one of the three last statuses. Drops the lease and the checkpoint, where there is one."""
    finished = max(clock.now(), job.started or 0.0, job.created)  # a clock set back makes no negative durations
    values |= exports.job_ended(connection, job, status)
    ended = change(
        connection, job, status=status, finished=finished, lease_owner=None, lease_until=None, not_before=None, **values
    )
    if job.attempt:
        garbage.add(connection, job.checkpoint_prefix, delay_s=_LATE_S)
    if connection.execute(delete(job_tiles).where(job_tiles.c.job_id == job.id)).rowcount:
        garbage.add(connection, f"tiles/{job.id}", delay_s=_LATE_S)
    level = "error" if status == "failed" else "info"
    report(connection, ended, message, level=level, **({"error": ended.error} if ended.error else {}))
    return ended


def end_dismissed(connection: Connection, job: Job) -> Job:
    """Takes the job into `dismissed`: what a cancelled job becomes, however its attempt went."""
    return end(connection, job, "dismissed", "Cancelled.")


def end_failed(connection: Connection, job: Job, error: dict[str, Any]) -> Job:
    """Takes the job into `failed`; `error` has at least `code` and `detail`."""
    return end(connection, job, "failed", str(error.get("detail", error["code"])), error=error)


def requeue(connection: Connection, job: Job, message: str, *, delay_s: float = 0.0, **values: Any) -> Job:
    """Takes the job back to `accepted`, to be claimed when `delay_s` are over."""
    waiting = change(
        connection,
        job,
        status="accepted",
        lease_owner=None,
        lease_until=None,
        not_before=clock.now() + delay_s if delay_s else None,
        last_ring_at=None,
        **values,
    )
    report(connection, waiting, message, level="warning")
    return waiting
