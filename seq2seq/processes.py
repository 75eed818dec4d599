"""What a service can be asked to do, by name, and what a comparison of methods is asked for as a job.

It loads nothing of the comparison itself: the service's front and its worker read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DECLOUD, BENCHMARK, INSPECT = "decloud", "benchmark", "inspect"

# The names of `seq2seq.comparison.gaps.GAPS`, whose functions need numpy and more.
GAP_KINDS = ("cloud", "date", "run")
MOST_SEEDS = 10
# Of each method on each case.
SHORTEST_MINUTES, LONGEST_MINUTES = 0.1, 60.0


@dataclass(frozen=True)
class ComparisonRequest:
    """A comparison of methods on one sequence, as `decloud benchmark` has it; methods: None: all there are."""

    methods: tuple[str, ...] | None = None
    gaps: tuple[str, ...] = GAP_KINDS
    seeds: int = 1
    max_minutes: float = 2.0

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ComparisonRequest":
        """Makes it of what a job's row holds: only what was asked for."""
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**{**values, **lists})

    def longest_s(self, methods: int) -> float:
        """Returns how long `methods` of them, on all cases, may plan to take."""
        return 60 * self.max_minutes * methods * len(self.gaps) * self.seeds
