"""What is put into an attempt's folder before its child begins: the request, and the user's file."""

import json
from collections.abc import Mapping
from pathlib import Path

from worker.allowed_inputs import AllowList
from worker.errors import NotFound
from worker.jobs import Job, uploads
from worker.running.attempt_context import AttemptContext
from worker.running.job_folder import FETCH, INPUT, OUT, UPLOAD, Fetched, FetchRequest, Request
from worker.running.verdicts import Failure

# Of the worker's environment: what catalogues ask their users for.
_CATALOG_KEYS = ("PC_SDK_SUBSCRIPTION_KEY", "CDSE_S3_ACCESS_KEY", "CDSE_S3_SECRET_KEY")


def write_request(context: AttemptContext, job: Job, folder: Path) -> Failure | None:
    """Writes what the child is to do, and gets the user's file where no attempt has imported it yet.

    What is no upload is only asked for: it is fetched by a process of its own, see `is_to_fetch`.
    """
    name: str | None = None
    if not (folder / INPUT).exists() and not (folder / OUT).exists():
        if job.source is not None:
            _ask_to_fetch(context, job, folder)
        else:
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
        share_tiles_from=settings.share_tiles_from,
    )
    request.write(folder)
    return None


def is_to_fetch(folder: Path) -> bool:
    """Tells whether the input is still to be fetched."""
    return (folder / FETCH).exists()


def fetching_environment(context: AttemptContext, job: Job, environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the operator's secrets that fetching the job's input needs, of settings and the worker's environment."""
    if job.source is None:
        return {}
    if "area" in job.source:
        return {name: environment[name] for name in _CATALOG_KEYS if name in environment}
    options = context.settings.input_storage_options
    return {"DECLOUD_INPUT_STORAGE_OPTIONS": json.dumps(options)} if options else {}


def _ask_to_fetch(context: AttemptContext, job: Job, folder: Path) -> None:
    assert job.source is not None
    if Fetched.read(folder) is not None:  # by an earlier attempt
        return
    settings = context.settings
    source = dict(job.source)
    FetchRequest(
        source=source,
        allowed=AllowList(settings.input_hosts, settings.input_private_hosts, settings.input_catalogs).to_dict(),
        max_bytes=int(source.pop("max_bytes", settings.max_upload_bytes)),
        pixel_dates=int(job.max_pixels_dates or settings.max_pixels_dates),
        disk_floor_bytes=settings.disk_floor_bytes,
    ).write(folder)


def _fetch_upload(context: AttemptContext, job: Job, folder: Path) -> str:
    """The user's file, on the way to the import; its name. Raises `NotFound`."""
    assert job.input_id is not None, f"job {job.id} has no input"
    upload = uploads.get(context.database, job.input_id, None)
    context.storage.get(upload.key, folder / UPLOAD, link=True)
    return upload.name or "upload"
