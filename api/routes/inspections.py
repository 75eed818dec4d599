"""What is in an upload, before anything is made of it."""

import asyncio
import re
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request, Response

from api.deps import AddressesDep, CallerDep, ServicesDep, find_job
from api.errors import job_problem
from api.http.answers import json_answer
from api.http.authentication import Caller
from api.process import inspecting
from api.process.execute import Inspect
from api.process.status import status_info
from api.routes.documented import may_answer
from api.schemas.jobs import StatusInfo
from api.schemas.uploads import Inspection
from api.services import Services
from worker.jobs import Job

router = APIRouter(tags=["uploads"])

_LONGEST_WAIT_S = 60
_MOST_WAITING = 30
_PREFERRED = re.compile(r"\bwait\s*=\s*(\d{1,6})\b")

_LOOKING: dict[int | str, dict[str, Any]] = {
    202: {"model": StatusInfo, "description": "It is being looked at: the job that does so."}
}

WaitS = Annotated[
    float, Query(ge=0, le=_LONGEST_WAIT_S, description="Seconds to wait for the answer, as `Prefer: wait=N`.")
]


@router.post(
    "/uploads/{upload_id}/inspect",
    response_model=Inspection,
    responses=_LOOKING | may_answer(404, 408, 409, 410, 413, 422),
    summary="What is in an upload, and what a job would take",
)
async def inspect_upload(
    request: Request,
    upload_id: str,
    services: ServicesDep,
    caller: CallerDep,
    addresses: AddressesDep,
    body: Inspect | None = None,
    wait_s: WaitS = 0.0,
    prefer: Annotated[str | None, Header(max_length=200, description="`wait=N`, seconds (RFC 7240).")] = None,
) -> Response:
    """Read by a worker, in the sandbox, before other jobs. 202 leads to the job that reads it; asked again when that
    has ended, or with a wait that is long enough, the answer is what it found. The same bytes with the same settings
    are read once. 422 says why an upload cannot be read, as a job of it would."""
    release, asked = request.app.version, body or Inspect()
    job = await to_thread.run_sync(inspecting.begin, services, caller, upload_id, asked, release)
    preferred = _PREFERRED.search(prefer.lower()) if prefer else None
    patience_s = max(wait_s, min(float(preferred[1]), _LONGEST_WAIT_S) if preferred else 0.0)
    if not job.ended and patience_s:
        job = await _ended(services, caller, job, patience_s)
    headers = {"Preference-Applied": f"wait={preferred[1]}"} if preferred else {}
    return await to_thread.run_sync(_answer, services, job, addresses.base, headers)


async def _ended(services: Services, caller: Caller, job: Job, patience_s: float) -> Job:
    """The job when it has ended, or the time is over."""
    loop = asyncio.get_running_loop()
    until = loop.time() + patience_s
    with services.polls.one(caller.owner, _MOST_WAITING):
        while True:
            since = await services.watch.version(job.id)
            job, _ = await find_job(services, job.id, caller.owner)
            left_s = until - loop.time()
            if job.ended or left_s <= 0 or services.stopping.is_set():
                return job
            await services.watch.changed(job.id, since, left_s)


def _answer(services: Services, job: Job, base: str, headers: dict[str, str]) -> Response:
    if job.status == "failed":
        return job_problem(job.error or {"code": "internal-error"})
    if job.status == "successful":
        return json_answer(inspecting.document(services, job, base), 200, headers)
    return json_answer(status_info(job, None, base), 202, {**headers, "Location": f"{base}/jobs/{job.id}"})
