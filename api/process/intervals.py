"""OGC's datetime parameter: an instant, or an interval with .. or nothing for an open end."""

import re
from datetime import UTC, datetime

from api.errors import Refusal

_LONG, _SHORT = "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])", "(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
_MONTHS = f"(?:{_LONG}|{_SHORT}|02-(?:0[1-9]|1[0-9]|2[0-8]))"
_LEAP_YEAR = "(?:[12][0-9](?:0[48]|[2468][048]|[13579][26])|(?:12|16|20|24|28)00)"
_DATE = f"(?:[12][0-9]{{3}}-{_MONTHS}|{_LEAP_YEAR}-02-29)"
# A plus in a query is a space.
_ZONE = "(?:Z|[+ -](?:[01][0-9]|2[0-3]):[0-5][0-9])"
_TIME = rf"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{{1,9}})?{_ZONE}?"
_INSTANT = f"{_DATE}(?:{_TIME})?"
_END = rf"(?:{_INSTANT}|\.\.)?"
# All that is understood: RFC 3339 in the years 1000 to 2999, UTC where no zone is said, and dates alone.
PATTERN = f"^(?:{_INSTANT}|{_END}/{_END})$"
_WHOLE = re.compile(PATTERN[1:-1], re.ASCII)


def interval(text: str | None) -> tuple[float | None, float | None]:
    """The first and last second since 1970; None: open. An instant is as long as it is exact: a day, a second, none.

    Raises `Refusal` for what `PATTERN` does not match.
    """
    if text is None:
        return None, None
    if _WHOLE.fullmatch(text) is None:
        raise Refusal(
            "invalid-request",
            "datetime: is no RFC 3339 time such as 2026-11-21T13:00:00Z, nor two of them with / between",
            errors=[{"in": "query", "field": "datetime", "detail": "is no RFC 3339 time"}],
        )
    first, slash, last = text.partition("/")
    ends = (first, last) if slash else (first, first)
    start, stop = (_instant(end) if end not in ("", "..") else None for end in ends)
    if not slash and stop is not None:
        stop += _precision(first)
    return start, stop


def _instant(text: str) -> float:
    moment = datetime.fromisoformat(text.replace(" ", "+"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _precision(text: str) -> float:
    """Seconds that an instant as written may stand for: a day, a second, or nothing more."""
    return 86_400.0 - 1e-3 if len(text) <= 10 else 0.999 if "." not in text else 0.0
