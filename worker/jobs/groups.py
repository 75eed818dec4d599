"""Jobs that are submitted together, all or none, and looked at as one."""

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from worker import clock
from worker.access import quotas
from worker.database.connections import Database
from worker.database.sql import lock_owner
from worker.database.tables import job_groups, jobs
from worker.errors import IdempotencyConflict, NotFound, ServiceError
from worker.jobs.rows import COLUMNS, Job, JobStatus, to_job
from worker.jobs.submission import submit
from worker.settings import Settings
from worker.values import is_id


@dataclass(frozen=True)
class Group:
    """Jobs by their order in the submission; those that were removed since are not among them."""

    id: str
    owner: str
    name: str | None
    created: float
    jobs: tuple[Job, ...]

    @property
    def status(self) -> JobStatus:
        """accepted until one begins; running until all have ended; then failed if one has, dismissed if one was, else
        successful."""
        found: set[JobStatus] = {job.status for job in self.jobs}
        if found == {"accepted"}:
            return "accepted"
        if found & {"accepted", "running"}:
            return "running"
        return next((status for status in _WORST_FIRST if status in found), "successful")


_WORST_FIRST: tuple[JobStatus, ...] = ("failed", "dismissed")


def submit_group(
    database: Database,
    asked: Sequence[Mapping[str, Any]],
    *,
    owner: str,
    limits: Settings,
    name: str | None = None,
    idempotency_key: str | None = None,
) -> tuple[Group, bool]:
    """The group of a job for each of `asked`, arguments of `jobs.submit`, and whether it was made now.

    The same key gives the first group again. Either all jobs are accepted or none. Raises as `jobs.submit` does, with
    the number of the first that cannot be one.
    """
    digest = hashlib.sha256(json.dumps([name, *map(dict, asked)], sort_keys=True).encode()).hexdigest()
    row = {"id": str(uuid.uuid4()), "owner": owner, "name": name, "created": clock.now()}
    with database.begin() as connection:
        lock_owner(connection, owner)
        if (first := _first(connection, owner, idempotency_key, digest)) is not None:
            return first, False
        quotas.check_queued(quotas.usage_within(connection, owner), limits, asked=len(asked))
        connection.execute(insert(job_groups).values(**row, idempotency_key=idempotency_key, request_sha256=digest))
        for number, each in enumerate(asked):
            _submit_one(database, connection, number, {**each, "owner": owner, "limits": limits, "group_id": row["id"]})
        return _read(connection, str(row["id"]), owner), True


def get(database: Database, group_id: str, owner: str | None) -> Group:
    """The group. Raises `NotFound`, also for another owner's, and for one without jobs."""
    with database.read() as connection:
        return _read(connection, group_id, owner)


def forget(database: Database, group_id: str) -> None:
    """Drops a group whose jobs have been removed: its key may be used again."""
    with database.begin() as connection:
        left = select(jobs.c.number).where(jobs.c.group_id == group_id)
        connection.execute(delete(job_groups).where(job_groups.c.id == group_id, ~left.exists()))


def _submit_one(database: Database, connection: Connection, number: int, arguments: dict[str, Any]) -> None:
    try:
        submit(database, within=connection, **arguments)
    except ServiceError as error:
        raise type(error)(f"sequences.{number}: {error.detail}", **error.extra) from None


def _first(connection: Connection, owner: str, idempotency_key: str | None, digest: str) -> Group | None:
    """The group that this key made before, if its jobs have not all been removed."""
    if idempotency_key is None:
        return None
    mine = (job_groups.c.owner == owner, job_groups.c.idempotency_key == idempotency_key)
    row = connection.execute(select(job_groups.c.id, job_groups.c.request_sha256).where(*mine)).one_or_none()
    if row is None:
        return None
    if row.request_sha256 != digest:
        raise IdempotencyConflict(
            f"idempotency key {idempotency_key!r} was used for group {row.id} with another request"
        )
    try:
        return _read(connection, row.id, owner)
    except NotFound:
        connection.execute(delete(job_groups).where(*mine))
        return None


def _read(connection: Connection, group_id: str, owner: str | None) -> Group:
    query = select(job_groups.c.owner, job_groups.c.name, job_groups.c.created).where(job_groups.c.id == group_id)
    if owner is not None:
        query = query.where(job_groups.c.owner == owner)
    row = connection.execute(query).one_or_none() if is_id(group_id) else None
    members = select(*COLUMNS).where(jobs.c.group_id == group_id).order_by(jobs.c.number)
    found = () if row is None else tuple(to_job(each) for each in connection.execute(members))
    if row is None or not found:
        raise NotFound("no such group")
    return Group(group_id, row.owner, row.name, row.created, found)
