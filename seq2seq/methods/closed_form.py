"""Methods without steps: one function from what is visible to candidates."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from seq2seq.methods.base import Cost, RunContext, Shape

if TYPE_CHECKING:
    from seq2seq.sequence import Float32, Observations

_PROGRAM_GB = 0.9  # with torch, which the engine loads
_SECONDS_PER_VALUE = 4e-8
_BYTES_PER_VALUE = 40


class ClosedForm:
    """A method that is the function `predict`: a subclass names it."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    def predict(self, visible: "Observations") -> "dict[str, Float32]":
        """Predicts candidates by name, each (T, C, H, W) reflectance."""
        raise NotImplementedError

    def start(self, visible: "Observations", context: RunContext, warm: Any) -> "ClosedFit":
        """Makes the fit; there is nothing to do."""
        context.check_stop()
        return ClosedFit(self.predict)


class ClosedFit:
    """The fit of a method that has no steps."""

    steps_total = steps_done = 0

    def __init__(self, predict: "Callable[[Observations], dict[str, Float32]]") -> None:
        self._predict = predict

    def step(self, elapsed_share: float | None = None) -> float:
        """Fails: there is none to make."""
        raise AssertionError("a closed form has no steps")

    def predict(self, visible: "Observations") -> "dict[str, Float32]":
        """Predicts candidates from `visible` alone."""
        return self._predict(visible)

    def state_dict(self) -> dict[str, Any]:
        """Returns nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Loads nothing."""


def closed_form_cost(shape: Shape, settings: Any) -> Cost:
    """Estimates a few passes over the pixels."""
    dates, bands, height, width = shape
    values = dates * bands * height * width
    return Cost(seconds=2 + _SECONDS_PER_VALUE * values, memory_gb=_PROGRAM_GB + _BYTES_PER_VALUE * values / 2**30)
