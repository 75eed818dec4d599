"""Values found a moment ago, so that many requests at once ask for them once."""

import time
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Keeps values by key, each for `keep_s` seconds; it forgets all when there are more than `most`."""

    def __init__(self, *, keep_s: float, most: int) -> None:
        self._keep_s, self._most = keep_s, most
        self._kept: dict[K, tuple[float, V]] = {}

    def get(self, key: K) -> V | None:
        """The value kept, None where there is none, or none any more."""
        kept = self._kept.get(key)
        return kept[1] if kept is not None and time.monotonic() < kept[0] else None

    def put(self, key: K, value: V) -> None:
        """Keeps the value from now on."""
        if len(self._kept) >= self._most:
            self._kept.clear()
        self._kept[key] = time.monotonic() + self._keep_s, value

    def forget(self, key: K) -> None:
        """Drops the key, known or not."""
        self._kept.pop(key, None)

    def forget_those(self, which: Callable[[K], bool]) -> None:
        """Drops all keys that `which` is true for; from any thread."""
        for key in [key for key in tuple(self._kept) if which(key)]:
            self.forget(key)
