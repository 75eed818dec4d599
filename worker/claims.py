"""A worker and its job: claim, keep the lease, report. Everything after the claim is fenced by `transitions.fence`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Executable, func, or_, select, update

from worker import clock, events
from worker.database import Database
from worker.job_rows import COLUMNS, Job, to_job
from worker.sql import CLAIM_LOCK, one_at_a_time, storable
from worker.tables import jobs, owners
from worker.transitions import fence, lock_held, tell

_MAX_MESSAGE = 1000


@dataclass(frozen=True)
class Beat:
    """kept: False means the lease is lost: stop, write nothing. cancel_requested: stop and call `dismissed`."""

    kept: bool
    cancel_requested: bool


def claim(database: Database, *, worker_id: str, classes: Sequence[str], lease_s: float) -> Job | None:
    """The next job of these resource classes, now this worker's for `lease_s`, or None.

    The highest priority first; then the owner with the fewest running jobs, then the one who was served longest ago,
    then the oldest job. Owners at their running limit are passed over, so are jobs that must wait. Claims are made one
    at a time: two at once could both see one job less than the limit.
    """
    with database.begin() as connection:
        one_at_a_time(connection, CLAIM_LOCK)
        while (chosen := _choose(connection, classes)) is not None:
            job = _take(connection, chosen, worker_id, lease_s)
            if job is not None:
                _serve(connection, job.owner)
                tell(connection, job, "Started." if job.attempt == 1 else f"Started again, attempt {job.attempt}.")
                return job
    return None


def _choose(connection: Connection, classes: Sequence[str]) -> int | None:
    """Number of the job whose turn it is."""
    running_jobs = select(jobs.c.owner, func.count()).where(jobs.c.status == "running").group_by(jobs.c.owner)
    running = _by_owner(connection, running_jobs)
    served = _by_owner(connection, select(owners.c.owner, owners.c.served))
    # The oldest job of each owner and priority; the others cannot come first.
    group = (jobs.c.owner, jobs.c.priority, jobs.c.max_running)
    oldest = (
        select(*group, func.min(jobs.c.number))
        .where(
            jobs.c.status == "accepted",
            jobs.c.resource_class.in_(classes),
            jobs.c.cancel_requested_at.is_(None),
            or_(jobs.c.not_before.is_(None), jobs.c.not_before <= clock.now()),
        )
        .group_by(*group)
    )
    turns = [
        (-priority, running.get(owner, 0), served[owner], number)
        for owner, priority, max_running, number in connection.execute(oldest)
        if running.get(owner, 0) < max_running
    ]
    return min(turns)[-1] if turns else None


def _by_owner(connection: Connection, query: Executable) -> dict[str, int]:
    """A figure for each owner."""
    return {row[0]: row[1] for row in connection.execute(query)}


def _take(connection: Connection, number: int, worker_id: str, lease_s: float) -> Job | None:
    """None: it was cancelled since it was chosen."""
    now = clock.now()
    taken = (
        update(jobs)
        .where(jobs.c.number == number, jobs.c.status == "accepted")
        .values(
            status="running",
            lease_owner=worker_id,
            lease_until=now + lease_s,
            attempt=jobs.c.attempt + 1,
            started=func.coalesce(jobs.c.started, now),
            updated=now,
            not_before=None,
            phase=None,
            progress=None,
            message=None,
        )
        .returning(*COLUMNS)
    )
    row = connection.execute(taken).one_or_none()
    return None if row is None else to_job(row)


def _serve(connection: Connection, owner: str) -> None:
    """The owner goes to the end of the line."""
    last = select(func.max(owners.c.served) + 1).scalar_subquery()
    connection.execute(update(owners).where(owners.c.owner == owner).values(served=last))


def heartbeat(database: Database, job: Job, *, lease_s: float, progress: dict[str, Any] | None = None) -> Beat:
    """Keep the lease for `lease_s` from now, also when it has run out but nobody took it. Stores `progress` (the fields
    of `Progress`); None leaves what is there."""
    now = clock.now()
    values: dict[str, Any] = {"lease_until": now + lease_s, "updated": now}
    if progress is not None:
        values["progress"] = progress
        values |= {
            name: storable(str(progress[name]), _MAX_MESSAGE) for name in ("phase", "message") if progress.get(name)
        }
    kept = update(jobs).where(fence(job)).values(values).returning(jobs.c.cancel_requested_at)
    with database.begin() as connection:
        row = connection.execute(kept).one_or_none()
    return Beat(kept=row is not None, cancel_requested=row is not None and row.cancel_requested_at is not None)


def record(database: Database, job: Job, kind: str, data: dict[str, Any], level: str = "info") -> bool:
    """Append an event (a log line, a step, metrics). False: the lease is lost and nothing was written."""
    with database.begin() as connection:
        held = lock_held(connection, job)
        if held is not None:
            events.append(connection, job.id, job.attempt, kind, data, level=level)
        return held is not None


def save_checkpoint(database: Database, job: Job, prefix: str) -> bool:
    """Storage holds a checkpoint below `prefix`; it is deleted when the job ends. False: the lease is lost."""
    with database.begin() as connection:
        saved = update(jobs).where(fence(job)).values(checkpoint=prefix, updated=clock.now())
        return connection.execute(saved).rowcount == 1
