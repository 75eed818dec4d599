"""The parts that JSON answers are made of."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from worker.values import timestamp

__all__ = ["JSON", "json_answer", "link", "timestamp", "without_nothing"]

JSON = "application/json"


def json_answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The body as JSON. NaN and infinities, which JSON has not got, become null."""
    return Response(orjson.dumps(body), status, dict(headers or {}), JSON)


def link(href: str, rel: str, title: str, media_type: str = JSON) -> dict[str, str]:
    """A link as OGC API documents have it."""
    return {"href": href, "rel": rel, "type": media_type, "title": title}


def without_nothing(values: Mapping[str, Any]) -> dict[str, Any]:
    """The members that are not None: OGC's schemas know absent members, but no null."""
    return {name: value for name, value in values.items() if value is not None}
