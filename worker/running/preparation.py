"""What is put into an attempt's folder before its child begins: the request, and the user's file."""

from pathlib import Path

from worker.errors import NotFound
from worker.jobs import Job, uploads
from worker.running.attempt_context import AttemptContext
from worker.running.job_folder import INPUT, OUT, UPLOAD, Request
from worker.running.verdicts import Failure


def write_request(context: AttemptContext, job: Job, folder: Path) -> Failure | None:
    """Writes what the child is to do, and fetches the user's file where no attempt has imported it yet."""
    name: str | None = None
    if not (folder / INPUT).exists() and not (folder / OUT).exists():
        try:
            name = _fetch_upload(context, job, folder)
        except NotFound:
            return Failure({"code": "upload-gone", "detail": f"Upload {job.input_id} is no longer there."})
    settings = context.settings
    request = Request(
        job_id=job.id,
        process=job.process,
        attempt=job.attempt,
        upload=name,
        params=job.params,
        retry=job.retry or {},
        limits={"pixel_dates": int(job.max_pixels_dates or settings.max_pixels_dates)},
    )
    request.write(folder)
    return None


def _fetch_upload(context: AttemptContext, job: Job, folder: Path) -> str:
    """The user's file, on the way to the import; its name. Raises `NotFound`."""
    assert job.input_id is not None, f"job {job.id} has no input"
    upload = uploads.get(context.database, job.input_id, None)
    context.storage.get(upload.key, folder / UPLOAD, link=True)
    return upload.name or "upload"
