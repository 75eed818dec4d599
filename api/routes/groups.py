"""Many jobs as one: submitted together, watched, cancelled, downloaded. And what their owner calls a job."""

from functools import partial
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from api.deps import AddressesDep, CallerDep, ServicesDep, get_job
from api.errors import Refusal
from api.http.answers import json_answer
from api.http.sending import Content, send_content
from api.process.grouping import Label, Together, group_info, submit_together
from api.process.status import status_info
from api.routes.documented import may_answer
from api.routes.jobs import remove_job
from api.routes.processes import IdempotencyKey
from api.routes.results import ARCHIVE_ANSWERS, disposition
from api.schemas.jobs import GroupInfo, StatusInfo
from api.services import Services
from seq2seq.products import ARCHIVE
from worker import jobs
from worker.errors import NotFound
from worker.jobs import artifacts, groups
from worker.jobs.groups import Group
from worker.jobs.tagging import label
from worker.storage.archive import Archive, ArchiveEntry
from worker.values import storable

router = APIRouter(tags=["groups"])


@router.post(
    "/groups",
    status_code=201,
    response_model=GroupInfo,
    responses=may_answer(404, 408, 409, 410, 413, 422),
    summary="Submit jobs for many sequences at once",
)
def submit_many(
    body: Together,
    services: ServicesDep,
    caller: CallerDep,
    addresses: AddressesDep,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """All are accepted, or none: what is wrong with one is answered with its place among `sequences`."""
    group, created = submit_together(services, caller, body, addresses.base, idempotency_key)
    headers = {"Location": f"{addresses.base}/groups/{group.id}"}
    if not created:
        headers["Idempotent-Replayed"] = "true"
    return json_answer(group_info(group, addresses.base), 201, headers)


@router.get("/groups/{group_id}", response_model=GroupInfo, responses=may_answer(404), summary="How a group is doing")
def one_group(group_id: str, services: ServicesDep, caller: CallerDep, addresses: AddressesDep) -> Response:
    """One status for all of its jobs, how many have which, and each in short."""
    return json_answer(group_info(_find(services, group_id, caller.owner), addresses.base))


@router.delete(
    "/groups/{group_id}", response_model=GroupInfo, responses=may_answer(404), summary="Cancel a group, or remove it"
)
def end_group(group_id: str, services: ServicesDep, caller: CallerDep, addresses: AddressesDep) -> Response:
    """Cancels the jobs that have not ended; those that have stay. Of a group whose jobs have all ended, removes them
    with their results."""
    group = _find(services, group_id, caller.owner)
    if all(job.ended for job in group.jobs):
        for job in group.jobs:
            remove_job(services, job)
        groups.forget(services.database, group.id)
        return json_answer(group_info(group, addresses.base))
    for job in group.jobs:
        if not job.ended:
            jobs.dismiss(services.database, job.id, caller.owner)
    return json_answer(group_info(_find(services, group_id, caller.owner), addresses.base))


@router.get(
    "/groups/{group_id}/results.zip",
    responses=ARCHIVE_ANSWERS | may_answer(304, 404, 410, 416),
    summary="All files of all jobs",
    response_class=Response,
)
async def group_archive(request: Request, group_id: str, services: ServicesDep, caller: CallerDep) -> Response:
    """When all jobs have ended: a folder for each that was successful, by number and name. Made while it is sent,
    always of the same bytes: a broken download goes on with Range."""
    content = await to_thread.run_sync(_content, services, group_id, caller.owner)
    return await send_content(request, content, readers=services.readers, sent=services.metrics.sent.inc)


@router.patch("/jobs/{job_id}", response_model=StatusInfo, responses=may_answer(404), summary="Name a job, or tag it")
def label_job(job_id: str, body: Label, services: ServicesDep, caller: CallerDep, addresses: AddressesDep) -> Response:
    """In any status; nothing else of a job can be changed."""
    job = get_job(services.database, job_id, caller.owner)
    values: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set}
    if "name" in values:
        values["name"] = storable(body.name, len(body.name))
    job = label(services.database, job.id, caller.owner, **values)
    return json_answer(status_info(job, jobs.queue_position(services.database, job), addresses.base))


def _find(services: Services, group_id: str, owner: str) -> Group:
    try:
        return groups.get(services.database, group_id, owner)
    except NotFound:
        raise Refusal("not-found", f"there is no group {group_id[:64]!r}") from None


def _content(services: Services, group_id: str, owner: str) -> Content:
    group = _find(services, group_id, owner)
    prefixes = _check_there(group)
    archive = _archive(services, group)
    return Content(
        archive.open_range,
        lambda *_: None,
        archive.size,
        partial(_check_same, services, group_id, owner, prefixes),
        f'"{archive.etag}"',
        ARCHIVE.media_type,
        {"Content-Disposition": disposition(group.name or f"decloud-{group.id[:8]}")},
    )


def _check_there(group: Group) -> tuple[str, ...]:
    """The prefixes of the results. Raises `Refusal` where jobs have not ended, or none has a result."""
    active = sum(not job.ended for job in group.jobs)
    if active:
        detail = f"{active} of {len(group.jobs)} jobs of group {group.id} have not ended"
        raise Refusal("result-not-ready", detail, headers={"Retry-After": "5"})
    prefixes = tuple(job.result_prefix for job in group.jobs if job.result_prefix is not None)
    if prefixes:
        return prefixes
    if any(job.status == "successful" for job in group.jobs):
        raise Refusal("result-expired", f"the files of group {group.id} have expired")
    raise Refusal("not-found", f"no job of group {group.id} has a result")


def _check_same(services: Services, group_id: str, owner: str, prefixes: tuple[str, ...]) -> None:
    """Raises `Refusal` where the group no longer has the results that are being sent."""
    if _check_there(_find(services, group_id, owner)) != prefixes:
        raise Refusal("result-expired", f"the files of group {group_id} are others now")


def _archive(services: Services, group: Group) -> Archive:
    entries = []
    for number, job in enumerate(group.jobs, 1):
        if job.result_prefix is not None:
            folder = f"{number:02d}-{_folder(job.name or job.id[:8])}"
            for file in artifacts.listing(services.database, job.id):
                key = f"{job.result_prefix}/{file.path}"
                entries.append(ArchiveEntry(f"{folder}/{file.path}", key, file.size, file.crc32))
    finished = max(job.finished or job.created for job in group.jobs)
    return Archive(services.storage, entries, modified=finished)


def _folder(name: str) -> str:
    """A name of a user's as that of a folder."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name.removesuffix(".zip"))
    return plain.strip("._")[:60] or "sequence"
