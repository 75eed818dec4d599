"""Text as both databases can hold it, and ids as we make them."""

import re

_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


def is_id(value: str) -> bool:
    """Whether `value` can be an id of ours. What cannot is not found, without asking the database."""
    return _ID.fullmatch(value) is not None


def storable(value: str, limit: int) -> str:
    """`value` without what PostgreSQL or UTF-8 cannot hold, at most `limit` characters."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)[:limit]
