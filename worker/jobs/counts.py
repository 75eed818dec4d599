"""Figures of all jobs together, for operators: how many wait, run, have ended, and what has been left behind."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, func, select

from worker import clock
from worker.database.connections import Database
from worker.database.tables import exports, garbage, jobs, webhook_outbox


@dataclass(frozen=True)
class JobCounts:
    """statuses: jobs by status. waiting: accepted jobs by resource class. oldest_waiting_s: age of the oldest of them.

    unheard: running jobs whose lease has run out. garbage: prefixes of stored files that wait for deletion. notices:
    those of webhooks that are not delivered yet. exports: results that are not where their owners want them yet.
    """

    statuses: dict[str, int]
    waiting: dict[str, int]
    oldest_waiting_s: float
    unheard: int
    garbage: int
    notices: int
    exports: int


def count_jobs(database: Database) -> JobCounts:
    """The figures of this moment; on SQLite all of one state of the database."""
    now = clock.now()
    accepted, running = jobs.c.status == "accepted", jobs.c.status == "running"
    with database.read() as connection:
        statuses = {row[0]: row[1] for row in connection.execute(_counted(jobs.c.status))}
        waiting = {row[0]: row[1] for row in connection.execute(_counted(jobs.c.resource_class).where(accepted))}
        oldest = connection.scalar(select(func.min(jobs.c.created)).where(accepted))
        unheard = connection.scalar(_count(jobs).where(running, jobs.c.lease_until < now))
        rubbish = connection.scalar(_count(garbage))
        notices = connection.scalar(_count(webhook_outbox)) or 0
        undelivered = connection.scalar(_count(exports).where(exports.c.next_try.is_not(None))) or 0
    age_s = max(0.0, now - (now if oldest is None else oldest))
    return JobCounts(statuses, waiting, age_s, unheard or 0, rubbish or 0, notices, undelivered)


def _count(table: Table) -> Any:
    return select(func.count()).select_from(table)


def _counted(column: Any) -> Any:
    return select(column, func.count()).group_by(column)
