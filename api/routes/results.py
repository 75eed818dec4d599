"""Results: what there is, each file, all of them in one archive."""

import base64
import re
from email.utils import formatdate
from functools import partial
from typing import Annotated, Any
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request, Response

from api.deps import AddressesDep, CallerDep, ReaderDep, ServicesDep, admit_holder, get_job
from api.errors import Refusal, job_problem
from api.http.addresses import Addresses
from api.http.sending import Content, send_content
from api.process.outputs import Result, deliver, page_headers
from api.routes.documented import may_answer
from api.schemas.jobs import ResultFile
from api.services import Services
from seq2seq.products import ARCHIVE, made_by
from worker import clock
from worker.errors import NotFound
from worker.jobs import Job, artifacts
from worker.jobs.artifacts import Artifact
from worker.storage.archive import Archive, ArchiveEntry

router = APIRouter(tags=["results"])

_LONGEST_SIGNED_S = 7 * 24 * 3600
Token = Annotated[str, Path(max_length=200, description="Of the whole result: when it expires, and a signature.")]
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_RAW: dict[int | str, dict[str, Any]] = {
    200: {"content": {"multipart/related": {"schema": {"type": "string", "format": "binary"}}}},
    204: {"description": "Raw, by reference: Link headers lead to the outputs."},
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}


def _content_of(media_type: str) -> dict[str, Any]:
    """As OpenAPI shows a body of that kind."""
    if media_type.endswith("json"):
        return {"schema": {"type": "object"}}
    return {"schema": {"type": "string"}} if media_type.startswith("text/") else _BINARY


# The first one is what is made of it where no other is known.
_KINDS: dict[str, Any] = {
    media_type.partition(";")[0]: _content_of(media_type.partition(";")[0])
    for media_type in (
        "application/octet-stream",
        *(file.media_type for product in made_by("run", "comparison", "inspection", "job") for file in product.files),
    )
}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": _KINDS},
    206: {"description": "The part asked for by Range.", "content": dict.fromkeys(_KINDS, _BINARY)},
}
_ARCHIVED = {"application/octet-stream": _BINARY, ARCHIVE.media_type: _BINARY}
ARCHIVE_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "All files.", "content": _ARCHIVED},
    206: {"description": "The part asked for by Range.", "content": _ARCHIVED},
}


@router.get(
    "/jobs/{job_id}/results",
    response_model=dict[str, ResultFile | list[ResultFile]],
    responses=_RAW | may_answer(404, 410, 422),
    summary="What there is",
)
async def results(
    request: Request,
    job_id: str,
    services: ServicesDep,
    caller: CallerDep,
    addresses: AddressesDep,
    signed: Annotated[
        bool,
        Query(
            description="Addresses that work without a key, for browsers and QGIS: of STAC with "
            "all it links to, of other files for themselves."
        ),
    ] = False,
    expires_s: Annotated[int, Query(ge=1, le=_LONGEST_SIGNED_S, description="How long they do.")] = 3600,
) -> Response:
    """By output, links or values, as `outputs` and `response` of the submission say; all as links where they say
    nothing. A raw response is the output itself, several as multipart/related; of links alone, 204 with Link headers.
    While the job has no result: 404, type `result-not-ready`. For a failed job: why, with 422."""
    if signed:
        addresses = Addresses(addresses.base, services.secret, int(clock.now()) + expires_s)
    answer = await to_thread.run_sync(_results, services, job_id, caller.owner, addresses)
    if isinstance(answer, Response):
        return answer
    return await send_content(request, answer, readers=services.readers, sent=services.metrics.sent.inc)


def _results(services: Services, job_id: str, owner: str, addresses: Addresses) -> Response | Content:
    job = get_job(services.database, job_id, owner)
    if job.status == "failed":
        return job_problem(job.error or {"code": "internal-error"})
    check = partial(check_same, services, job_id, owner, check_there(job))
    files = artifacts.listing(services.database, job.id)
    return deliver(Result(job, files, services.storage, _archive(job, files, services), addresses, check))


def check_there(job: Job) -> str:
    """The prefix of the job's result. Raises `Refusal` where there is none, saying why."""
    if job.status in ("accepted", "running"):
        raise Refusal("result-not-ready", f"job {job.id} is {job.status}", headers={"Retry-After": "5"})
    if job.status == "dismissed":
        raise Refusal("job-dismissed", f"job {job.id} was cancelled and has no result")
    if job.status == "failed":
        raise Refusal("not-found", f"job {job.id} failed and has no files")
    if job.result_prefix is None:
        raise Refusal("result-expired", f"the files of job {job.id} have expired; resubmit it to have them again")
    return job.result_prefix


