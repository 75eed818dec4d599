"""Problems: one table from codes to HTTP, and bodies by RFC 9457."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match

from seq2seq.errors import DecloudError
from worker.errors import ServiceError

_log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_OURS = "urn:decloud:problem:"
# The exceptions that OGC API - Processes 1.0 names itself (18-062r2, 7.11 to 7.13).
_OGC = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/"
_OGC_CODES = frozenset({"no-such-process", "no-such-job", "result-not-ready"})


@dataclass(frozen=True)
class Kind:
    """status: HTTP's. title: the same for every occurrence. retry_after_s: when another try may help."""

    status: int
    title: str
    retry_after_s: int | None = None


KINDS: dict[str, Kind] = {
    "invalid-request": Kind(400, "The request is not valid"),
    "invalid-config": Kind(400, "A setting is not valid"),
    "invalid-key": Kind(400, "The name is not valid"),
    "unauthorized": Kind(401, "A valid API key is needed"),
    "invalid-signature": Kind(403, "The signed address is not valid"),
    "upload-is-final": Kind(403, "The upload is made of others"),
    "foreign-page": Kind(403, "The request comes from another site's page"),
    "not-found": Kind(404, "There is nothing here"),
    "no-such-process": Kind(404, "There is no such process"),
    "no-such-job": Kind(404, "There is no such job"),
    "result-not-ready": Kind(404, "The job has no result yet"),
    "job-dismissed": Kind(404, "The job was cancelled"),
    "method-not-allowed": Kind(405, "This address does not know the method"),
    "request-timeout": Kind(408, "Nothing arrived for too long"),
    "job-active": Kind(409, "The job has not ended"),
    "unserved-class": Kind(409, "No worker serves the class"),
    "upload-not-ready": Kind(409, "The upload is not complete"),
    "upload-in-use": Kind(409, "The upload is needed"),
    "offset-conflict": Kind(409, "The bytes do not continue the upload"),
    "upload-gone": Kind(410, "The upload is no longer there"),
    "result-expired": Kind(410, "The result has expired"),
    "unsupported-tus-version": Kind(412, "Another version of tus is needed"),
    "content-too-large": Kind(413, "The request is too large"),
    "upload-too-large": Kind(413, "The upload is too large"),
    "address-too-long": Kind(414, "The request's address is too long"),
    "unsupported-media-type": Kind(415, "This kind of content is not understood"),
    "range-not-satisfiable": Kind(416, "The file has no such bytes"),
    "unknown-host": Kind(421, "The server is not known by this name"),
    "idempotency-conflict": Kind(422, "The idempotency key was used for another request"),
    "upload-locked": Kind(423, "The upload is being written", retry_after_s=1),
    "quota-exceeded": Kind(429, "The quota is used up", retry_after_s=60),
    "rate-limit-exceeded": Kind(429, "Too many requests"),
    "headers-too-large": Kind(431, "The request's headers are too large"),
    # tus 1.0, extension checksum
    "checksum-mismatch": Kind(460, "The bytes arrived damaged"),
    "internal-error": Kind(500, "Our fault"),
    "unknown-coding": Kind(501, "The transfer coding is not known"),
    "too-many-connections": Kind(503, "Too many connections are open", retry_after_s=2),
    "database-unavailable": Kind(503, "The database does not answer", retry_after_s=5),
    "storage-unavailable": Kind(503, "The storage does not answer", retry_after_s=5),
    "not-ready": Kind(503, "The service is not ready", retry_after_s=5),
    "storage-full": Kind(507, "The disk is full", retry_after_s=300),
}
# What Starlette, or what we by its means, refuses.
_BY_STATUS = {408: "request-timeout", 413: "content-too-large", 415: "unsupported-media-type"}
# A failed job is no failure of the request that asks for its result: nobody should repeat it.
FAILED_JOB_STATUS = 422

# pydantic's words are Python's.
_IN_JSON = {
    "missing": "is missing",
    "extra_forbidden": "there is no such member",
    "none_required": "must be null",
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
}


