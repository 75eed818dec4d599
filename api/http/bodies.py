"""Limits of a JSON body, before anything looks for meaning in it."""

import json
from typing import Any

from api.errors import Refusal

# A job's settings take a few kB, and a few dozen members; the outline of an area may have hundreds of corners.
BODY_BYTES = 64 << 10
_MOST_MEMBERS = 256
_OUTLINE = "coordinates"


def check_json(body: bytes) -> None:
    """Raises `Refusal` for more members than any request of ours has, wherever in it: validation would describe each
    unknown one. What is no JSON passes; whoever reads it next says where it is not.

    It is parsed as Starlette does, so that both see the same.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return
    members = _count(document)
    if members > _MOST_MEMBERS:
        detail = f"has {members} members, at most {_MOST_MEMBERS}"
        raise Refusal(
            "invalid-request", f"the body {detail}", errors=[{"in": "body", "detail": detail}], limit=_MOST_MEMBERS
        )


def _count(document: Any) -> int:
    """Members of objects and elements of lists, at any depth, but for what is in an outline: that is read as one."""
    count, waiting = 0, [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            value = [None if name == _OUTLINE else each for name, each in value.items()]
        if isinstance(value, list):
            count += len(value)
            waiting += value
    return count