@router.get(
    "/jobs/{job_id}/results.zip",
    responses=ARCHIVE_ANSWERS | may_answer(304, 403, 404, 410, 416),
    summary="All files",
    response_class=Response,
)
@router.head("/jobs/{job_id}/results.zip", responses=may_answer(304, 403, 404, 410), include_in_schema=False)
async def archive(request: Request, job_id: str, services: ServicesDep, owner: ReaderDep) -> Response:
    """Made while it is sent, always of the same bytes: a broken download goes on with Range."""
    content = await to_thread.run_sync(_archive_content, services, job_id, owner)
    return await send_content(request, content, readers=services.readers, sent=services.metrics.sent.inc)


@router.get(
    "/jobs/{job_id}/results/{path:path}",
    responses=_FILE | may_answer(304, 403, 404, 410, 416),
    response_class=Response,
    summary="One file",
)
@router.head("/jobs/{job_id}/results/{path:path}", responses=may_answer(304, 403, 404, 410), include_in_schema=False)
async def result_file(request: Request, job_id: str, path: str, services: ServicesDep, owner: ReaderDep) -> Response:
    """Whole or in part (Range, If-Range, If-None-Match); the entity tag is the file's SHA-256."""
    asked, in_part = (owner, job_id, path), "range" in request.headers
    content = services.contents.get(asked) if in_part else None
    if content is None:
        content = await services.ask(_file_content, services, job_id, path, owner)
        services.contents.put(asked, content)
    try:
        return await send_content(request, content, readers=services.readers, sent=services.metrics.sent.inc)
    except NotFound:
        services.contents.forget(asked)
        # What was known a moment ago has been removed meanwhile: this says so.
        await services.ask(_file_content, services, job_id, path, owner)
        raise


@router.get(
    "/jobs/{job_id}/signed/{token}/results/{path:path}",
    responses=_FILE | may_answer(304, 403, 404, 410, 416),
    response_class=Response,
    summary="One file, by the signature of the whole result",
)
@router.head(
    "/jobs/{job_id}/signed/{token}/results/{path:path}",
    responses=may_answer(304, 403, 404, 410),
    include_in_schema=False,
)
async def signed_file(request: Request, job_id: str, token: Token, path: str, services: ServicesDep) -> Response:
    """As `?signed=true` gives it for documents with relative links, such as STAC: those lead to addresses that work
    as well. The same answers as with a key."""
    await admit_holder(request, job_id, token)
    return await result_file(request, job_id, path, services, None)


def _file_content(services: Services, job_id: str, path: str, owner: str | None) -> Content:
    """The path is looked up among the result's files, never opened."""
    job = get_job(services.database, job_id, owner)
    prefix = check_there(job)
    file = artifacts.get(services.database, job.id, path)
    key = f"{prefix}/{file.path}"
    digest = base64.b64encode(bytes.fromhex(file.sha256)).decode()
    headers = {
        "Repr-Digest": f"sha-256=:{digest}:",
        "Last-Modified": formatdate(job.finished, usegmt=True),
        "Content-Disposition": f'inline; filename="{_UNSAFE.sub("_", file.path.rpartition("/")[2])}"',
    }
    headers |= page_headers(file.media_type)
    return Content(
        partial(services.storage.open_range, key),
        partial(services.storage.read_now, key),
        file.size,
        partial(check_same, services, job_id, owner, prefix),
        f'"{file.sha256}"',
        file.media_type,
        headers,
    )


def _archive_content(services: Services, job_id: str, owner: str | None) -> Content:
    job = get_job(services.database, job_id, owner)
    prefix = check_there(job)
    archive = _archive(job, artifacts.listing(services.database, job.id), services)
    headers = {
        "Last-Modified": formatdate(job.finished, usegmt=True),
        "Content-Disposition": disposition(job.name or f"decloud-{job.id[:8]}"),
    }
    check = partial(check_same, services, job_id, owner, prefix)
    etag = f'"{archive.etag}"'
    return Content(archive.open_range, lambda *_: None, archive.size, check, etag, ARCHIVE.media_type, headers)


def check_same(services: Services, job_id: str, owner: str | None, prefix: str) -> None:
    """Raises `Refusal` where the job no longer has the result that is being sent."""
    if check_there(get_job(services.database, job_id, owner)) != prefix:
        raise Refusal("result-expired", f"the files of job {job_id} are others now")


def _archive(job: Job, files: tuple[Artifact, ...], services: Services) -> Archive:
    entries = [ArchiveEntry(file.path, f"{job.result_prefix}/{file.path}", file.size, file.crc32) for file in files]
    return Archive(services.storage, entries, modified=job.finished or job.created)


def disposition(name: str) -> str:
    """A user's name for a job, as a file's name: plain for old clients, in full for others (RFC 6266)."""
    plain = _UNSAFE.sub("_", name).strip("._")[:80] or "decloud"
    full = quote(re.sub(r"[\x00-\x1f\x7f/\\]", "_", name)[:80], safe="")
    return f"attachment; filename=\"{plain}.zip\"; filename*=UTF-8''{full}.zip"
