"""Limits of one caller: requests a minute, and long answers at once."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from api.errors import Refusal

_MINUTE_S = 60.0
# Names that were quiet for a minute are forgotten when there are more than this.
_REMEMBERED = 10_000


class Rates:
    """Limits requests by the generic cell rate algorithm (ITU-T I.371): a number for each name, a clock never set.

    Counted in this process alone: n API processes allow up to n times as much.
    """

    def __init__(self, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._elapsed = elapsed
        # When each name's allowance is whole again.
        self._whole_at: dict[str, float] = {}

    def spend(self, name: str, per_minute: int) -> None:
        """Counts one request. Raises `Refusal` with the seconds to wait."""
        now = self._elapsed()
        whole_at = max(now, self._whole_at.get(name, 0.0)) + _MINUTE_S / per_minute
        early = whole_at - now - _MINUTE_S
        if early > 1e-9:
            wait_s = math.ceil(early)
            raise Refusal(
                "rate-limit-exceeded",
                f"more than {per_minute} requests a minute; try again in {wait_s} s",
                headers={"Retry-After": str(wait_s)},
                limit=per_minute,
            )
        self._whole_at[name] = whole_at
        if len(self._whole_at) > _REMEMBERED:
            self._whole_at = {key: value for key, value in self._whole_at.items() if value > now}


class Streams:
    """Counts answers that take long, by owner, such as event streams: each keeps a connection and asks the database."""

    def __init__(self, on_change: Callable[[float], object]) -> None:
        """on_change: called with the number of all, whenever it changes."""
        self._open: Counter[str] = Counter()
        self._on_change = on_change

    @contextmanager
    def one(self, owner: str, limit: int) -> Iterator[None]:
        """Counts an answer while it is open. Raises `Refusal` where the owner has `limit` of them."""
        if self._open.get(owner, 0) >= limit:
            raise Refusal("quota-exceeded", f"{limit} requests like this one are open, {limit} may be", limit=limit)
        self._change(owner, 1)
        try:
            yield
        finally:
            self._change(owner, -1)

    def _change(self, owner: str, by: int) -> None:
        self._open[owner] += by
        if not self._open[owner]:
            del self._open[owner]
        self._on_change(self._open.total())
