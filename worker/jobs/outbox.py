"""Notices to be sent, written in the transaction of what they report, deleted when delivered or given up.

A notice that is taken to be sent comes again when its time is over, unless the outcome was written: delivered at least
once, always with the same id.
"""

import re
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from worker import clock
from worker.database.connections import Database
from worker.database.tables import jobs, webhook_outbox
from worker.jobs import due, events
from worker.jobs.rows import Job
from worker.values import storable, timestamp

# OGC API's own link relations.
OGC_REL = "http://www.opengis.net/def/rel/ogc/1.0/"
_LONGEST_ERROR = 300
_LONGEST_URL = 2000
_LONGEST_HOST = 260


@dataclass(frozen=True)
class Notice:
    """attempts: with the one that it was taken for. host: the receiver's, with the port."""

    id: str
    job_id: str
    owner: str
    host: str
    url: str
    body: dict[str, Any]
    attempts: int


_COLUMNS = tuple(webhook_outbox.c[name] for name in Notice.__dataclass_fields__)


def announce(connection: Connection, job: Job, message: str) -> None:
    """Adds one notice when the subscriber gave an address for the status that the job has just reached.

    `running` is reported once, not for every attempt. Who asked for failures is notified of a cancellation too:
    somebody waits for an end.
    """
    subscriber = job.subscriber or {}
    url = subscriber.get("failed" if job.status == "dismissed" else job.status)
    again = job.status == "running" and (job.attempt > 1 or job.cancel_requested_at is not None)
    if not url or again:
        return
    now = clock.now()
    notice = {
        "id": f"msg_{uuid.uuid4().hex}",
        "job_id": job.id,
        "owner": job.owner,
        "host": _host(url),
        "url": storable(url, _LONGEST_URL),
        "body": {
            "type": f"job.{job.status}",
            "timestamp": timestamp(now),
            "data": _described(job, message, subscriber),
        },
        "next_try": now,
    }
    connection.execute(insert(webhook_outbox).values(notice))


def _host(url: str) -> str:
    """Never fails: no notice may hinder a job."""
    return storable(re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0], _LONGEST_HOST)


def _described(job: Job, message: str, subscriber: dict[str, Any]) -> dict[str, Any]:
    """OGC's statusInfo, as far as a receiver needs it. `base`: our address as the subscriber knows it."""
    about = {
        "jobID": job.id,
        "id": job.id,
        "processID": job.process,
        "type": "process",
        "status": job.status,
        "message": message,
        "created": _time(job.created),
        "updated": _time(job.updated),
        "started": _time(job.started),
        "finished": _time(job.finished),
        "name": job.name,
        "attempt": job.attempt,
        "exception": job.error,
        "links": _links(job, f"{subscriber['base']}/jobs/{job.id}") if "base" in subscriber else None,
    }
    return {name: value for name, value in about.items() if value is not None}


def _links(job: Job, address: str) -> list[dict[str, str]]:
    links = [{"href": address, "rel": "self", "type": "application/json", "title": "This job"}]
    rel = {"successful": "results", "failed": "exceptions"}.get(job.status)
    if rel is not None:
        links.append({"href": f"{address}/results", "rel": OGC_REL + rel, "type": "application/json"})
    return links


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(seconds)


def waiting(database: Database, passed_over: Collection[str] = ()) -> tuple[tuple[str, str], ...]:
    """Owners and hosts of what is due, see `due.waiting`."""
    return due.waiting(database, webhook_outbox, passed_over=passed_over)


def take(database: Database, owner: str, host: str, *, lease_s: float) -> Notice | None:
    """The oldest notice that is due, for `lease_s` nobody else's. Who crashes with it has used up a try."""
    column = webhook_outbox.c
    oldest = (
        select(column.id, column.attempts)
        .where(due.is_due(webhook_outbox), column.owner == owner, column.host == host)
        .order_by(column.next_try, column.id)
        .limit(1)
    )
    with database.begin() as connection:
        chosen = connection.execute(oldest).one_or_none()
        if chosen is None:
            return None
        taken = (
            update(webhook_outbox)
            .where(column.id == chosen.id, column.attempts == chosen.attempts)  # two may have chosen the same
            .values(attempts=chosen.attempts + 1, next_try=clock.now() + lease_s)
            .returning(*_COLUMNS)
        )
        row = connection.execute(taken).one_or_none()
        return None if row is None else Notice(*tuple(row))


def delivered(database: Database, notice: Notice) -> None:
    """Deletes the notice: the receiver has it."""
    _done(database, notice, f"Notified {notice.host}: {notice.body['type']}.", "info")


def give_up(database: Database, notice: Notice, error: str) -> None:
    """Deletes the notice, and writes so into the job's log: it will not be tried again."""
    tries = f"{notice.attempts} {'try' if notice.attempts == 1 else 'tries'}"
    message = f"{notice.host} could not be notified of {notice.body['type']}: {error}. Given up after {tries}."
    _done(database, notice, message, "warning")


def put_off(database: Database, notice: Notice, error: str, *, delay_s: float) -> None:
    """Leaves it to be tried again; nothing happens where somebody else has taken it meanwhile."""
    mine = (webhook_outbox.c.id == notice.id) & (webhook_outbox.c.attempts == notice.attempts)
    later = {"next_try": clock.now() + delay_s, "last_error": storable(error, _LONGEST_ERROR)}
    with database.begin() as connection:
        connection.execute(update(webhook_outbox).where(mine).values(later))


def _done(database: Database, notice: Notice, message: str, level: events.Level) -> None:
    # Locked first: see `events.append`. The job may have been removed by its owner.
    its_job = select(jobs.c.attempt).where(jobs.c.id == notice.job_id).with_for_update(key_share=True)
    with database.begin() as connection:
        attempt = connection.scalar(its_job)
        gone = connection.execute(delete(webhook_outbox).where(webhook_outbox.c.id == notice.id)).rowcount
        if gone and attempt is not None:
            data = {"message": storable(message, 2 * _LONGEST_ERROR), "notice": notice.id, "tries": notice.attempts}
            events.append(connection, notice.job_id, attempt, "notice", data, level=level)
