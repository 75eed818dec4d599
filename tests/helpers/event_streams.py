"""Server-Sent Events, as tests read them."""

import json
from collections.abc import Iterator
from typing import Any


def parsed(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Server-Sent Events as a browser understands them; comments as {"comment": ...}."""
    event: dict[str, Any] = {}
    for line in lines:
        if line.startswith(":"):
            yield {"comment": line}
        elif line:
            name, _, value = line.partition(": ")
            event[name] = value
        elif event:
            yield {**event, "data": json.loads(event["data"]) if "data" in event else None}
            event = {}
