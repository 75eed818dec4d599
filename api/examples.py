"""Examples, one for each document that OpenAPI shows; a test holds them against their schemas."""

from typing import Any

_BASE = "https://decloud.example.org"
_JOB_ID = "5d8b1c0e-7f3a-4c55-9a39-0d6c2f1a7b11"
_UPLOAD_ID = "0f3a5d8b-1c0e-4c55-9a39-7b110d6c2f1a"
_JSON = "application/json"


def _link(path: str, rel: str, title: str) -> dict[str, Any]:
    return {"href": f"{_BASE}{path}", "rel": rel, "type": _JSON, "title": title}


_STATUS = {
    "jobID": _JOB_ID,
    "id": _JOB_ID,
    "processID": "decloud",
    "process": {"href": f"{_BASE}/processes/decloud", "rel": "process", "type": _JSON},
    "type": "process",
    "status": "running",
    "message": "Running: fitting.",
    "created": "2026-11-21T13:00:00.000Z",
    "started": "2026-11-21T13:00:01.000Z",
    "updated": "2026-11-21T13:02:00.000Z",
    "progress": 40,
    "name": "fields",
    "priority": 0,
    "resource_class": "cpu",
    "attempt": 1,
    "phase": "fitting",
    "step": 48,
    "of": 120,
    "eta_s": 180.0,
    "inputs": {"sequence": {"href": f"/uploads/{_UPLOAD_ID}"}, "max_minutes": 5},
    "links": [_link(f"/jobs/{_JOB_ID}", "self", "This job")],
}
_DELIVERED = {
    "href": "s3://fields-of-ann/2021",
    "state": "delivered",
    "tries": 1,
    "files": 31,
    "bytes": 73400320,
    "delivered": "2026-11-21T13:06:00.000Z",
}
_UPLOAD = {
    "id": _UPLOAD_ID,
    "href": f"/uploads/{_UPLOAD_ID}",
    "name": "fields.zip",
    "state": "complete",
    "length": 1048576,
    "offset": 1048576,
    "sha256": "a3" * 32,
    "created": "2026-11-21T12:59:00.000Z",
    "expires": "2026-11-22T12:59:00.000Z",
    "links": [_link(f"/uploads/{_UPLOAD_ID}", "self", "This upload")],
}
_PROCESS = {
    "id": "decloud",
    "version": "0.1.0",
    "title": "Cloud-free Sentinel-2 sequences",
    "description": "Restores clouds, shadows and gaps.",
    "keywords": ["Sentinel-2"],
    "jobControlOptions": ["async-execute", "dismiss"],
    "outputTransmission": ["reference", "value"],
    "links": [_link("/processes/decloud", "self", "The process")],
}
_SEED = {
    "title": "Seed",
    "description": "The same seed gives the same result.",
    "schema": {"type": "integer", "minimum": 0, "default": 0},
    "minOccurs": 0,
    "maxOccurs": 1,
}
_PREVIEW = {
    "title": "Preview",
    "description": "A choice of dates, before and after.",
    "schema": {"type": "string", "contentEncoding": "binary", "contentMediaType": "image/png"},
}
_LOG_ENTRY = {
    "id": "7",
    "time": "2026-11-21T13:00:01.000Z",
    "level": "info",
    "kind": "status",
    "message": "Started.",
    "attempt": 1,
    "data": {"message": "Started."},
}

