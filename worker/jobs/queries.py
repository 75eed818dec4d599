"""Looking at jobs: one, a page, the queue."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, func, or_, select

from worker import clock
from worker.database.connections import Database
from worker.database.sql import LARGEST_NUMBER
from worker.database.tables import jobs
from worker.errors import NotFound
from worker.jobs.rows import COLUMNS, ONE, ONE_OWNED, Job, JobStatus, to_job
from worker.jobs.tagging import has_tag
from worker.values import is_id


@dataclass(frozen=True)
class Filters:
    """Chooses jobs to list; None and () mean any. created_*: seconds since 1970, inclusive. *_duration_s: from the
    start of the first attempt to the end, or to now; jobs that wait have none, unless their status is asked for. tags:
    all of them."""

    statuses: tuple[JobStatus, ...] = ()
    created_from: float | None = None
    created_to: float | None = None
    min_duration_s: float | None = None
    max_duration_s: float | None = None
    processes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    group_id: str | None = None


@dataclass(frozen=True)
class Page:
    """jobs: newest first. after: give it back to get the next page; None on the last."""

    jobs: tuple[Job, ...]
    after: int | None


def get(database: Database, job_id: str, owner: str | None) -> Job:
    """The job. Raises `NotFound`, also for another owner's; owner None is the operator."""
    row = None
    if is_id(job_id):
        with database.read() as connection:
            query = ONE if owner is None else ONE_OWNED
            row = connection.execute(query, {"job_id": job_id, "owner": owner}).one_or_none()
    if row is None:
        raise NotFound("no such job")
    return to_job(row)


def listing(
    database: Database, owner: str | None, filters: Filters | None = None, *, limit: int = 20, after: int | None = None
) -> Page:
    """One page of the owner's jobs, by position (`after`), so that jobs submitted meanwhile shift nothing."""
    query = select(*COLUMNS).where(*_conditions(filters or Filters()))
    if owner is not None:
        query = query.where(jobs.c.owner == owner)
    if after is not None:
        query = query.where(jobs.c.number < min(after, LARGEST_NUMBER))
    with database.read() as connection:
        rows = connection.execute(query.order_by(jobs.c.number.desc()).limit(limit + 1)).all()
    found = tuple(to_job(row) for row in rows[:limit])
    return Page(found, found[-1].number if len(rows) > limit else None)


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    duration = func.coalesce(jobs.c.finished, clock.now()) - jobs.c.started
    timed = (filters.min_duration_s, filters.max_duration_s) != (None, None)
    conditions: list[ColumnElement[bool] | None] = [
        jobs.c.status.in_(filters.statuses) if filters.statuses else None,
        jobs.c.process.in_(filters.processes) if filters.processes else None,
        None if filters.group_id is None else jobs.c.group_id == filters.group_id,
        *(has_tag(tag) for tag in filters.tags),
        jobs.c.status != "accepted" if timed and not filters.statuses else None,
        None if filters.created_from is None else jobs.c.created >= filters.created_from,
        None if filters.created_to is None else jobs.c.created <= filters.created_to,
        None if filters.min_duration_s is None else duration >= filters.min_duration_s,
        None if filters.max_duration_s is None else duration <= filters.max_duration_s,
    ]
    return [condition for condition in conditions if condition is not None]


def waits_before(table: FromClause, resource_class: Any, priority: Any, number: Any) -> tuple[ColumnElement[bool], ...]:
    """The condition for rows of `table`, the jobs or an alias of them, that are claimed before such a job."""
    column = table.c
    sooner = or_(column.priority > priority, and_(column.priority == priority, column.number < number))
    return column.status == "accepted", column.resource_class == resource_class, sooner


def queue_position(database: Database, job: Job) -> int | None:
    """The job's place: 1 for the next of its resource class; None when it does not wait. Owners' turns may move it."""
    if job.status != "accepted":
        return None
    query = select(func.count()).where(*waits_before(jobs, job.resource_class, job.priority, job.number))
    with database.read() as connection:
        return 1 + (connection.scalar(query) or 0)
