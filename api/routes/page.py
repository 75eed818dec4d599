"""The page, for browsers: everything that it shows comes from the API, with the key that its user types."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response

from api.errors import Refusal
from api.http.conditions import names
from api.routes.documented import answers_openly
from seq2seq.page import Page, PageFile

router = APIRouter(tags=["service"])

_PAGE = Page()
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_TEXT = {"schema": {"type": "string"}}
_KINDS = ("text/html", "text/css", "text/javascript", "image/svg+xml", "text/plain")
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {
            **dict.fromkeys(_KINDS, _TEXT),
            "application/json": {"schema": {}},
            **dict.fromkeys(("application/octet-stream", "image/png", "image/webp"), _BINARY),
        },
    }
}


def index() -> PageFile | None:
    """The page as it is served at `/`."""
    return _PAGE.index("service")


@router.get(
    "/page/{path:path}",
    responses=_FILE | answers_openly(304, 404),
    response_class=Response,
    summary="A file of the page",
)
async def page_file(request: Request, path: str) -> Response:
    """What the page at `/` consists of. Needs no key: it holds nobody's data."""
    found = _PAGE.find(path)
    if found is None:
        raise Refusal("not-found", f"the page has no file {path[:200]}")
    return page_answer(request, found)


def page_answer(request: Request, file: PageFile, vary: str = "") -> Response:
    """200 or 304. vary: what else the answer depends on."""
    content, headers = file.encoded(request.headers.get("accept-encoding"))
    headers["Vary"] = ", ".join(filter(None, (vary, headers["Vary"])))
    if names(request.headers.get("if-none-match"), headers["ETag"]):
        del headers["Content-Type"]
        headers.pop("Content-Encoding", None)
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(content, headers=headers)
