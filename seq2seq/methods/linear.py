"""Linear interpolation in time: the floor that every result is held against, by itself.

The engine adds interpolation to the candidates of every method, so that this one has none of its own.
"""

from typing import TYPE_CHECKING

from seq2seq.methods.base import MethodInfo, NoSettings
from seq2seq.methods.closed_form import ClosedForm, closed_form_cost

if TYPE_CHECKING:
    from seq2seq.sequence import Float32, Observations


class Linear(ClosedForm):
    """Interpolation alone, without candidates beside it."""

    def predict(self, visible: "Observations") -> "dict[str, Float32]":
        """Predicts no candidates."""
        return {}


INFO = MethodInfo(
    name="linear",
    title="Linear interpolation in time",
    about="Each pixel on the line between its clear dates before and after: what people do by hand, in seconds.",
    settings=NoSettings,
    cost=closed_form_cost,
    load=lambda: Linear,
    candidates={},
)
