"""What is in an upload, as an answer: the inspection's document, with the queue as it is now."""

import json
from typing import Any

from api.http.addresses import upload_path
from api.http.answers import link
from api.http.authentication import Caller
from api.process.execute import Inspect
from api.process.submitting import params_of
from api.services import Services
from seq2seq.products import INSPECTION
from worker.jobs import Job, artifacts
from worker.jobs.inspections import inspection, waiting_before

# Written by our own worker; this only keeps a damaged storage from filling the memory.
_MOST_BYTES = 16 << 20


def begin(services: Services, caller: Caller, upload_id: str, body: Inspect, release: str) -> Job:
    """The job that looks at the upload: a new one, committed and rung for, or the one that has done so."""
    services.incoming.check_place()
    job, created = inspection(
        services.database,
        upload_id,
        owner=caller.owner,
        params=params_of(body.inputs, {}),
        limits=caller.limits,
        resource_class=services.settings.resource_classes[0],
        release=release,
    )
    if created:
        services.doorbell.ring(job.resource_class)
    return job


def document(services: Services, job: Job, base: str) -> dict[str, Any]:
    """What a finished job has found. Raises `NotFound` where its result has gone."""
    file = artifacts.get(services.database, job.id, INSPECTION.path)
    pieces = services.storage.open_range(f"{job.result_prefix}/{file.path}", 0, min(file.size, _MOST_BYTES))
    found: dict[str, Any] = json.loads(b"".join(pieces))
    address = f"{base}/jobs/{job.id}"
    return {
        **found,
        "jobID": job.id,
        "upload": upload_path(str(job.input_id)),
        "queue": {"resource_class": job.resource_class, "jobs": waiting_before(services.database, job.resource_class)},
        "links": [
            link(address, "via", "The job that found it"),
            link(f"{address}/results", "http://www.opengis.net/def/rel/ogc/1.0/results", "Its results"),
        ],
    }
