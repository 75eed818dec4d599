"""Notices to be sent, written in the transaction of what they tell. Sending is not done here."""

import uuid
from datetime import UTC, datetime

from sqlalchemy import Connection, insert

from worker import clock
from worker.job_rows import Job
from worker.tables import webhook_outbox


def announce(connection: Connection, job: Job) -> None:
    """One notice when the subscriber gave an address for the status the job has now reached."""
    url = (job.subscriber or {}).get(job.status)
    if not url:
        return
    now = clock.now()
    body = {
        "type": f"job.{job.status}",
        "timestamp": datetime.fromtimestamp(now, UTC).isoformat(),
        "data": {"jobID": job.id, "status": job.status, "name": job.name, "attempt": job.attempt, "error": job.error},
    }
    notice = {"id": f"msg_{uuid.uuid4().hex}", "job_id": job.id, "url": url, "body": body, "next_try": now}
    connection.execute(insert(webhook_outbox).values(notice))
