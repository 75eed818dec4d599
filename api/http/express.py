"""A short way past the routing for what is asked most: `GET /jobs/ID`, and files of a result, which map viewers read in
hundreds of pieces; both without parameters.

The routes of the same addresses say what they answer; here are the same answers for a part of the processor's time. A
test holds the two against each other.
"""

import re
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.deps import admit, admit_reader, count, services_of
from api.errors import service_problem
from api.routes.jobs import current_status
from api.routes.results import result_file, signed_file
from worker.errors import ServiceError

_ID = "([A-Za-z0-9-]{1,64})"


async def _status(request: Request, job_id: str) -> Response:
    caller = await admit(request)
    count(request, caller)
    return await current_status(request, caller, job_id, request.headers.get("if-none-match"))


async def _file(request: Request, job_id: str, path: str) -> Response:
    owner = await admit_reader(request)
    return await result_file(request, job_id, path, services_of(request), owner)


async def _signed_file(request: Request, job_id: str, token: str, path: str) -> Response:
    return await signed_file(request, job_id, token, path, services_of(request))


# Each with the path of its route, which is what figures are counted by.
_WAYS: tuple[tuple[re.Pattern[str], str, Callable[..., Awaitable[Response]]], ...] = (
    (re.compile(f"/jobs/{_ID}"), "/jobs/{job_id}", _status),
    (re.compile(f"/jobs/{_ID}/results/(.+)"), "/jobs/{job_id}/results/{path:path}", _file),
    (
        re.compile(f"/jobs/{_ID}/signed/([^/]+)/results/(.+)"),
        "/jobs/{job_id}/signed/{token}/results/{path:path}",
        _signed_file,
    ),
)


class Express:
    """ASGI middleware, next to the routes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http" and scope["method"] == "GET" and not scope["query_string"]:
            for address, route, way in _WAYS:
                if match := address.fullmatch(scope["path"]):
                    scope["route"] = scope["app"].state.routes_by_path[route]
                    answer = await _answer(way(Request(scope), *match.groups()))
                    await answer(scope, receive, send)
                    return
        await self._app(scope, receive, send)


async def _answer(asked: Awaitable[Response]) -> Response:
    try:
        return await asked
    except ServiceError as error:
        return service_problem(error)