_INSPECTION = {
    "name": "fields",
    "path": "fields.zip",
    "dates": ["2021-05-01", "2021-05-06"],
    "bands": ["B02", "B03", "B04", "B08"],
    "cloud_fraction": [0.12, 0.71],
    "previews": [
        {
            "date": "2021-05-01",
            "path": "previews/2021-05-01.webp",
            "href": f"{_BASE}/jobs/{_JOB_ID}/results/previews/2021-05-01.webp",
        }
    ],
    "grid": {"crs": "EPSG:32631", "width": 512, "height": 512, "gsd_m": 10.0},
    "outline": [[4.41, 50.54], [4.41, 50.5], [4.48, 50.5], [4.48, 50.54], [4.41, 50.54]],
    "s1": {"available": True, "units": "db (from the values)", "dates": ["2021-05-02", None]},
    "s1_acquisitions": ["2021-05-02"],
    "mask_source": "rules",
    "warnings": [],
    "estimate": {"seconds": 310.2, "memory_gb": 1.9, "on": "2 CPU cores"},
    "jobID": _JOB_ID,
    "upload": f"/uploads/{_UPLOAD_ID}",
    "queue": {"resource_class": "cpu", "jobs": 2, "wait_s": 340.0},
    "links": [_link(f"/jobs/{_JOB_ID}", "via", "The job that found it")],
}
EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "StatusInfo": [_STATUS, {**_STATUS, "status": "successful", "message": "Done.", "destination": _DELIVERED}],
    "JobList": [{"jobs": [_STATUS], "links": [_link("/jobs", "self", "This list")]}],
    "UploadInfo": [_UPLOAD],
    "UploadList": [{"uploads": [_UPLOAD]}],
    "ProcessList": [{"processes": [_PROCESS], "links": [_link("/processes", "self", "This document")]}],
    "Process": [{**_PROCESS, "inputs": {"seed": _SEED}, "outputs": {"preview": _PREVIEW}}],
    "Validation": [
        {
            "valid": True,
            "resource_class": "cpu",
            "estimate": {
                "seconds": 240.0,
                "memory_gb": 1.2,
                "tiles": 1,
                "detail": "For two CPU cores, right within a factor of two; the worker may be faster.",
                "limits": {"seconds": 300.0, "memory_gb": 8.0, "pixels_dates": 2e10},
            },
        }
    ],
    "Inspection": [_INSPECTION],
    "LoginInfo": [{"offered": True, "owner": "ann"}],
    "UsageInfo": [
        {
            "stored_bytes": {"used": 73400320, "limit": 107374182400, "left": 107300782080},
            "queued": {"used": 2, "limit": 20, "left": 18},
            "inspections": {"used": 0, "limit": 20, "left": 20},
            "running": {"used": 1, "limit": 4, "left": 3},
            "uploads": 3,
            "limits": {"upload_bytes": 21474836480, "pixels_dates": 2e10, "run_s": 21600, "requests_per_minute": 600},
            "last_30_days": {"jobs": {"successful": 12, "running": 1, "accepted": 2}, "run_s": 4210.5},
        }
    ],
    "GroupInfo": [
        {
            "id": _JOB_ID,
            "name": "fields of 2021",
            "status": "running",
            "progress": 40,
            "counts": {"running": 1},
            "created": "2026-11-21T13:00:00.000Z",
            "jobs": [
                {
                    "jobID": _JOB_ID,
                    "href": f"{_BASE}/jobs/{_JOB_ID}",
                    "status": "running",
                    "progress": 40,
                    "sequence": f"/uploads/{_UPLOAD_ID}",
                    "name": "fields.zip",
                }
            ],
            "links": [_link(f"/groups/{_JOB_ID}", "self", "This group")],
        }
    ],
    "Problem": [
        {
            "type": "urn:decloud:problem:invalid-request",
            "title": "The request is not valid",
            "status": 400,
            "detail": "inputs.seed: must be greater than or equal to 0",
            "code": "invalid-request",
            "errors": [{"in": "body", "field": "inputs.seed", "detail": "must be greater than or equal to 0"}],
        }
    ],
    "Log": [{"logs": [_LOG_ENTRY], "links": [_link(f"/jobs/{_JOB_ID}/log", "self", "This part")]}],
    "LandingPage": [{"title": "decloud", "description": "Cloud-free.", "links": [_link("/", "self", "This document")]}],
    "Conformance": [{"conformsTo": ["http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/core"]}],
    "WebhookSecret": [{"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}],
    "Health": [{"status": "ok"}],
    "Workers": [{"status": "ok", "waiting": {"cpu": 2}, "serving": {"cpu": 1}, "unheard": 0, "lacking": []}],
}
