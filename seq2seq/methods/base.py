"""What every method of reconstruction offers, and what the engine lends it."""

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
# The arrays of a name: of an earlier attempt, else made now and kept.
Keep = Callable[[str, Callable[[], Arrays]], Arrays]


def make(name: str, piece: Callable[[], Arrays]) -> Arrays:
    """A `Keep` that keeps nothing."""
    return piece()
