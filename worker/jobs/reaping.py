"""Repairs that nobody else makes: dead workers' jobs go back, unheard doorbells ring again, old files go."""

from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, and_, or_, select, update

from worker import clock
from worker.database.connections import Database
from worker.database.tables import jobs
from worker.jobs import artifacts, garbage, tiles, uploads
from worker.jobs.rows import COLUMNS, Job, to_job
from worker.jobs.transitions import LONGEST_DELAY_S, change, end_dismissed, end_failed, requeue
from worker.settings import Settings

_BATCH = 100
# Doorbells for each resource class and round: enough to wake every idle worker, few enough not to pile up.
_RINGS = 16
# A lease that ends later than this many lease times from now was written before the clock was set back.
_FAR_LEASES = 5


@dataclass(frozen=True)
class Reaped:
    """requeued, failed, dismissed: jobs whose lease had run out. ring: a resource class for each doorbell to ring.

    garbage: storage prefixes to delete; call `garbage.forget(database, prefix)` after each, they come again otherwise.
    """

    requeued: tuple[Job, ...]
    failed: tuple[Job, ...]
    dismissed: tuple[Job, ...]
    ring: tuple[str, ...]
    garbage: tuple[str, ...]


@dataclass(frozen=True)
class _Taken:
    """Jobs by what became of them."""

    requeued: list[Job] = field(default_factory=list)
    failed: list[Job] = field(default_factory=list)
    dismissed: list[Job] = field(default_factory=list)


def reap(database: Database, settings: Settings, *, take_leases: bool = True) -> Reaped:
    """Does one round. It is safe in several processes at once: a row is taken by one of them.

    take_leases=False leaves expired leases for the next round: right after the clock was set forward or the machine
    slept (`clock.StepWatch`), when every lease looks expired and the workers' next heartbeat will show who is alive.
    """
    taken = _take_leases(database, settings) if take_leases else _Taken()
    with database.begin() as connection:
        _undo_clock_steps(connection, settings)
        _expire_uploads(connection)
        _expire_results(connection)
        ring = _ring(connection, settings)
    return Reaped(
        requeued=tuple(taken.requeued),
        failed=tuple(taken.failed),
        dismissed=tuple(taken.dismissed),
        ring=ring,
        garbage=garbage.due(database),
    )


def take_back_all(database: Database, settings: Settings) -> Reaped:
    """Takes back every running job now, not when its lease ends: for a caller who knows that no worker is alive."""
    with database.begin() as connection:
        connection.execute(update(jobs).where(jobs.c.status == "running").values(lease_until=0.0))
        tiles.open_all(connection)
    return reap(database, settings)


def _locked(connection: Connection, *conditions: ColumnElement[bool]) -> list[Job]:
    """Matching jobs that nobody else is changing at this moment, locked."""
    query = select(*COLUMNS).where(*conditions).order_by(jobs.c.number).limit(_BATCH)
    return [to_job(row) for row in connection.execute(query.with_for_update(skip_locked=True))]


def _take_leases(database: Database, settings: Settings) -> _Taken:
    taken = _Taken()
    with database.begin() as connection:
        for job in _locked(connection, jobs.c.status == "running", jobs.c.lease_until < clock.now()):
            # Its worker may be frozen, not dead: what it writes until its next heartbeat goes as well.
            garbage.add(connection, job.attempt_prefix, delay_s=2 * settings.lease_s)
            if job.cancel_requested_at is not None:
                taken.dismissed.append(end_dismissed(connection, job))
            elif job.attempts_left:
                taken.requeued.append(requeue(connection, job, "The worker was lost. It will be tried again."))
            else:
                taken.failed.append(end_failed(connection, job, _worker_lost(job)))
    return taken


def _worker_lost(job: Job) -> dict[str, object]:
    attempts = job.attempt - job.refunds
    return {
        "code": "worker-lost",
        "detail": f"The worker was lost in each of {attempts} attempts, none of which stored a newer checkpoint.",
        "attempts": attempts,
    }


def _undo_clock_steps(connection: Connection, settings: Settings) -> None:
    """After the clock was set back, leases and delays would last as much longer."""
    now = clock.now()
    far = now + _FAR_LEASES * settings.lease_s
    for job in _locked(connection, jobs.c.status == "running", jobs.c.lease_until > far):
        change(connection, job, lease_until=now + settings.lease_s)
    for job in _locked(connection, jobs.c.status == "accepted", jobs.c.not_before > now + LONGEST_DELAY_S):
        change(connection, job, not_before=now)


def _expire_uploads(connection: Connection) -> None:
    for upload in uploads.expired(connection, limit=_BATCH):
        uploads.delete_row(connection, upload)


def _expire_results(connection: Connection) -> None:
    """The job stays to be looked at; its files go."""
    for job in _locked(connection, jobs.c.expires <= clock.now(), jobs.c.result_prefix.is_not(None)):
        assert job.result_prefix is not None
        garbage.add(connection, job.result_prefix)
        artifacts.delete_all(connection, job.id)
        change(connection, job, result_prefix=None, result_bytes=None)


def _ring(connection: Connection, settings: Settings) -> tuple[str, ...]:
    """Marks the jobs that have waited for `ring_again_s` since they were last rung for; their classes."""
    now = clock.now()
    long_ago = now - settings.ring_again_s
    never_rung = and_(
        jobs.c.last_ring_at.is_(None),
        # A job that came back has had no doorbell yet. What lies in the future was written before a clock step.
        or_(jobs.c.attempt > 0, jobs.c.updated <= long_ago, jobs.c.updated > now),
    )
    waiting = _locked(
        connection,
        jobs.c.status == "accepted",
        or_(jobs.c.not_before.is_(None), jobs.c.not_before <= now),
        or_(never_rung, jobs.c.last_ring_at <= long_ago, jobs.c.last_ring_at > now),
    )
    numbers = [job.number for job in waiting]
    connection.execute(update(jobs).where(jobs.c.number.in_(numbers)).values(last_ring_at=now))
    classes = [job.resource_class for job in waiting]
    return tuple(name for name in sorted(set(classes)) for _ in range(min(classes.count(name), _RINGS)))
