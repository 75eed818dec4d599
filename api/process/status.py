"""A job as its owner sees it: OGC's statusInfo, and members that OGC has no names for."""

from typing import Any

from api.errors import FAILED_JOB_STATUS, KINDS, type_of
from api.http.addresses import upload_path
from api.http.answers import link, timestamp, without_nothing
from api.process.naming import shown_source
from worker.jobs import Job
from worker.jobs.outbox import OGC_REL

# Of the engine's progress, what is shown as it is.
_SHOWN = ("step", "of", "loss", "holdout_psnr", "eta_s")
_ENDED = {"successful": "Done.", "dismissed": "Cancelled."}


def status_info(job: Job, queue_position: int | None, base: str) -> dict[str, Any]:
    """The document of `GET /jobs/ID`; equal for equal rows."""
    address = f"{base}/jobs/{job.id}"
    progress = job.progress or {}
    return {
        "jobID": job.id,
        "id": job.id,
        "processID": job.process,
        "process": {"href": f"{base}/processes/{job.process}", "rel": "process", "type": "application/json"},
        "type": "process",
        "status": job.status,
        "message": _message(job, queue_position),
        "created": timestamp(job.created),
        "updated": timestamp(job.updated),
        "progress": percent(job),
        "priority": job.priority,
        "resource_class": job.resource_class,
        "attempt": job.attempt,
        "inputs": _inputs(job),
        "links": _links(job, address, base),
        **without_nothing(
            {
                "name": job.name,
                "started": _time(job.started),
                "finished": _time(job.finished),
                "cancel_requested": _time(job.cancel_requested_at),
                "expires": _time(job.expires),
                "queue_position": queue_position,
                "phase": None if job.ended else job.phase,
                **({} if job.ended else {name: progress.get(name) for name in _SHOWN}),
                "usage": job.usage,
                "result_bytes": job.result_bytes,
                "gain": job.gain,
                "destination": job.destination,
                "tags": job.tags or None,
                "group": job.group_id and f"{base}/groups/{job.group_id}",
                "exception": exception(job),
            }
        ),
    }


def dismissal(job: Job, base: str) -> dict[str, Any]:
    """The answer to who ended the job or had it removed: with a cancellation on its row, it can only end dismissed."""
    info = status_info(job, None, base)
    if job.status == "dismissed" or not job.ended:
        return {**info, "status": "dismissed"}
    kept = {name: value for name, value in info.items() if name not in ("exception", "result_bytes", "gain", "expires")}
    links = [each for each in info["links"] if each["rel"] == "up"]
    return {**kept, "status": "dismissed", "message": "Removed.", "links": links}


def exception(job: Job) -> dict[str, Any] | None:
    """The problem document of a job that failed; None for others."""
    if job.error is None:
        return None
    code = str(job.error["code"])
    title = KINDS[code].title if code in KINDS else code.replace("-", " ").capitalize()
    return {**job.error, "type": type_of(code), "title": title, "status": FAILED_JOB_STATUS}


def _message(job: Job, queue_position: int | None) -> str:
    """One sentence about now."""
    if job.status == "failed":
        return str((job.error or {}).get("detail", "Failed."))
    if job.ended:
        return _ENDED[job.status]
    if job.cancel_requested_at is not None:
        return "Cancelling: the worker was asked to stop."
    if job.status == "accepted":
        again = " It will be tried again." if job.attempt else ""
        return f"Waiting, number {queue_position} in the queue.{again}" if queue_position else f"Waiting.{again}"
    return job.message or (f"Running: {job.phase}." if job.phase else "Running.")


def percent(job: Job) -> int:
    """Of the time it takes, by what the engine expects; 0 while it expects nothing yet."""
    if job.status == "successful":
        return 100
    left = (job.progress or {}).get("eta_s")
    if not isinstance(left, int | float) or job.started is None:
        return 0
    spent = max(0.0, (job.finished or job.updated) - job.started)
    return min(99, int(100 * spent / max(spent + left, 1e-9)))


def _inputs(job: Job) -> dict[str, Any]:
    """As they would be sent again, but for the signature of an address."""
    if job.source is not None:
        return {"sequence": shown_source(job.source), **job.params}
    return {**({"sequence": {"href": upload_path(job.input_id)}} if job.input_id else {}), **job.params}


def _links(job: Job, address: str, base: str) -> list[dict[str, str]]:
    links = [
        link(address, "self", "This job"),
        link(f"{base}/jobs", "up", "All jobs"),
        link(f"{address}/events", "monitor", "Progress as it happens", "text/event-stream"),
        link(f"{address}/log", "log", "What has happened so far"),
    ]
    if job.status == "successful" and job.result_prefix is not None:
        links.append(link(f"{address}/results", f"{OGC_REL}results", "Results"))
        links.append(link(f"{address}/results.zip", "enclosure", "All files in one archive", "application/zip"))
    if job.status == "failed":
        links.append(link(f"{address}/results", f"{OGC_REL}exceptions", "Why it failed", "application/problem+json"))
    return links


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(seconds)
