"""How an attempt ends, reported by its worker. False everywhere means: the lease is lost, nothing was written.

A job whose cancellation was requested becomes `dismissed`, whatever its worker reports.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from worker import clock
from worker.database.connections import Database
from worker.database.tables import jobs
from worker.jobs import artifacts, garbage
from worker.jobs.artifacts import Artifact
from worker.jobs.rows import COLUMNS, Job, to_job
from worker.jobs.transitions import LONGEST_DELAY_S, end, end_dismissed, end_failed, lock_held, requeue


def publish(
    database: Database,
    job: Job,
    *,
    result_prefix: str,
    artifacts: Sequence[Artifact],
    usage: dict[str, Any],
    gain: dict[str, Any] | None = None,
) -> bool:
    """Makes the result visible in one commit: files and status together.

    False: it did not and never will (lease lost, or cancelled: the job is then dismissed); delete the files. An
    exception says nothing about the commit: call again until it answers, which is harmless, and keep the files.
    """
    with database.begin() as connection:
        held = lock_held(connection, job)
        if held is None:
            return _is_published(connection, job, result_prefix)
        if held.cancel_requested_at is not None:
            garbage.add(connection, result_prefix)
            end_dismissed(connection, held)
            return False
        _insert(connection, held, result_prefix, artifacts, usage=usage, gain=gain)
        return True


def _is_published(connection: Connection, job: Job, result_prefix: str) -> bool:
    """Whether an earlier call did it and only its answer was lost."""
    row = connection.execute(select(*COLUMNS).where(jobs.c.number == job.number)).one_or_none()
    now = None if row is None else to_job(row)
    return now is not None and (now.status, now.attempt, now.result_prefix) == (
        "successful",
        job.attempt,
        result_prefix,
    )


def _insert(
    connection: Connection,
    job: Job,
    result_prefix: str,
    files: Sequence[Artifact],
    *,
    usage: dict[str, Any],
    gain: dict[str, Any] | None,
) -> None:
    end(
        connection,
        job,
        "successful",
        f"Done: {len(files)} files.",
        result_prefix=result_prefix,
        result_bytes=sum(file.size for file in files),
        usage=usage,
        gain=gain,
        expires=clock.now() + job.keep_s,
    )
    artifacts.insert_all(connection, job.id, files)


def fail(database: Database, job: Job, error: dict[str, Any]) -> bool:
    """End as failed. `error` is shown to the owner: `code`, `detail`, and what else helps."""
    with database.begin() as connection:
        held = lock_held(connection, job)
        if held is None:
            return False
        _fail(connection, held, error)
        return True


def _fail(connection: Connection, job: Job, error: dict[str, Any]) -> Job:
    if job.cancel_requested_at is not None:
        return end_dismissed(connection, job)
    return end_failed(connection, job, error)


def retry(
    database: Database,
    job: Job,
    *,
    reason: dict[str, Any],
    delay_s: float = 0.0,
    retry: dict[str, Any] | None = None,
    refund_attempt: bool = False,
) -> bool:
    """Takes it back to accepted after `delay_s` (900 at most); after the last attempt it fails with `reason` (`code`,
    `detail`).

    retry: what the next attempt does otherwise, merged into what earlier ones asked for. refund_attempt: this attempt
    does not count, because its cause was ours and passes by itself.
    """
    with database.begin() as connection:
        held = lock_held(connection, job)
        if held is None:
            return False
        if held.cancel_requested_at is not None or not (held.attempts_left or refund_attempt):
            _fail(connection, held, reason)
            return True
        requeue(
            connection,
            held,
            f"{reason['detail']} It will be tried again.",
            delay_s=min(delay_s, LONGEST_DELAY_S),
            retry={**(held.retry or {}), **(retry or {})} or None,
            refunds=min(held.attempt, held.refunds + refund_attempt),
        )
        return True


def release(database: Database, job: Job) -> bool:
    """Takes it back to accepted at once, as the worker stops in an orderly way: the attempt does not count."""
    stopped = {"code": "worker-stopped", "detail": "The worker was stopped and kept a checkpoint."}
    return retry(database, job, reason=stopped, refund_attempt=True)


def dismissed(database: Database, job: Job) -> bool:
    """Ends a job whose cancellation was requested, and which its worker has stopped."""
    with database.begin() as connection:
        held = lock_held(connection, job)
        if held is None:
            return False
        end_dismissed(connection, held)
        return True
