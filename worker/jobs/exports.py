"""Results that are to go where their owners want them: written with the job, due when there is a result, deleted when
it is there or given up.

What the owner may see of it is in the job itself (`Job.destination`); what nobody is shown, such as presigned
addresses, is here alone, and no longer than it is needed. One that was taken comes again when its time is over, unless
`advance` or `renew` was called meanwhile. `attempt` is the fence: who holds an older one writes nothing.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, delete, select, update
from sqlalchemy import insert as insert_into

from worker import clock
from worker.database.connections import Database
from worker.database.tables import exports, jobs
from worker.jobs import due, events
from worker.jobs.rows import Job
from worker.values import storable, timestamp

KIND = "delivery"
_LONGEST_ERROR = 300


@dataclass(frozen=True)
class Destination:
    """Where a result is to go. host: who receives it. shown: as its owner may see it. target: with its secrets."""

    host: str
    shown: dict[str, Any]
    target: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Export:
    """attempt: with the one that it was taken for. tries: of these, those in a row that got no further. files, bytes:
    that are there already."""

    job_id: str
    owner: str
    host: str
    target: dict[str, Any] = field(repr=False)
    attempt: int
    tries: int
    files: int
    bytes: int

    @property
    def id(self) -> str:
        """The job's."""
        return self.job_id


_COLUMNS = tuple(exports.c[name] for name in Export.__dataclass_fields__)


def as_it_begins(destination: Destination | None) -> dict[str, Any] | None:
    """The job's column of that name."""
    return None if destination is None else {**destination.shown, "state": "waiting", "tries": 0}


def insert(connection: Connection, job: Job, destination: Destination | None) -> None:
    """Adds what the job is to do with its result, within the transaction that begins it."""
    if destination is not None:
        row = {"job_id": job.id, "owner": job.owner, "host": destination.host, "target": destination.target}
        connection.execute(insert_into(exports).values(row))


def job_ended(connection: Connection, job: Job, status: str) -> dict[str, Any]:
    """Columns of the job that change with its end; its result is due from now on, or there will never be one."""
    if job.destination is None:
        return {}
    mine = exports.c.job_id == job.id
    if status == "successful":
        connection.execute(update(exports).where(mine).values(next_try=clock.now()))
        return {}
    connection.execute(delete(exports).where(mine))
    return {"destination": {**job.destination, "state": "failed", "detail": "the job has no result"}}


def waiting(database: Database, passed_over: Collection[str] = ()) -> tuple[tuple[str, str], ...]:
    """Owners and hosts of what is due, see `due.waiting`."""
    return due.waiting(database, exports, passed_over=passed_over)


def take(database: Database, owner: str, host: str, *, lease_s: float) -> Export | None:
    """The oldest export that is due, for `lease_s` nobody else's. Who crashes with it has used up a try."""
    column = exports.c
    oldest = (
        select(column.job_id, column.attempt)
        .where(due.is_due(exports), column.owner == owner, column.host == host)
        .order_by(column.next_try, column.job_id)
        .limit(1)
    )
    with database.begin() as connection:
        chosen = connection.execute(oldest).one_or_none()
        if chosen is None:
            return None
        taken = (
            update(exports)
            .where(column.job_id == chosen.job_id, column.attempt == chosen.attempt)  # two may have chosen the same
            .values(attempt=column.attempt + 1, tries=column.tries + 1, next_try=clock.now() + lease_s)
            .returning(*_COLUMNS)
        )
        row = connection.execute(taken).one_or_none()
        return None if row is None else Export(*tuple(row))


def renew(database: Database, export: Export, *, lease_s: float) -> bool:
    """Keeps it for `lease_s` from now. False: its job was removed, or somebody else has taken it."""
    with database.begin() as connection:
        renewed = update(exports).where(_mine(export)).values(next_try=clock.now() + lease_s)
        return connection.execute(renewed).rowcount == 1


def advance(database: Database, export: Export, *, files: int, sent: int, lease_s: float) -> bool:
    """So many files, with so many bytes, are there; tries before do not count any more. False: as for `renew`."""
    kept = {"files": files, "bytes": sent, "tries": 0, "next_try": clock.now() + lease_s}
    return _change(database, export, kept, {"files": files, "bytes": sent})


def put_off(database: Database, export: Export, error: str, *, delay_s: float) -> bool:
    """Leaves it to be tried again."""
    until = clock.now() + delay_s
    shown = {"detail": storable(error, _LONGEST_ERROR), "next_try": timestamp(until)}
    said = f"The result is not at {export.host} yet: {error}. It will be tried again in {delay_s:,.0f} s."
    return _change(database, export, {"next_try": until}, shown, said, "warning")


def give_back(database: Database, export: Export) -> bool:
    """Leaves it to be taken at once, by somebody who is not about to stop: the try does not count."""
    with database.begin() as connection:
        one_less = case((exports.c.tries > 0, exports.c.tries - 1), else_=0)
        back = update(exports).where(_mine(export)).values(next_try=clock.now(), tries=one_less)
        return connection.execute(back).rowcount == 1


def delivered(database: Database, export: Export, *, files: int, sent: int) -> bool:
    """Deletes it: the result is there."""
    shown = {"state": "delivered", "files": files, "bytes": sent, "delivered": timestamp(clock.now())}
    said = f"Delivered to {export.host}: {files} {'file' if files == 1 else 'files'}, {sent:,} bytes."
    return _change(database, export, None, shown, said)


def give_up(database: Database, export: Export, error: str) -> bool:
    """Deletes it: it will not be tried again."""
    shown = {"state": "failed", "detail": storable(error, _LONGEST_ERROR)}
    tries = f"{export.attempt} {'try' if export.attempt == 1 else 'tries'}"
    said = f"The result could not be delivered to {export.host}: {error}. Given up after {tries}."
    return _change(database, export, None, shown, said, "warning")


def _mine(export: Export) -> ColumnElement[bool]:
    return and_(exports.c.job_id == export.job_id, exports.c.attempt == export.attempt)


def _change(
    database: Database,
    export: Export,
    kept: dict[str, Any] | None,
    shown: dict[str, Any],
    said: str | None = None,
    level: events.Level = "info",
) -> bool:
    """Row, job and log together. kept: columns of the row, None to delete it. False: it is no longer ours."""
    # Locked first: see `events.append`.
    its_job = select(jobs.c.attempt, jobs.c.destination).where(jobs.c.id == export.job_id)
    with database.begin() as connection:
        job = connection.execute(its_job.with_for_update(key_share=True)).one_or_none()
        done = delete(exports) if kept is None else update(exports).values(kept)
        if job is None or connection.execute(done.where(_mine(export))).rowcount != 1:
            return False
        known = {name: value for name, value in job.destination.items() if name not in ("detail", "next_try")}
        now = {**known, "tries": export.attempt, **shown}
        mine = jobs.c.id == export.job_id
        connection.execute(update(jobs).where(mine).values(destination=now, updated=clock.now()))
        if said is not None:
            data = {"message": storable(said, 2 * _LONGEST_ERROR), "state": now["state"], "tries": export.attempt}
            events.append(connection, export.job_id, job.attempt, KIND, data, level=level)
        return True
