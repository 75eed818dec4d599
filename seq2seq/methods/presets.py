"""Networks of the literature in two sizes, for one sequence and as published: plans by preset, and what they cost.

A plan is a frozen dataclass of numbers, all set; the settings of its method have fields of the same names that are None
until they are named. Loads no torch.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from seq2seq.methods.base import Cost, Shape
from seq2seq.settings import hyperparameter, setting

PlanT = TypeVar("PlanT")

# A step goes over its batch in parts that remember this much; their gradients add up to that of the batch.
REMEMBERED_BYTES = 2**30
PREDICTIONS = 6  # for the curve, to score, to deliver
RADAR_CHANNELS = 2
_FIXED_S = 8.0
_PROGRAM_GB = 0.9
_BYTES_PER_VALUE = 60


def of_preset(about: str, low: float, high: float) -> Any:
    """Declares a number of the plan: where it is not named, the preset's."""
    return hyperparameter(None, f"{about}; by default the preset's.", low, high)


def clouds_of_training() -> Any:
    """Declares what a network that learns from a data set sees of clouds."""
    return setting(
        "shown",
        about="Of training on a data set: it sees the clouds, as published, or 0 in their place, as a run shows them.",
    )


def with_named(plan: PlanT, settings: Any) -> PlanT:
    """Returns the plan with what was named in `settings` in its place."""
    named: Mapping[str, Any] = {
        each.name: value
        for each in fields(plan)  # type: ignore[arg-type]
        if (value := getattr(settings, each.name, None)) is not None
    }
    return replace(plan, **named)  # type: ignore[type-var]


def at_once(batch: int, each_bytes: float, memory: float) -> int:
    """Counts the examples of a batch that a step takes at once: one at least, together within `memory` bytes."""
    return max(1, min(batch, int(memory // each_bytes)))


def cost_of_network(shape: Shape, *, seconds: float, memory: float) -> Cost:
    """Adds what all such networks cost. seconds, memory in bytes: of the network's own steps and predictions."""
    dates, bands, height, width = shape
    values = _BYTES_PER_VALUE * (bands + RADAR_CHANNELS) * dates * height * width
    return Cost(seconds=_FIXED_S + seconds, memory_gb=_PROGRAM_GB + (memory + values) / 2**30)
