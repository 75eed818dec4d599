"""What is in an upload, as an answer: the inspection's document, with the queue as it is now."""

import json
from typing import Any

from api.http.addresses import result_path, upload_path
from api.http.answers import link, without_nothing
from api.http.authentication import Caller
from api.metrics import serving
from api.process.execute import Inspect
from api.process.serving import resource_class_of
from api.process.submitting import params_of
from api.services import Services
from seq2seq.processes import DECLOUD, INSPECT
from seq2seq.products import INSPECTION
from worker.jobs import Job, artifacts
from worker.jobs.ahead import ahead
from worker.jobs.inspections import inspection

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
        resource_class=resource_class_of(INSPECT, None, services),
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
        # Jobs of older releases have none.
        "previews": [
            {**each, "href": f"{base}{result_path(job.id, each['path'])}"} for each in found.get("previews", [])
        ],
        "jobID": job.id,
        "upload": upload_path(str(job.input_id)),
        "queue": _queue(services),
        "links": [
            link(address, "via", "The job that found it"),
            link(f"{address}/results", "http://www.opengis.net/def/rel/ogc/1.0/results", "Its results"),
        ],
    }


def _queue(services: Services) -> dict[str, Any]:
    """Of a job of ours that were submitted now and asked for no class."""
    resource_class = resource_class_of(DECLOUD, None, services)
    workers = serving(services.database, services.settings).get(resource_class, 0)
    found = ahead(services.database, resource_class, workers=workers)
    return without_nothing({"resource_class": resource_class, "jobs": found.jobs, "wait_s": found.wait_s})
