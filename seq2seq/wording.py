"""Wording of a value that cannot be: the same wherever it came from, a file, an option or a program."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


def not_one_of(name: str, given: object, allowed: Iterable[str]) -> str:
    """Words `method is 'guidd', must be one of guided, linear; did you mean guided?`"""
    allowed = tuple(allowed)
    return f"{name} is {given!r}, must be one of {', '.join(allowed)}{nearest(given, allowed)}"


def no_number(name: str, given: object, low: float | None, high: float | None, *, whole: bool) -> str:
    """Words `seed is 'x', must be a whole number from 0 to 9`. None: no limit."""
    kind = "a whole number" if whole else "a number"
    limits = "".join(f" {word} {limit}" for word, limit in (("from", low), ("to", high)) if limit is not None)
    return f"{name} is {given!r}, must be {kind}{limits}"


def nearest(given: object, known: Iterable[str]) -> str:
    """Suggests `; did you mean guided?`, or nothing where nothing is near."""
    by_plain = {each.lower().strip("-"): each for each in known}
    found = get_close_matches(str(given).lower().strip("-"), by_plain, n=1)
    return f"; did you mean {by_plain[found[0]]}?" if found else ""


def listed(names: Sequence[object]) -> str:
    """Names the first four, and how many more there are: `a, b, c, d and 7 more`."""
    shown = ", ".join(map(str, names[:4]))
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"


def one_line(text: object, limit: int | None = None) -> str:
    """Writes a text, or an error's message, as one line of at most `limit` characters; white space becomes a space.

    An error without a message is named by its type.
    """
    line = " ".join(str(text).split())
    return (line or type(text).__name__ if isinstance(text, BaseException) else line)[:limit]
