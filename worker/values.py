"""Values as they are stored and sent: ids as we make them, text as both databases can hold it, times as text."""

import re
from datetime import UTC, datetime

ID_PATTERN = "[A-Za-z0-9-]{1,64}"
_ID = re.compile(ID_PATTERN)
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


def is_id(value: str) -> bool:
    """Whether `value` can be an id of ours. What cannot is not found, without asking the database."""
    return _ID.fullmatch(value) is not None


def storable(value: str, limit: int) -> str:
    """`value` without what PostgreSQL or UTF-8 cannot hold, at most `limit` characters."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)[:limit]


def timestamp(seconds: float) -> str:
    """A time by RFC 3339 in UTC: 2026-11-21T13:00:00.000Z."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
