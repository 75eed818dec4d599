"""Inspections of uploads: jobs that are made once for the same bytes and settings, and found again."""

import hashlib
import json
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, update

from seq2seq.processes import INSPECT
from worker import clock
from worker.database.connections import Database
from worker.database.sql import lock_owner
from worker.database.tables import jobs
from worker.errors import IdempotencyConflict
from worker.jobs import queries, uploads
from worker.jobs.rows import Job
from worker.jobs.submission import submit
from worker.settings import Settings

# What has failed for a reason that passes may be asked again; a bad file is as bad after a minute, and costs seconds.
_FAILURES_KEPT_S = 60.0


def inspection(
    database: Database,
    upload_id: str,
    *,
    owner: str,
    params: dict[str, Any],
    limits: Settings,
    resource_class: str,
    release: str,
) -> tuple[Job, bool]:
    """The job that looks at the upload, and whether it was made now.

    An earlier one of the owner's, of the same bytes, settings and `release` of ours, is given again while it waits,
    runs or has its result. Raises `NotFound`, `UploadNotReady`, `QuotaExceeded`.
    """
    upload = uploads.get(database, upload_id, owner)
    uploads.check_ready(upload)
    key = _key(str(upload.sha256), params, release)
    _forget_stale(database, owner, key)
    try:
        return submit(
            database,
            owner=owner,
            input_id=upload_id,
            params=params,
            limits=limits,
            name=upload.name,
            resource_class=resource_class,
            idempotency_key=key,
            process=INSPECT,
        )
    except IdempotencyConflict as conflict:  # of the same bytes in another upload
        return queries.get(database, conflict.extra["job_id"], owner), False


def _key(sha256: str, params: dict[str, Any], release: str) -> str:
    asked = json.dumps([sha256, params, release], sort_keys=True)
    return f"inspection {hashlib.sha256(asked.encode()).hexdigest()}"


def _forget_stale(database: Database, owner: str, key: str) -> None:
    """The job of this key no longer has it where it has no answer to give."""
    with database.begin() as connection:
        lock_owner(connection, owner)
        mine = (jobs.c.owner == owner, jobs.c.idempotency_key == key)
        connection.execute(update(jobs).where(*mine, _has_no_answer()).values(idempotency_key=None))


def _has_no_answer() -> ColumnElement[bool]:
    """Cancelled, or its result has expired, or it failed some time ago."""
    return or_(
        jobs.c.status == "dismissed",
        jobs.c.cancel_requested_at.is_not(None),
        and_(jobs.c.status == "successful", jobs.c.result_prefix.is_(None)),
        and_(jobs.c.status == "failed", jobs.c.finished < clock.now() - _FAILURES_KEPT_S),
    )
