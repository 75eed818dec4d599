"""Numbers as people read them. None, "not measured", is a dash everywhere."""

_DASH = "–"


def fixed(value: float | None, decimals: int) -> str:
    """`0.0123` with so many decimals."""
    return _DASH if value is None else f"{value:.{decimals}f}"


def percent(fraction: float | None) -> str:
    """`62 %`, of a fraction in [0, 1]."""
    return _DASH if fraction is None else f"{fraction:.0%}".replace("%", " %")


def signed(decibels: float) -> str:
    """`+4.2`, `−0.4`: one decimal, as a range is no place for more."""
    return f"{decibels:+.1f}".replace("-", "−")


def difference(ours: float | None, theirs: float | None) -> str:
    """`+4.21`, with its sign; a dash where either was not measured."""
    return _DASH if ours is None or theirs is None else f"{ours - theirs:+.2f}".replace("-", "−")


def thousands(count: int) -> str:
    """`12,345`."""
    return f"{count:,}"


def coordinate(value: float) -> str:
    """A length in a drawing: six digits are more than any screen shows."""
    return f"{value:.6g}"


def or_dash(value: object) -> str:
    """Any value as text."""
    return _DASH if value is None else str(value)
