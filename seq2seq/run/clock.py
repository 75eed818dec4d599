"""The time of one run: of its phases, left of its budget, and the pace of this machine."""

import time
from dataclasses import dataclass

# So many expected seconds speak for the usual pace: the first second of a run decides nothing.
USUAL_S = 5.0


class Clock:
    """Seconds by phase, and what remains of a budget."""

    def __init__(self, budget_s: float | None) -> None:
        self._start = self._phase_start = time.monotonic()
        self._budget_s = budget_s
        self.seconds: dict[str, float] = {}

    def elapsed_s(self) -> float:
        """Counts seconds since the run began."""
        return time.monotonic() - self._start

    def end_phase(self, name: str) -> float:
        """Books the time since the last call under `name`, and returns it."""
        now = time.monotonic()
        taken, self._phase_start = now - self._phase_start, now
        self.seconds[name] = self.seconds.get(name, 0.0) + taken
        return taken

    def share_s(self, part: float) -> float | None:
        """Returns the seconds that `part` of the whole budget is, None without one."""
        return None if self._budget_s is None else part * self._budget_s

    def remaining_s(self) -> float | None:
        """Returns the seconds that remain, None without a budget."""
        return None if self._budget_s is None else self._budget_s - self.elapsed_s()


@dataclass
class Pace:
    """The speed of this machine on this run, learnt as it goes.

    expected_s: what the whole run takes on the usual machine. done: the share of it that is done, of whatever start.
    made: the share of it that this process did, in `made_s` seconds; what lay in a checkpoint is no evidence of it.
    """

    expected_s: float
    done: float = 0.0
    made: float = 0.0
    made_s: float = 0.0

    def note(self, share: float, seconds: float | None) -> None:
        """Notes that `share` of the run is done now, in `seconds`, or in None where it had been done before."""
        self.done += share
        if seconds is not None:
            self.made += share
            self.made_s += seconds

    def factor(self) -> float:
        """Returns how much longer than expected things take here; 1 before anything is known."""
        return (self.made_s + USUAL_S) / (self.made * self.expected_s + USUAL_S)

    def seconds(self, share: float) -> float:
        """Estimates the seconds that `share` of the run takes here."""
        return max(share, 0.0) * self.expected_s * self.factor()

    def remaining_s(self) -> float:
        """Estimates seconds to the end of the run."""
        return self.seconds(1 - self.done)
