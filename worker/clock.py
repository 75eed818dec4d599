"""The only clock of the service. Call it as `clock.now()`, so that a test can put another in its place.

Wall clocks step: daylight mistakes, NTP, suspended machines. So time decides only *when* something may happen; who may
write for a job is decided by lease owner and attempt, and order by row numbers.
"""

import time


def now() -> float:
    """Returns seconds since 1970, UTC."""
    return time.time()


def elapsed() -> float:
    """Returns seconds of a clock that is never set; its zero means nothing."""
    return time.monotonic()


class StepWatch:
    """Notices that the wall clock was set, or that the machine slept, between two looks."""

    def __init__(self) -> None:
        self._offset = now() - elapsed()

    def step_s(self) -> float:
        """Returns the seconds by which the clock was set since the last call, measured against steady time."""
        before, self._offset = self._offset, now() - elapsed()
        return self._offset - before
