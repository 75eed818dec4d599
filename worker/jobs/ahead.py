"""What is ahead of a job that would be submitted now: how many jobs, and about how long they take."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from seq2seq.processes import INSPECT
from worker import clock
from worker.database.connections import Database
from worker.database.tables import jobs

# Of the jobs that ended last, which say how long one takes.
_RECENT = 20
# More jobs than these are counted, not reckoned with: nobody waits for them by the minute.
_MOST = 500


@dataclass(frozen=True)
class Ahead:
    """jobs: of a resource class, that wait or run, without inspections: they are before a job of ordinary priority,
    unless it is its owner's turn. wait_s: until a worker is free for it, as far as that can be told: None."""

    jobs: int
    wait_s: float | None


def ahead(database: Database, resource_class: str, *, workers: int) -> Ahead:
    """Looks at the queue as it is now. workers: how many are alive that serve the class."""
    there = (jobs.c.resource_class == resource_class, jobs.c.process != INSPECT)
    active = (*there, jobs.c.status.in_(("accepted", "running")))
    asked = (jobs.c.status, jobs.c.started, jobs.c.updated, jobs.c.params, jobs.c.progress)
    ended = select(jobs.c.finished - jobs.c.started).where(*there, jobs.c.status == "successful")
    with database.read() as connection:
        count = connection.scalar(select(func.count()).where(*active)) or 0
        rows = connection.execute(select(*asked).where(*active).limit(_MOST)).all() if count <= _MOST else None
        recent = list(connection.scalars(ended.order_by(jobs.c.number.desc()).limit(_RECENT)))
    if rows is None or not workers:
        return Ahead(count, None)
    typical_s = sum(recent) / len(recent) if recent else None
    running, waiting = ([row for row in rows if row.status == status] for status in ("running", "accepted"))
    left_s, takes_s = [_left_s(row, typical_s) for row in running], [_takes_s(row, typical_s) for row in waiting]
    return Ahead(count, expected_wait_s(left_s, takes_s, workers))


def expected_wait_s(running: Sequence[float | None], waiting: Sequence[float | None], workers: int) -> float | None:
    """Returns after how long one of `workers` is free for another job, each taking the next one when it is done.

    running, waiting: seconds of each job, None where not known; then the answer is as little, unless a worker is free.
    """
    if len(running) + len(waiting) < workers:
        return 0.0
    if None in running or None in waiting:
        return None
    free = [seconds or 0.0 for seconds in running] + [0.0] * (workers - len(running))
    heapq.heapify(free)
    for seconds in waiting:
        heapq.heapreplace(free, free[0] + (seconds or 0.0))
    return round(free[0], 1)


def _left_s(row: Any, typical_s: float | None) -> float | None:
    """Of a running job: as it has said, else what is left of the usual. row: of `jobs`, as `ahead` reads it."""
    takes_s, since = _takes_s(row, typical_s), row.started
    if (eta_s := (row.progress or {}).get("eta_s")) is not None:
        takes_s, since = float(eta_s), row.updated
    return None if takes_s is None else max(0.0, takes_s - (clock.now() - since))


def _takes_s(row: Any, typical_s: float | None) -> float | None:
    """The time that it was given, else as long as those before it took."""
    minutes = row.params.get("max_minutes")
    return 60.0 * minutes if isinstance(minutes, int | float) else typical_s
