"""Figures of one owner's jobs and uploads, for their owner."""

from dataclasses import dataclass

from sqlalchemy import func, select

from seq2seq.processes import INSPECT
from worker import clock
from worker.database.connections import Database
from worker.database.tables import jobs, uploads


@dataclass(frozen=True)
class OwnersFigures:
    """uploads: that are there, without parts of others. jobs: by status, of those created since, without inspections
    and without those that were removed. run_s: how long they have run, from first start to end or to now."""

    uploads: int
    jobs: dict[str, int]
    run_s: float


def figures_of(database: Database, owner: str, *, since_s: float) -> OwnersFigures:
    """The figures of the last `since_s` seconds."""
    now = clock.now()
    run_s = func.coalesce(func.sum(func.coalesce(jobs.c.finished, now) - jobs.c.started), 0.0)
    recent = (jobs.c.owner == owner, jobs.c.process != INSPECT, jobs.c.created >= now - since_s)
    by_status = select(jobs.c.status, func.count(), run_s).where(*recent).group_by(jobs.c.status)
    there = select(func.count()).select_from(uploads).where(uploads.c.owner == owner, uploads.c.part_of.is_(None))
    with database.read() as connection:
        rows = connection.execute(by_status).all()
        count = connection.scalar(there) or 0
    return OwnersFigures(count, {row[0]: row[1] for row in rows}, float(sum(row[2] for row in rows)))
