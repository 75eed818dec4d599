"""The answers that every route may give, as OpenAPI describes them."""

from typing import Any

from api.errors import MEDIA_TYPE
from api.schemas.base import Problem

_WHEN = {
    304: "Not modified: the entity tag is the one you have.",
    400: "The request is not valid; `errors` say where.",
    401: "No valid API key.",
    403: "The signed address was changed or has expired; or the upload is made of others and takes no bytes.",
    404: "There is nothing here, or it belongs to somebody else.",
    405: "This address does not know the method.",
    408: "Nothing arrived for too long.",
    409: "The state of things does not allow it.",
    410: "It is no longer there.",
    412: "Another version of tus is needed.",
    413: "Too large; `limit` says what is allowed.",
    415: "This kind of content is not understood.",
    416: "The file has no such bytes.",
    422: "The idempotency key was used for another request; or the job failed, and this is why.",
    423: "The upload is being written by another process.",
    429: "Too many requests, or a quota is used up; Retry-After says when to try again.",
    460: "The bytes arrived damaged.",
    503: "The database or the storage does not answer; Retry-After says when to try again.",
    507: "The disk is full.",
}
_ALWAYS = (400, 401, 429, 503)


def may_answer(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: problem documents, for `statuses` and those that are always possible."""
    return {status: _response(status) for status in sorted({*_ALWAYS, *statuses})}


def answers_openly(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The same for routes that need no key."""
    return {status: _response(status) for status in sorted({400, *statuses})}


def _response(status: int) -> dict[str, Any]:
    if status < 400:
        return {"description": _WHEN[status]}
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {"description": _WHEN[status], "content": {MEDIA_TYPE: {"schema": schema}}}
