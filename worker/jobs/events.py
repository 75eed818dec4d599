"""The events of a job, in order: the user's log, the training curve, and the replay of Server-Sent Events."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, insert, select

from worker import clock
from worker.database.connections import Database
from worker.database.sql import LARGEST_NUMBER
from worker.database.tables import job_events
from worker.values import storable

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True)
class Event:
    """id counts up, over all jobs. kind: `status` for every transition, else the worker's (log, step, metrics, ...)."""

    id: int
    job_id: str
    ts: float
    attempt: int
    kind: str
    level: str
    data: dict[str, Any]


_COLUMNS = (
    job_events.c.id,
    job_events.c.job_id,
    job_events.c.ts,
    job_events.c.attempt,
    job_events.c.kind,
    job_events.c.level,
    job_events.c.data,
)


def append(
    connection: Connection, job_id: str, attempt: int, kind: str, data: dict[str, Any], *, level: str = "info"
) -> None:
    """Adds an event, within a transaction that has locked the job's row: ids then appear in order, and who asks
    for what came after the last id it saw misses none."""
    connection.execute(
        insert(job_events).values(
            job_id=job_id,
            ts=clock.now(),
            attempt=attempt,
            kind=storable(kind, 40),
            level=storable(level, 10),
            data=data,
        )
    )


def latest(database: Database, job_id: str, kind: str, *, limit: int = 12) -> tuple[Event, ...]:
    """The last events of a job of one kind, newest first."""
    query = select(*_COLUMNS).where(job_events.c.job_id == job_id, job_events.c.kind == kind)
    with database.read() as connection:
        return tuple(
            Event(*tuple(row)) for row in connection.execute(query.order_by(job_events.c.id.desc()).limit(limit))
        )


def read(
    database: Database, job_id: str, *, after: int = 0, limit: int = 500, kinds: Sequence[str] = ()
) -> tuple[Event, ...]:
    """Events of a job with an id above `after`, oldest first, of all kinds unless `kinds` says which."""
    query = select(*_COLUMNS).where(job_events.c.job_id == job_id, job_events.c.id > min(after, LARGEST_NUMBER))
    if kinds:
        query = query.where(job_events.c.kind.in_(kinds))
    with database.read() as connection:
        return tuple(Event(*tuple(row)) for row in connection.execute(query.order_by(job_events.c.id).limit(limit)))
