"""Versions of jobs: a small value that differs whenever its row or its events do."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from worker.database.connections import Database
from worker.database.tables import job_events, jobs
from worker.values import is_id

# Values in one query; SQLite takes 32 766.
_BATCH = 1000
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
