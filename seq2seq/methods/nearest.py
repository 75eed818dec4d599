"""The nearest clear date: the simplest of all fillings."""

from typing import TYPE_CHECKING

from seq2seq.methods.base import CandidateInfo, MethodInfo, NoSettings
from seq2seq.methods.closed_form import ClosedForm, closed_form_cost

if TYPE_CHECKING:
    from seq2seq.sequence import Float32, Observations


class Nearest(ClosedForm):
    """Each pixel as it was on its nearest clear date, the earlier of two equally near."""

    def predict(self, visible: "Observations") -> "dict[str, Float32]":
        """Predicts one candidate."""
        from seq2seq.interpolation import nearest_date

        return {"nearest": nearest_date(visible.s2.pixels, visible.s2.observed, visible.s2.days)}


INFO = MethodInfo(
    name="nearest",
    title="Nearest clear date",
    about="Each pixel as it was on its nearest clear date, in seconds.",
    settings=NoSettings,
    cost=closed_form_cost,
    load=lambda: Nearest,
    candidates={"nearest": CandidateInfo("Nearest", share=1.0)},
)
