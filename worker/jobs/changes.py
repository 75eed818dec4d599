"""Versions: small values that differ whenever a job's row or events do, or one of an owner's jobs; and what changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, func, or_, select

from seq2seq.processes import INSPECT
from worker.database.connections import Database
from worker.database.sql import LARGEST_NUMBER
from worker.database.tables import job_events, jobs
from worker.jobs.rows import COLUMNS, Job, to_job
from worker.values import is_id

# Values in one query; SQLite takes 32 766.
_BATCH = 1000
# What one owner is told of at once; more jobs than that hardly anybody has waiting.
MOST_CHANGES = 1000
# PostgreSQL gives ids before commits: an event may appear after one with a larger id.
_OVERLAP = 100
_NEWEST = select(func.max(job_events.c.id)).where(job_events.c.job_id == jobs.c.id).scalar_subquery()


@dataclass(frozen=True)
class JobVersion:
    """Two versions of a job are equal while neither its row nor its events have changed."""

    updated: float
    event: int


def versions(database: Database, job_ids: Sequence[str]) -> dict[str, JobVersion]:
    """The current version of each job, by id. What is no job, or is one no longer, has none."""
    known = [job_id for job_id in job_ids if is_id(job_id)]
    found: dict[str, JobVersion] = {}
    with database.read() as connection:
        for start in range(0, len(known), _BATCH):
            query = select(jobs.c.id, jobs.c.updated, _NEWEST).where(jobs.c.id.in_(known[start : start + _BATCH]))
            found |= {job_id: JobVersion(updated, event or 0) for job_id, updated, event in connection.execute(query)}
    return found


@dataclass(frozen=True)
class OwnerVersion:
    """Two versions of an owner's jobs are equal while none came, changed or ended. Inspections do not count.

    active: when each job that has not ended was updated, by id, `MOST_CHANGES` of them at most:
    those that run, then the newest. newest: number of
    the last one submitted. position: the id of the newest event of all; it makes no difference.
    """

    active: Mapping[str, float]
    newest: int
    position: int = field(compare=False, default=0)

    def ids_changed_since(self, earlier: "OwnerVersion") -> frozenset[str]:
        """Jobs of then that have changed or ended, and those that have come and not ended."""
        now, then = self.active, earlier.active
        return frozenset(job_id for job_id in now.keys() | then.keys() if now.get(job_id) != then.get(job_id))


def owner_versions(database: Database, owners: Sequence[str]) -> dict[str, OwnerVersion]:
    """The current version of each owner's jobs: what it takes depends on how many have not ended."""
    with database.read() as connection:
        position = connection.scalar(select(func.max(job_events.c.id))) or 0
        return {owner: _owner_version(connection, owner, position) for owner in owners}


def _owner_version(connection: Connection, owner: str, position: int) -> OwnerVersion:
    active: dict[str, float] = {}
    # One status after the other, each in the order of an index: with both at once PostgreSQL sorts all that wait.
    for status in ("running", "accepted"):
        newest_first = (
            select(jobs.c.id, jobs.c.updated)
            .where(*_listed(owner), jobs.c.status == status)
            .order_by(jobs.c.number.desc())
            .limit(MOST_CHANGES - len(active))
        )
        active |= {str(job_id): float(updated) for job_id, updated in connection.execute(newest_first)}
    newest = connection.scalar(select(func.max(jobs.c.number)).where(jobs.c.owner == owner)) or 0
    return OwnerVersion(active, newest, position)


def _listed(owner: str) -> tuple[ColumnElement[bool], ...]:
    return jobs.c.owner == owner, jobs.c.process != INSPECT


def changed_jobs(database: Database, owner: str, now: OwnerVersion, earlier: OwnerVersion) -> tuple[Job, ...]:
    """The owner's jobs that are another since then, oldest first; those that were removed meanwhile are not there."""
    ids = now.ids_changed_since(earlier)
    if not ids and now.newest == earlier.newest:
        return ()
    is_new = jobs.c.number > earlier.newest
    return _oldest_of(database, *_listed(owner), or_(jobs.c.id.in_(ids), is_new) if ids else is_new)


def jobs_after(database: Database, owner: str, after: int) -> tuple[Job, ...]:
    """The owner's jobs with events after the one of this id, oldest first. It may be a few too many, never too few."""
    since = max(0, min(after, LARGEST_NUMBER) - _OVERLAP)
    # Of the newest jobs alone, so that it takes as long whatever is asked for.
    newest = select(jobs.c.number).where(*_listed(owner)).order_by(jobs.c.number.desc()).limit(MOST_CHANGES)
    return _oldest_of(database, jobs.c.number.in_(newest.scalar_subquery()), since < _NEWEST)


def _oldest_of(database: Database, *conditions: ColumnElement[bool]) -> tuple[Job, ...]:
    """In order; those that were there are never crowded out by those that came."""
    query = select(*COLUMNS).where(*conditions).order_by(jobs.c.number).limit(2 * MOST_CHANGES)
    with database.read() as connection:
        return tuple(to_job(row) for row in connection.execute(query))
