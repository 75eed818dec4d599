"""The process, and how to have it run."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from api.deps import AddressesDep, CallerDep, ServicesDep
from api.errors import Refusal
from api.http.addresses import Addresses
from api.http.answers import json_answer, link
from api.process import description
from api.process.execute import Execute
from api.process.status import PROCESS, status_info
from api.process.submitting import dry_run, job_request, submit
from api.routes.documented import answers_openly, may_answer
from api.schemas import Process, ProcessList, StatusInfo, Validation
from api.services import Services
from worker import jobs
from worker.jobs import Job

router = APIRouter(tags=["processes"])

IdempotencyKey = Annotated[
    str | None,
    Header(min_length=1, max_length=255, description="The same key with the same request gives the same job again."),
]
ValidateOnly = Annotated[bool, Query(description="Check everything and say what the job may cost; store nothing.")]
Prefer = Annotated[str | None, Header(description="Jobs always run asynchronously.", include_in_schema=False)]

Limit = Annotated[int, Query(ge=1, le=10_000, description="At most so many come.")]

_ESTIMATE: dict[int | str, dict[str, Any]] = {
    200: {"model": Validation, "description": "The estimate (`validate_only`)."}
}


@router.get("/processes", response_model=ProcessList, responses=answers_openly(), summary="All processes")
async def processes(request: Request, addresses: AddressesDep, limit: Limit = 10) -> Response:
    """There is one, so that no limit parts the list and no link leads to a next page."""
    base = addresses.base
    summaries = [description.summary(base, request.app.version)][:limit]
    own = link(f"{base}/processes", "self", "This document")
    return json_answer({"processes": summaries, "links": [own]})


@router.get(
    "/processes/{process_id}", response_model=Process, responses=answers_openly(404), summary="Inputs and outputs"
)
async def one_process(request: Request, process_id: str, addresses: AddressesDep) -> Response:
    """Every setting with its JSON Schema."""
    _check_process(process_id)
    return json_answer(description.description(addresses.base, request.app.version))


@router.post(
    "/processes/{process_id}/execution",
    status_code=201,
    response_model=StatusInfo,
    responses=_ESTIMATE | may_answer(404, 408, 409, 410, 413, 422),
    summary="Submit a job",
)
def execute(
    process_id: str,
    body: Execute,
    services: ServicesDep,
    caller: CallerDep,
    addresses: AddressesDep,
    idempotency_key: IdempotencyKey = None,
    validate_only: ValidateOnly = False,
    prefer: Prefer = None,
) -> Response:
    """Answers at once; the job runs when a worker is free. `Location` is where to watch it."""
    _check_process(process_id)
    asked = job_request(body, services, addresses.base)
    if validate_only:
        return json_answer(dry_run(services, caller, asked))
    job, created = submit(services, caller, asked, idempotency_key)
    return submitted(services, job, addresses, created=created, prefer=prefer)


def submitted(services: Services, job: Job, addresses: Addresses, *, created: bool, prefer: str | None) -> Response:
    """The answer 201, also when the idempotency key had made the job before."""
    headers = {"Location": f"{addresses.base}/jobs/{job.id}"}
    if not created:
        headers["Idempotent-Replayed"] = "true"
    if prefer is not None and "respond-async" in prefer.lower():
        headers["Preference-Applied"] = "respond-async"
    position = jobs.queue_position(services.database, job)
    return json_answer(status_info(job, position, addresses.base), 201, headers)


def _check_process(process_id: str) -> None:
    if process_id != PROCESS:
        raise Refusal("no-such-process", f"there is no process {process_id[:64]!r}, only {PROCESS}")
