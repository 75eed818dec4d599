"""Jobs: lists, one, its end, another like it."""

import asyncio
import hashlib
import logging
from typing import Annotated
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Header, Query, Request, Response

from api.deps import AddressesDep, CallerDep, ServicesDep, find_job, get_job, services_of
from api.errors import Refusal
from api.http.addresses import base_of
from api.http.answers import JSON, json_answer, link
from api.http.authentication import Caller
from api.http.conditions import names
from api.process.execute import Resubmission
from api.process.intervals import PATTERN, interval
from api.process.processes import LISTED, NAMES
from api.process.status import dismissal, status_info
from api.process.submitting import resubmission_request, submit
from api.routes.documented import may_answer
from api.routes.processes import IdempotencyKey, Prefer, submitted
from api.schemas.jobs import JobList, Statuses, StatusInfo
from api.services import Services
from worker import jobs
from worker.errors import JobActive, NotFound, ServiceError
from worker.jobs import Filters, Job, garbage
from worker.jobs.changes import JobVersion

_log = logging.getLogger(__name__)

router = APIRouter(tags=["jobs"])

_MOST_LISTED = 1000
_LONGEST_WAIT_S = 60
# Of one owner: each keeps one of the connections that all share.
_MOST_WAITING = 30


@router.get(
    "/jobs/{job_id}", response_model=StatusInfo, responses=may_answer(304, 404), summary="How a job is getting on"
)
async def one_job(
    request: Request,
    job_id: str,
    caller: CallerDep,
    wait: Annotated[
        float,
        Query(ge=0, le=_LONGEST_WAIT_S, description="Seconds to wait for something new; `If-None-Match`: since then."),
    ] = 0.0,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """With `wait`, answers as soon as the job changes, or ends, or the time is over."""
    if not wait:
        return await current_status(request, caller, job_id, if_none_match)
    services = services_of(request)
    base = base_of(request, services.settings)
    since = await services.watch.version(job_id)
    job, position = await find_job(services, job_id, caller.owner)
    answer = _status(job, position, base)
    if not job.ended and (if_none_match is None or names(if_none_match, answer.headers["etag"])):
        with services.polls.one(caller.owner, _MOST_WAITING):
            answer = await _next_status(services, job_id, caller.owner, base, answer, since, wait)
    return _unless_known(answer, if_none_match)


async def current_status(request: Request, caller: Caller, job_id: str, if_none_match: str | None) -> Response:
    """The answer at once. Raises `Refusal`."""
    services = services_of(request)
    job, position = await find_job(services, job_id, caller.owner)
    return _unless_known(_status(job, position, base_of(request, services.settings)), if_none_match)


def _status(job: Job, position: int | None, base: str) -> Response:
    body = orjson.dumps(status_info(job, position, base))
    etag = hashlib.blake2b(body, digest_size=12).hexdigest()
    return Response(body, headers={"ETag": f'"{etag}"', "Cache-Control": "private, no-cache"}, media_type=JSON)


def _unless_known(answer: Response, if_none_match: str | None) -> Response:
    """304 for who has it already."""
    if if_none_match is not None and names(if_none_match, answer.headers["etag"]):
        return Response(status_code=304, headers={"ETag": answer.headers["etag"]})
    return answer


async def _next_status(
    services: Services, job_id: str, owner: str, base: str, known: Response, since: JobVersion | None, wait_s: float
) -> Response:
    """The first that differs from `known`; the same when there was none in time."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    answer = known
    while answer.headers["etag"] == known.headers["etag"] and not services.stopping.is_set():
        if not await services.watch.changed(job_id, since, until - loop.time()):
            break
        since = await services.watch.version(job_id)
        answer = _status(*await find_job(services, job_id, owner), base)
    return answer


@router.get("/jobs", response_model=JobList, responses=may_answer(), summary="Your jobs, newest first")
def job_list(
    request: Request,
    services: ServicesDep,
    caller: CallerDep,
    addresses: AddressesDep,
    status: Annotated[Statuses, Query(description="Several: repeated, or with commas.")] = [],  # noqa: B006
    type: Annotated[list[str], Query(max_length=10)] = [],  # noqa: B006
    processID: Annotated[list[str], Query(max_length=10)] = [],  # noqa: B006, N803
    datetime: Annotated[
        str | None,
        Query(
            description="When they were created: RFC 3339, or two with / between, or .. for open.",
            json_schema_extra={"pattern": PATTERN},
        ),
    ] = None,
    minDuration: Annotated[float | None, Query(ge=0, le=1e9, description="Seconds.")] = None,  # noqa: N803
    maxDuration: Annotated[float | None, Query(ge=0, le=1e9, description="Seconds.")] = None,  # noqa: N803
    tag: Annotated[list[str], Query(max_length=20, description="Jobs that have all of them.")] = [],  # noqa: B006
    group: Annotated[str | None, Query(max_length=64, description="Jobs that were submitted together.")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000, description=f"At most {_MOST_LISTED} come.")] = 20,
    after: Annotated[int | None, Query(ge=0, le=2**62, description="From the link `next`.")] = None,
) -> Response:
    """Only your own, without inspections unless `processID` names them. `next` in `links` leads to older ones."""
    base = addresses.base
    created_from, created_to = interval(datetime)
    processes = tuple(name for name in processID if name in NAMES)
    timed = (created_from, created_to, minDuration, maxDuration)
    filters = Filters(tuple(status), *timed, processes or LISTED, tuple(tag), group)
    page = jobs.Page((), None)
    if (not type or "process" in type) and (not processID or processes):
        limit = min(limit, _MOST_LISTED)
        page = jobs.listing(services.database, caller.owner, filters, limit=limit, after=after)
    listed = [status_info(job, None, base) for job in page.jobs]
    links = [link(f"{base}/jobs", "self", "This list")]
    if page.after is not None:
        kept = [(name, value) for name, value in request.query_params.multi_items() if name != "after"]
        links.append(link(f"{base}/jobs?{urlencode([*kept, ('after', page.after)])}", "next", "Older jobs"))
    return json_answer({"jobs": listed, "links": links})


@router.delete(
    "/jobs/{job_id}", response_model=StatusInfo, responses=may_answer(404, 409), summary="Cancel a job, or remove it"
)
def end_job(
    job_id: str,
    services: ServicesDep,
    caller: CallerDep,
    addresses: AddressesDep,
    keep: Annotated[bool, Query(description="Only cancel: a job that has ended meanwhile stays, with its result.")] = (
        False
    ),
) -> Response:
    """Answers `dismissed`: nothing else can become of the job from now on. A waiting one has ended with the answer; a
    running one shows itself as running until its worker has stopped it. One that has ended is removed with its result,
    unless it is to be kept: then the answer is its status."""
    job = get_job(services.database, job_id, caller.owner)
    if job.ended and not keep:
        remove_job(services, job)
        return json_answer(dismissal(job, addresses.base))
    job = jobs.dismiss(services.database, job_id, caller.owner)
    if job.ended and job.status != "dismissed":
        return json_answer(status_info(job, None, addresses.base))
    return json_answer(dismissal(job, addresses.base))


def remove_job(services: Services, job: Job) -> None:
    """With its files, at once: whoever was reading them gets no further part, here or from another server."""
    try:
        removed = jobs.remove(services.database, job.id, job.owner)
    except (NotFound, JobActive) as error:  # removed by another request at the same time
        raise Refusal("no-such-job", error.detail) from None
    services.contents.forget_those(lambda asked: asked[1] == job.id)
    if removed.result_prefix is not None:
        try:
            garbage.collect(services.database, services.storage, removed.result_prefix)
        except ServiceError as error:  # the reaper tries again
            _log.warning("not deleted: %s", error.detail, extra={"prefix": removed.result_prefix})


@router.post(
    "/jobs/{job_id}/resubmit",
    status_code=201,
    response_model=StatusInfo,
    responses=may_answer(404, 408, 409, 410, 413, 422),
    summary="The same upload again, with other settings",
)
def resubmit(
    job_id: str,
    services: ServicesDep,
    caller: CallerDep,
    addresses: AddressesDep,
    body: Resubmission | None = None,
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> Response:
    """A new job; the old one stays as it is."""
    first = get_job(services.database, job_id, caller.owner)
    asked = resubmission_request(first, body or Resubmission(), services, addresses.base)
    job, created = submit(services, caller, asked, idempotency_key)
    return submitted(services, job, addresses, created=created, prefer=prefer)
