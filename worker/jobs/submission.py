"""A job begins: checked, counted, written, in one transaction."""

import hashlib
import json
import uuid
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from sqlalchemy import Connection, insert, select

from seq2seq.processes import DECLOUD, INSPECT
from worker import clock
from worker.access import quotas
from worker.database.connections import Database
from worker.database.sql import lock_owner
from worker.database.tables import jobs
from worker.errors import IdempotencyConflict, InvalidRequest
from worker.jobs import exports, tagging, uploads
from worker.jobs.exports import Destination
from worker.jobs.rows import COLUMNS, Job, to_job
from worker.jobs.transitions import report
from worker.settings import Settings
from worker.values import storable

PRIORITIES = range(-100, 101)
# Of inspections: somebody looks at the screen, and they take seconds.
_FIRST = PRIORITIES[-1] + 1
_MAX_NAME = 200
_MAX_KEY = 255


# long: it has a parameter for each thing that can be asked for, and explains each.
def submit(
    database: Database,
    *,
    owner: str,
    input_id: str | None,
    params: dict[str, Any],
    limits: Settings,
    name: str | None = None,
    priority: int = 0,
    resource_class: str = "cpu",
    idempotency_key: str | None = None,
    subscriber: dict[str, str] | None = None,
    delivery: dict[str, Any] | None = None,
    destination: Destination | None = None,
    process: str = DECLOUD,
    source: dict[str, Any] | None = None,
    tags: Sequence[str] = (),
    group_id: str | None = None,
    within: Connection | None = None,
) -> tuple[Job, bool]:
    """The job and whether it was made now: the same idempotency key gives the first job again, whatever became of it.

    input_id: a complete upload of the same owner; None for methods that need no input, and where the worker fetches
    `source`: {"href": ...}, {"area": [W, S, E, N], "dates": ..., "catalog": ...} or {"sample": ...}, which was checked.
    subscriber: an address to notify for each status, such as {"successful": URL, "failed": URL}. delivery: which
    outputs its results show, and how; the job itself always makes all. destination: where its result is to go as well.
    process: by the names of `seq2seq.processes`. tags: its owner's words for it. group_id: of those it is submitted
    with. within: the transaction that it is a part of, by default its own. limits: the settings, with the key's quota
    (`quotas.limits_for`). Raises `NotFound`, `UploadNotReady`, `QuotaExceeded`, `IdempotencyConflict`,
    `InvalidRequest`.
    """
    _check(priority, name, idempotency_key)
    request = {
        "input_id": input_id,
        "params": params,
        "name": name,
        "priority": priority,
        "resource_class": resource_class,
        "subscriber": subscriber,
        # Only where it is given: keys of requests from before know none.
        **({} if delivery is None else {"delivery": delivery}),
        **({} if process == DECLOUD else {"process": process}),
        **({} if source is None else {"source": source}),
        **({"tags": tagging.checked(tags)} if tags else {}),
    }
    request_sha256 = _digest(request, destination)
    with database.begin() if within is None else nullcontext(within) as connection:
        lock_owner(connection, owner)
        first = _first(connection, owner, idempotency_key, request_sha256)
        if first is not None:
            return first, False
        if input_id is not None:
            uploads.keep_for_job(connection, input_id, owner, limits)
        used = quotas.usage_within(connection, owner)
        quotas.check_queued(used, limits, process=process)
        quotas.check_stored(used, limits, 0)
        row = {**request, "owner": owner, "idempotency_key": idempotency_key, "request_sha256": request_sha256}
        row |= {**_as_it_begins(limits, process), "destination": exports.as_it_begins(destination)}
        row |= {"group_id": group_id}
        if source is not None:
            row["source"] = {**source, "max_bytes": limits.max_upload_bytes}
        job = to_job(connection.execute(insert(jobs).values(row).returning(*COLUMNS)).one())
        exports.insert(connection, job, destination)
        tagging.insert_tags(connection, job.id, job.tags or ())
        report(connection, job, "Accepted.")
        return job, True


def _digest(request: dict[str, Any], destination: Destination | None) -> str:
    """Of all that was asked for: one key is for one request."""
    asked = request if destination is None else {**request, "destination": destination.target}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _as_it_begins(limits: Settings, process: str) -> dict[str, Any]:
    """The columns that follow from the moment and from the limits as they are now."""
    now = clock.now()
    # One inspection may run beside as many jobs as may run.
    first = {"priority": _FIRST, "max_running": limits.max_running_per_owner + 1} if process == INSPECT else {}
    return {
        "id": str(uuid.uuid4()),
        "status": "accepted",
        "max_attempts": limits.max_attempts,
        "max_running": limits.max_running_per_owner,
        "keep_s": limits.artifact_expiry_s,
        "max_pixels_dates": limits.max_pixels_dates,
        "max_run_s": limits.max_run_s,
        "created": now,
        "updated": now,
        **first,
    }


def _check(priority: int, name: str | None, idempotency_key: str | None) -> None:
    if priority not in PRIORITIES:
        raise InvalidRequest(
            f"priority is {priority}, must be from {PRIORITIES[0]} to {PRIORITIES[-1]}", field="priority"
        )
    for field, value, longest in (("name", name, _MAX_NAME), ("idempotency_key", idempotency_key, _MAX_KEY)):
        if value is not None and (not value or storable(value, longest) != value):
            raise InvalidRequest(f"{field} must have 1 to {longest} characters, none of them NUL", field=field)


def _first(connection: Connection, owner: str, idempotency_key: str | None, request_sha256: str) -> Job | None:
    """The job that this key made before."""
    if idempotency_key is None:
        return None
    query = select(*COLUMNS).where(jobs.c.owner == owner, jobs.c.idempotency_key == idempotency_key)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    first = to_job(row)
    if first.request_sha256 != request_sha256:
        raise IdempotencyConflict(
            f"idempotency key {idempotency_key!r} was used for job {first.id} with another request", job_id=first.id
        )
    return first
