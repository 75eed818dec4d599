"""The addresses that take the short way: `GET /jobs/ID`, and files of a result, which map viewers read in hundreds of
pieces.

Their routes describe the answers; here are the same ones for a part of the processor's time. A test holds the two
against each other.
"""

import re

from starlette.requests import Request
from starlette.responses import Response

from api.deps import admit, admit_reader, count, services_of
from api.http.fast_path import Shortcut
from api.routes.jobs import current_status
from api.routes.results import result_file, signed_file
from worker.values import ID_PATTERN

_ID = f"({ID_PATTERN})"


async def _status(request: Request, job_id: str) -> Response:
    caller = await admit(request)
    count(request, caller)
    return await current_status(request, caller, job_id, request.headers.get("if-none-match"))


async def _file(request: Request, job_id: str, path: str) -> Response:
    owner = await admit_reader(request)
    return await result_file(request, job_id, path, services_of(request), owner)


async def _signed_file(request: Request, job_id: str, token: str, path: str) -> Response:
    return await signed_file(request, job_id, token, path, services_of(request))


SHORTCUTS = (
    # Not `job_changes`, which stands beside the ids.
    Shortcut(re.compile(f"/jobs/(?!events$){_ID}"), "/jobs/{job_id}", _status),
    Shortcut(re.compile(f"/jobs/{_ID}/results/(.+)"), "/jobs/{job_id}/results/{path:path}", _file),
    Shortcut(
        re.compile(f"/jobs/{_ID}/signed/([^/]+)/results/(.+)"),
        "/jobs/{job_id}/signed/{token}/results/{path:path}",
        _signed_file,
    ),
)
