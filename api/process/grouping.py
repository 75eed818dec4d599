"""Many sequences with common settings: from the body of a request to a group of jobs, and what it is told as."""

from collections import Counter
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from api.errors import Refusal
from api.http.addresses import upload_path
from api.http.answers import link, timestamp, without_nothing
from api.http.authentication import Caller
from api.process.execute import Changes, Execute, Subscriber, Tags
from api.process.naming import invalid
from api.process.parameters import Whole
from api.process.sequences import Asked, Reference
from api.process.status import percent
from api.process.submitting import job_request
from api.services import Services
from worker.errors import NotFound
from worker.jobs import PRIORITIES, uploads
from worker.jobs.groups import Group, submit_group

MOST_SEQUENCES = 50
_ID = "5d8b1c0e-7f3a-4c55-9a39-0d6c2f1a7b11"


class Label(Asked):
    """What you call a job; what is left out stays as it is."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"tags": ["2021", "wheat"]}]}
    )

    name: str = Field(default="", min_length=1, max_length=200)
    tags: Tags = Field(default=[], description="In place of those that it has.")


class Together(Asked):
    """Sequences that are to be made cloud-free with the same settings."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"sequences": [{"href": f"/uploads/{_ID}"}], "inputs": {"max_minutes": 5}}]},
    )

    sequences: Annotated[list[Reference], Field(min_length=1, max_length=MOST_SEQUENCES)] = Field(
        description="Uploads, or addresses that the service may fetch, each for a job; `title` is the job's name, by "
        "default the upload's."
    )
    inputs: Changes = Field(default_factory=Changes, description="Settings of the process `decloud`, for all.")
    name: str | None = Field(default=None, min_length=1, max_length=200, description="Of the group.")
    priority: Annotated[int, Field(ge=PRIORITIES[0], le=PRIORITIES[-1]), Whole] = 0
    resource_class: str | None = Field(default=None, max_length=40)
    subscriber: Subscriber | None = None
    tags: Tags = Field(default=[], description="Of each job.")


def submit_together(
    services: Services, caller: Caller, body: Together, base: str, idempotency_key: str | None
) -> tuple[Group, bool]:
    """The group, committed and rung for, and whether it is a new one. Raises `Refusal` naming the sequence."""
    services.incoming.check_place()
    asked = [_asked(services, caller, body, number, base) for number in range(len(body.sequences))]
    group, created = submit_group(
        services.database,
        asked,
        owner=caller.owner,
        limits=caller.limits,
        name=body.name,
        idempotency_key=idempotency_key,
    )
    if created:
        for resource_class in {job.resource_class for job in group.jobs}:
            services.doorbell.ring(resource_class)
    return group, created


def _asked(services: Services, caller: Caller, body: Together, number: int, base: str) -> dict[str, Any]:
    """The arguments of `jobs.submit` for one sequence."""
    given = body.model_fields_set & {"priority", "resource_class", "subscriber", "tags"}
    reference = body.sequences[number]
    try:
        job = job_request(_execute(body, reference, given), services, base)
    except Refusal as refused:
        field, _, detail = refused.detail.partition(": ")
        if "sequence" not in field:
            raise
        raise invalid(f"sequences.{number}.href", detail) from None
    return {
        "input_id": job.input_id,
        "source": job.source,
        "params": job.params,
        "name": reference.title or (job.input_id and _name_of(services, job.input_id, caller.owner)),
        "priority": job.priority,
        "resource_class": job.resource_class,
        "subscriber": job.subscriber,
        "tags": job.tags,
    }


def _execute(body: Together, reference: Reference, given: set[str]) -> Execute:
    """As if it had come alone; all of it has been validated."""
    inputs = Execute.model_fields["inputs"].annotation
    assert inputs is not None
    settings = {name: getattr(body.inputs, name) for name in body.inputs.model_fields_set}
    one = inputs.model_construct(_fields_set={*settings, "sequence"}, **settings, sequence=reference)
    return Execute.model_construct(inputs=one, **{name: getattr(body, name) for name in given})


def _name_of(services: Services, upload_id: str, owner: str) -> str | None:
    """None also where there is no such upload: its submission says so."""
    try:
        return uploads.get(services.database, upload_id, owner).name
    except NotFound:
        return None


def group_info(group: Group, base: str) -> dict[str, Any]:
    """The document of `GET /groups/ID`."""
    address = f"{base}/groups/{group.id}"
    links = [link(address, "self", "This group"), link(f"{base}/jobs?group={group.id}", "item", "Its jobs, in full")]
    if group.status not in ("accepted", "running") and any(job.result_prefix for job in group.jobs):
        links.append(link(f"{address}/results.zip", "enclosure", "All results in one archive", "application/zip"))
    return {
        "id": group.id,
        "status": group.status,
        "progress": sum(100 if job.ended else percent(job) for job in group.jobs) // len(group.jobs),
        "counts": dict(Counter(job.status for job in group.jobs)),
        "created": timestamp(group.created),
        "jobs": [_member(job, base) for job in group.jobs],
        "links": links,
        **without_nothing({"name": group.name}),
    }


def _member(job: Any, base: str) -> dict[str, Any]:
    return {
        "jobID": job.id,
        "href": f"{base}/jobs/{job.id}",
        "status": job.status,
        "progress": percent(job),
        "sequence": upload_path(str(job.input_id)),
        **without_nothing({"name": job.name}),
    }
