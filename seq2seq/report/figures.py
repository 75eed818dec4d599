"""Numbers as people read them. None, "not measured", is a dash everywhere."""

from collections.abc import Mapping
from typing import Any

_DASH = "–"


def fixed(value: float | None, decimals: int) -> str:
    """`0.0123` with so many decimals."""
    return _DASH if value is None else f"{value:.{decimals}f}"


def percent(fraction: float | None) -> str:
    """`62 %`, of a fraction in [0, 1]."""
    return _DASH if fraction is None else f"{fraction:.0%}".replace("%", " %")


def signed(decibels: float) -> str:
    """`+4.2`, `−0.4`: one decimal, as a range is no place for more."""
    return f"{decibels:+z.1f}".replace("-", "−")


def difference(ours: float | None, theirs: float | None) -> str:
    """`+4.21`, with its sign; a dash where either was not measured."""
    return _DASH if ours is None or theirs is None else f"{ours - theirs:+.2f}".replace("-", "−")


def ranged(found: Mapping[str, Any] | None) -> str:
    """`+1.20 (+0.80 to +1.70)`, of a difference in dB with its interval; without brackets where it has none."""
    if found is None:
        return _DASH
    measured, low, high = (found[name] for name in ("measured_db", "low_db", "high_db"))
    text = f"{measured:+.2f}" if low is None else f"{measured:+.2f} ({low:+.2f} to {high:+.2f})"
    return text.replace("-", "−")


def thousands(count: int) -> str:
    """`12,345`."""
    return f"{count:,}"


def coordinate(value: float) -> str:
    """A length in a drawing: six digits are more than any screen shows."""
    return f"{value:.6g}"


def or_dash(value: object) -> str:
    """Any value as text."""
    return _DASH if value is None else str(value)
