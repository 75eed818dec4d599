"""From the body of a request to a job, or to what can be said about one beforehand."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from api.http.answers import without_nothing
from api.http.authentication import Caller
from api.process import delivery
from api.process.comparing import comparison_estimate, comparison_named
from api.process.destination import destination_of
from api.process.execute import (
    Changes,
    ComparisonChanges,
    Destination,
    Execute,
    ExecuteComparison,
    ExecuteInspection,
    Format,
    Inputs,
    Resubmission,
    Shape,
    Subscriber,
)
from api.process.naming import invalid, named_sequence, source_again
from api.process.parameters import settings_named
from api.process.processes import media_types
from api.process.serving import resource_class_of
from api.services import Services
from seq2seq.config import ReconstructionConfig
from seq2seq.earlier_names import with_present_names
from seq2seq.estimate import estimate, tile_size
from seq2seq.processes import BENCHMARK, DECLOUD, INSPECT
from worker import jobs
from worker.access import quotas
from worker.errors import ForbiddenDestination, QuotaExceeded
from worker.jobs import Job, uploads
from worker.notices import destinations
from worker.settings import Settings
from worker.values import storable


@dataclass(frozen=True)
class JobRequest:
    """One job as it was asked for; the arguments of `jobs.submit`. shape: what the sender knows of the sequence."""

    process: str
    input_id: str | None
    source: dict[str, Any] | None
    params: dict[str, Any]
    resource_class: str
    name: str | None
    priority: int
    subscriber: dict[str, str] | None
    delivery: dict[str, Any] | None = None
    destination: Destination | None = None
    shape: Shape | None = None
    tags: tuple[str, ...] = ()


Executes = Execute | ExecuteComparison | ExecuteInspection
_PROCESSES: dict[type, str] = {Execute: DECLOUD, ExecuteComparison: BENCHMARK, ExecuteInspection: INSPECT}


def job_request(body: Executes, services: Services, base: str) -> JobRequest:
    """The job that the body asks for. Raises `Refusal` naming the field, or `ConfigError`."""
    inputs = body.inputs
    process = _PROCESSES[type(body)]
    params = params_of(inputs, {})
    asked = named_sequence(inputs.sequence, services.settings, base)
    return JobRequest(
        process=process,
        input_id=asked.input_id,
        source=asked.source,
        params=params,
        resource_class=resource_class_of(process, body.resource_class, services),
        name=_name(body.name),
        priority=body.priority,
        subscriber=_subscriber(body.subscriber, services.settings, base),
        delivery=_delivery(body, media_types(process)),
        destination=body.destination,
        shape=(inputs.shape if isinstance(inputs, Inputs) else None) or asked.shape,
        tags=tuple(body.tags),
    )


def resubmission_request(first: Job, body: Resubmission, services: Services, base: str) -> JobRequest:
    """The first job's upload and settings, but for what the body says."""
    given = body.model_fields_set
    return JobRequest(
        process=first.process,
        input_id=first.input_id,
        source=source_again(first.source, services.settings),
        params=params_of(_changes(first.process, body.inputs), first.params),
        resource_class=resource_class_of(first.process, body.resource_class or first.resource_class, services),
        name=_name(body.name) if "name" in given else first.name,
        priority=body.priority if "priority" in given else first.priority,
        subscriber=_subscriber(body.subscriber, services.settings, base) if "subscriber" in given else first.subscriber,
        delivery=first.delivery,
        # Not the first one's: its addresses have done their service, and a bucket would lose the first result.
        destination=body.destination,
        tags=tuple(body.tags if "tags" in given else first.tags or ()),
    )


def submit(services: Services, caller: Caller, job: JobRequest, idempotency_key: str | None) -> tuple[Job, bool]:
    """The job, committed and rung for, and whether it is a new one."""
    services.incoming.check_place()
    _check_shape(job.shape, caller.limits)
    submitted, created = jobs.submit(
        services.database,
        owner=caller.owner,
        input_id=job.input_id,
        params=job.params,
        limits=caller.limits,
        name=job.name,
        priority=job.priority,
        resource_class=job.resource_class,
        idempotency_key=idempotency_key,
        subscriber=job.subscriber,
        delivery=job.delivery,
        destination=destination_of(job.destination, services.settings, caller.owner),
        process=job.process,
        source=job.source,
        tags=job.tags,
    )
    if created:
        services.doorbell.ring(submitted.resource_class)
    return submitted, created


def dry_run(services: Services, caller: Caller, job: JobRequest) -> dict[str, Any]:
    """What submitting would find, with nothing stored: raises what it would raise, else says what the job may cost."""
    if job.input_id is not None:
        uploads.check_ready(uploads.get(services.database, job.input_id, caller.owner))
    _check_shape(job.shape, caller.limits)
    destination_of(job.destination, services.settings, caller.owner)
    used = quotas.usage(services.database, caller.owner)
    quotas.check_queued(used, caller.limits)
    quotas.check_stored(used, caller.limits, 0)
    return {"valid": True, "resource_class": job.resource_class, "estimate": _estimate(job, caller.limits)}