class Refusal(ServiceError):  # noqa: N818  named as the caller sees it
    """Raised for a problem that only HTTP knows; `code` is one of the table's."""

    def __init__(self, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.code = code
        self.headers = dict(headers or {})


def problem(
    code: str, detail: str, *, status: int | None = None, headers: Mapping[str, str] | None = None, **extra: Any
) -> Response:
    """The answer; `extra` are members of its own kind, such as the numbers of a limit."""
    kind = KINDS.get(code) or Kind(status or 500, code.replace("-", " ").capitalize())
    status = status or kind.status
    # RFC 9457's own members are not for others to set.
    body = {**extra, "type": type_of(code), "title": kind.title, "status": status, "detail": detail, "code": code}
    sent = {"Cache-Control": "no-store"}
    if kind.retry_after_s is not None:
        sent["Retry-After"] = str(kind.retry_after_s)
    if status == HTTPStatus.UNAUTHORIZED:
        sent["WWW-Authenticate"] = "Bearer"
    if code == "range-not-satisfiable":
        sent["Content-Range"] = f"bytes */{extra.get('size', 0)}"
    return Response(orjson.dumps(body, default=str), status, {**sent, **(headers or {})}, MEDIA_TYPE)


def raw_problem(code: str, detail: str) -> bytes:
    """A problem as HTTP/1.1 sends it, for a connection that ends with it: where no application is asked."""
    answer = problem(code, detail)
    status = HTTPStatus(answer.status_code)
    headers = [*answer.raw_headers, (b"x-content-type-options", b"nosniff"), (b"connection", b"close")]
    lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode(), *(b"%s: %s" % header for header in headers)]
    return b"\r\n".join([*lines, b"", bytes(answer.body)])


def type_of(code: str) -> str:
    """The stable URI of a kind of problem."""
    return (_OGC if code in _OGC_CODES else _OURS) + code


def job_problem(error: Mapping[str, Any]) -> Response:
    """The answer that a job failed, and why, as its row has it."""
    extra = {name: value for name, value in error.items() if name not in ("code", "detail")}
    return problem(str(error["code"]), str(error.get("detail", "")), status=FAILED_JOB_STATUS, **extra)


def install(app: FastAPI) -> None:
    """Makes `app` answer every exception with a problem document."""
    app.add_exception_handler(ServiceError, _on_service_error)
    app.add_exception_handler(DecloudError, _on_decloud_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)


async def _on_service_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    return service_problem(error)


def service_problem(error: ServiceError) -> Response:
    """The answer to one of the service's own errors. What is no business of the caller's becomes `internal-error`."""
    if error.code not in KINDS:
        _log.error("no request should meet this: %s", error.detail, extra={"code": error.code})
        return internal_error()
    if KINDS[error.code].status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("%s", error.detail, extra={"code": error.code})
    headers = error.headers if isinstance(error, Refusal) else {}
    return problem(error.code, error.detail, headers=headers, **error.extra)


async def _on_decloud_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, DecloudError)
    return problem(error.code if error.code in KINDS else "invalid-request", str(error))


async def _on_validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    errors = [_place(entry) for entry in found[:20]]
    first = errors[0]
    more = f" ({len(found)} problems in all)" if len(found) > 1 else ""
    return problem("invalid-request", f"{first.get('field', first['in'])}: {first['detail']}{more}", errors=errors)


def _place(entry: Mapping[str, Any]) -> dict[str, Any]:
    """One of pydantic's errors: where it is, and what is wrong there. What was sent is not repeated."""
    where, *path = entry["loc"]
    message = str(entry["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    detail = _IN_JSON.get(entry["type"], message)
    if entry["type"] == "json_invalid":
        at = path[0] if path else 0
        return {"in": "body", "detail": f"is no JSON: {entry.get('ctx', {}).get('error', message)} at character {at}"}
    place: dict[str, Any] = {"in": str(where), "detail": detail}
    if path:
        place["field"] = ".".join(str(part) for part in path)
    if where == "body":
        place["pointer"] = "#/" + "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return place


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    asked = f"{request.method} {request.url.path}"
    if error.status_code == HTTPStatus.NOT_FOUND:
        if b"%2f" in request.scope.get("raw_path", b"").lower():
            detail = (
                f"{asked}: there is nothing at this address; %2F in it is a / like any other, and no name can hold one"
            )
            return problem("invalid-key" if request.method == "PUT" else "not-found", detail)
        return problem("not-found", f"{asked}: there is nothing at this address")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = sorted(_methods(request))
        return problem(
            "method-not-allowed", f"{asked}: allowed are {', '.join(allowed)}", headers={"Allow": ", ".join(allowed)}
        )
    code = _BY_STATUS.get(error.status_code, "invalid-request")
    return problem(code, str(error.detail), status=error.status_code, headers=error.headers)


def _methods(request: Request) -> set[str]:
    """All that the address knows, on whatever route."""
    found: set[str] = set()
    for route in request.app.state.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= set(route.methods or ())
    return found | ({"HEAD"} if "GET" in found else set())


async def _on_disconnect(_: Request, __: Exception) -> Response:
    """Nobody is there to read it."""
    return Response(status_code=HTTPStatus.BAD_REQUEST)


def internal_error() -> Response:
    """The answer to a bug: all that a user learns; the request's id leads the operator to the trace."""
    return problem("internal-error", "Something went wrong on our side; the operator's log has it by the request's id.")
