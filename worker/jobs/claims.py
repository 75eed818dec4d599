"""A worker and its job: claim, keep the lease, report. Everything after the claim is fenced by `transitions.fence`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, or_, select, update

from worker import clock
from worker.database.connections import Database
from worker.database.sql import CLAIM_LOCK, one_at_a_time
from worker.database.tables import jobs, owners
from worker.jobs import events
from worker.jobs.rows import COLUMNS, Job, to_job
from worker.jobs.transitions import fence, lock_held, report
from worker.values import storable

_MAX_MESSAGE = 1000


@dataclass(frozen=True)
class Beat:
    """kept: False means the lease is lost: stop, write nothing. cancel_requested: stop and call `dismissed`."""

    kept: bool
    cancel_requested: bool


@dataclass(frozen=True)
class _Turn:
    """number: of the job. served: its owner's new place in the line, the last."""

    number: int
    served: int


# How many jobs of each owner run, and when the owner was served last.
_OWNERS = (
    select(owners.c.owner, func.count(jobs.c.number), owners.c.served)
    .select_from(owners)
    .outerjoin(jobs, and_(jobs.c.owner == owners.c.owner, jobs.c.status == "running"))
    .group_by(owners.c.owner)
)
# The oldest waiting job of each owner and priority; the others cannot come first.
_GROUP = (jobs.c.owner, jobs.c.priority, jobs.c.max_running)
_OLDEST = (
    select(*_GROUP, func.min(jobs.c.number))
    .where(
        jobs.c.status == "accepted",
        jobs.c.resource_class.in_(bindparam("classes", expanding=True)),
        jobs.c.cancel_requested_at.is_(None),
        or_(jobs.c.not_before.is_(None), jobs.c.not_before <= bindparam("now")),
    )
    .group_by(*_GROUP)
)
_TAKE = (
    update(jobs)
    .where(jobs.c.number == bindparam("chosen"), jobs.c.status == "accepted")
    .values(
        status="running",
        lease_owner=bindparam("worker_id"),
        lease_until=bindparam("until"),
        attempt=jobs.c.attempt + 1,
        started=func.coalesce(jobs.c.started, bindparam("now")),
        updated=bindparam("now"),
        not_before=None,
        phase=None,
        progress=None,
        message=None,
    )
    .returning(*COLUMNS)
)


def _next_turn(connection: Connection, classes: Sequence[str]) -> _Turn | None:
    """Whose turn it is, and with which job."""
    waiting = connection.execute(_OLDEST, {"classes": list(classes), "now": clock.now()}).all()
    if not waiting:
        return None
    line = {owner: (running, served) for owner, running, served in connection.execute(_OWNERS)}
    turns = [
        (-priority, *line[owner], number)
        for owner, priority, max_running, number in waiting
        if line[owner][0] < max_running
    ]
    return _Turn(min(turns)[-1], 1 + max(served for _, served in line.values())) if turns else None


def claim(database: Database, *, worker_id: str, classes: Sequence[str], lease_s: float) -> Job | None:
    """The next job of these resource classes, now this worker's for `lease_s`, or None.

    The highest priority first; then the owner with the fewest running jobs, then the one who was served longest ago,
    then the oldest job. Owners at their running limit are passed over, so are jobs that must wait. Claims are made one
    at a time: two at once could both see one job less than the limit.
    """
    with database.begin() as connection:
        one_at_a_time(connection, CLAIM_LOCK)
        while (turn := _next_turn(connection, classes)) is not None:
            now = clock.now()
            taking = {"chosen": turn.number, "worker_id": worker_id, "now": now, "until": now + lease_s}
            row = connection.execute(_TAKE, taking).one_or_none()
            if row is None:  # cancelled since it was chosen
                continue
            job = to_job(row)
            connection.execute(update(owners).where(owners.c.owner == job.owner).values(served=turn.served))
            report(connection, job, "Started." if job.attempt == 1 else f"Started again, attempt {job.attempt}.")
            return job
    return None


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


def advanced(database: Database, job: Job, *, retry: dict[str, Any] | None) -> bool:
    """The attempt has stored a newer checkpoint than it began with: neither it nor those before it count any more.

    retry: in place of what earlier attempts asked for. False: the lease is lost.
    """
    values = {"refunds": jobs.c.attempt, "retry": retry or None, "updated": clock.now()}
    with database.begin() as connection:
        return connection.execute(update(jobs).where(fence(job)).values(values)).rowcount == 1


def save_checkpoint(database: Database, job: Job, prefix: str) -> bool:
    """Storage holds a checkpoint below `prefix`; it is deleted when the job has ended. False: the lease is lost."""
    with database.begin() as connection:
        saved = update(jobs).where(fence(job)).values(checkpoint=prefix, updated=clock.now())
        return connection.execute(saved).rowcount == 1
