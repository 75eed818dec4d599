"""The processes, and how to have them run."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from api.deps import AddressesDep, CallerDep, ServicesDep, services_of
from api.http.addresses import Addresses
from api.http.answers import json_answer, link
from api.http.authentication import Caller
from api.process import description
from api.process.destination import offered
from api.process.execute import Execute, ExecuteComparison, ExecuteInspection
from api.process.processes import PROCESSES, find_process
from api.process.status import status_info
from api.process.submitting import JobRequest, dry_run, job_request, submit
from api.routes.documented import answers_openly, may_answer
from api.schemas.jobs import StatusInfo
from api.schemas.processes import Process, ProcessList, Validation
from api.services import Services
from seq2seq.processes import BENCHMARK, DECLOUD, INSPECT
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
    """They are few: a list that a limit has cut short is the beginning of the whole."""
    base = addresses.base
    summaries = [description.summary(process, base, request.app.version) for process in PROCESSES[:limit]]
    own = link(f"{base}/processes", "self", "This document")
    return json_answer({"processes": summaries, "links": [own]})


@router.get(
    "/processes/{process_id}", response_model=Process, responses=answers_openly(404), summary="Inputs and outputs"
)
async def one_process(request: Request, process_id: str, addresses: AddressesDep) -> Response:
    """Every setting with its JSON Schema."""
    settings = services_of(request).settings
    found, version = find_process(process_id), request.app.version
    forms, catalogs = offered(settings), settings.input_catalogs
    return json_answer(description.description(found, addresses.base, version, forms, catalogs))


@router.post(
    f"/processes/{BENCHMARK}/execution",
    status_code=201,
    response_model=StatusInfo,
    responses=_ESTIMATE | may_answer(404, 408, 409, 410, 413, 422),
    summary="Submit a comparison of methods",
)
def execute_comparison(
    body: ExecuteComparison,
    services: ServicesDep,
    caller: CallerDep,
    addresses: AddressesDep,
    idempotency_key: IdempotencyKey = None,
    validate_only: ValidateOnly = False,
    prefer: Prefer = None,
) -> Response:
    """As for the other process; the job takes as long as its methods do."""
    asked = job_request(body, services, addresses.base)
    return _answer(asked, services, caller, addresses, idempotency_key, validate_only=validate_only, prefer=prefer)


@router.post(
    f"/processes/{INSPECT}/execution",
    status_code=201,
    response_model=StatusInfo,
    responses=_ESTIMATE | may_answer(404, 408, 409, 410, 413, 422),
    summary="Submit an inspection",
)
def execute_inspection(
    body: ExecuteInspection,
    services: ServicesDep,
    caller: CallerDep,
    addresses: AddressesDep,
    idempotency_key: IdempotencyKey = None,
    validate_only: ValidateOnly = False,
    prefer: Prefer = None,
) -> Response:
    """As for the other processes; `POST /uploads/ID/inspect` asks for the same, once, and can wait for it."""
    asked = job_request(body, services, addresses.base)
    return _answer(asked, services, caller, addresses, idempotency_key, validate_only=validate_only, prefer=prefer)


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
    if process_id != DECLOUD:
        find_process(process_id)
    asked = job_request(body, services, addresses.base)
    return _answer(asked, services, caller, addresses, idempotency_key, validate_only=validate_only, prefer=prefer)


def _answer(
    asked: JobRequest,
    services: Services,
    caller: Caller,
    addresses: Addresses,
    idempotency_key: str | None,
    *,
    validate_only: bool,
    prefer: str | None,
) -> Response:
    """The job, or what can be said beforehand."""
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