def _changes(process: str, given: dict[str, Any]) -> Changes | ComparisonChanges:
    """The settings of a process as they came. Raises `RequestValidationError` as for the body they came in."""
    try:
        return (ComparisonChanges if process == BENCHMARK else Changes).model_validate(given)
    except ValidationError as error:
        found = [{**each, "loc": ("body", "inputs", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(found) from None


def params_of(inputs: Changes | ComparisonChanges, before: dict[str, Any]) -> dict[str, Any]:
    """Only what was asked for: defaults are the engine's, when the job runs."""
    if isinstance(inputs, ComparisonChanges):
        return without_nothing({**before, **comparison_named(inputs)})
    params = without_nothing({**with_present_names(before), **settings_named(inputs)})
    _config(params)  # do old and new ones agree?
    return params


def _name(given: str | None) -> str | None:
    """As a database can hold it."""
    return None if given is None else storable(given, len(given))


def _config(params: dict[str, Any]) -> ReconstructionConfig:
    """Raises `ConfigError`."""
    return ReconstructionConfig.from_dict(params)


def _subscriber(given: Subscriber | None, settings: Settings, base: str) -> dict[str, str] | None:
    """An address for each status, and our own, for the links in what is sent there."""
    if given is None:
        return None
    for name, url in given:
        try:
            if url is not None:
                destinations.parse(url, settings)
        except ForbiddenDestination as error:
            raise invalid(f"subscriber.{name}", error.detail) from None
    addresses = without_nothing(
        {"successful": given.successUri, "running": given.inProgressUri, "failed": given.failedUri}
    )
    return {**addresses, "base": base} if addresses else None


def _estimate(job: JobRequest, limits: Settings) -> dict[str, Any]:
    if job.process == BENCHMARK:
        return comparison_estimate(job.params, limits)
    if job.process == INSPECT:
        return {
            "detail": "As long as reading the upload takes, mostly seconds.",
            "limits": {"seconds": limits.max_run_s},
        }
    config = _config(job.params)
    budget_s = min(limits.max_run_s, 60 * config.max_minutes if config.max_minutes else limits.max_run_s)
    bounds = {"seconds": budget_s, "memory_gb": config.max_memory_gb, "pixels_dates": limits.max_pixels_dates}
    if job.shape is None:
        detail = "The import will tell size and cost; say inputs.shape to have an estimate now."
        return {"detail": detail, "limits": bounds}
    shape = (job.shape.dates, job.shape.bands, job.shape.height, job.shape.width)
    expected = estimate(shape, config)
    return {
        "seconds": round(expected.seconds, 1),
        "memory_gb": round(expected.memory_gb, 2),
        "tiles": math.prod(_tiles(side, shape, config) for side in shape[2:]),
        "detail": "For two CPU cores, right within a factor of two; the worker may be faster.",
        "limits": bounds,
    }


def _check_shape(shape: Shape | None, limits: Settings) -> None:
    """What is known to be too large need not be imported to find out."""
    asked = 0 if shape is None else shape.dates * shape.height * shape.width
    if asked > limits.max_pixels_dates:
        raise QuotaExceeded(
            f"pixels times dates are {asked:,}, they may be {limits.max_pixels_dates:,.0f}",
            quota="max_pixels_dates",
            limit=limits.max_pixels_dates,
            asked=asked,
        )


def _tiles(side: int, shape: tuple[int, int, int, int], config: ReconstructionConfig) -> int:
    tile = config.tile_px or tile_size(shape, config)
    if side <= tile:
        return 1
    return 1 + math.ceil((side - tile) / (tile - min(config.overlap_px, tile // 2)))


def _delivery(body: Executes, kinds: Mapping[str, str]) -> dict[str, Any] | None:
    """What is kept of `outputs` and `response`. Raises `Refusal` for a format that an output does not come in."""
    outputs = body.outputs
    kept = delivery.kept_of(body.response, {name: output.transmissionMode for name, output in outputs.items()})
    modes = (kept or {}).get("outputs", {})
    for name, output in outputs.items():
        if output.format is not None:
            _check_format(name, kinds[name], output.format, body.response, modes[name])
    return kept


def _check_format(name: str, media_type: str, asked: Format, response: str, mode: str) -> None:
    encoding = delivery.encoding_of(media_type, response, mode)
    if asked.mediaType is not None and _kind(asked.mediaType) != _kind(media_type):
        raise invalid(f"outputs.{name}.format.mediaType", f"must be {media_type}")
    if asked.encoding not in (None, encoding):
        raise invalid(f"outputs.{name}.format.encoding", f"must be {encoding}, as a {mode} in a {response} response")


def _kind(media_type: str) -> str:
    """Without its parameters."""
    return media_type.partition(";")[0].strip().lower()
