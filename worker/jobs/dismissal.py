"""Cancelling a job, and removing it, as its owner asks."""

from sqlalchemy import delete

from worker import clock
from worker.database.connections import Database
from worker.database.tables import jobs
from worker.errors import JobActive
from worker.jobs import garbage
from worker.jobs.rows import Job
from worker.jobs.transitions import change, end_dismissed, lock_owned, report


def dismiss(database: Database, job_id: str, owner: str | None) -> Job:
    """Cancel; cancelling twice is cancelling once. Raises `NotFound`.

    An accepted job is dismissed at once; a running one is marked, and its worker stops it; an ended one stays as it is.
    """
    with database.begin() as connection:
        job = lock_owned(connection, job_id, owner)
        if job.ended or job.cancel_requested_at is not None:
            return job
        requested = change(connection, job, cancel_requested_at=clock.now())
        if job.status == "accepted":
            return end_dismissed(connection, requested)
        report(connection, requested, "Cancelling: the worker was asked to stop.")
        return requested


def remove(database: Database, job_id: str, owner: str | None) -> Job:
    """Delete an ended job and its events; its files become garbage. Raises `JobActive`, `NotFound`.

    The job as it was: whoever does not want to wait for the reaper deletes its files (`garbage.collect`).
    """
    with database.begin() as connection:
        job = lock_owned(connection, job_id, owner)
        if not job.ended:
            raise JobActive(f"job {job.id} is {job.status}: cancel it first", status=job.status)
        if job.result_prefix is not None:
            garbage.add(connection, job.result_prefix)
        connection.execute(delete(jobs).where(jobs.c.number == job.number))
        return job
