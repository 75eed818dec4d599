"""Linear interpolation, corrected by what it misses on the visible pixels of the date, spread in space."""

from typing import TYPE_CHECKING, Any

from seq2seq.methods.base import CandidateInfo, MethodInfo, NoSettings, RunContext
from seq2seq.methods.closed_form import ClosedFit, series_cost

if TYPE_CHECKING:
    from seq2seq.sequence import Float32, Observations

_SECONDS_PER_VALUE = 1e-7  # on one core


class Spread:
    """Each date from its others, and from its own visible pixels around; there is nothing to fit."""

    def __init__(self, settings: NoSettings) -> None: ...

    def start(self, visible: "Observations", context: RunContext, warm: Any) -> ClosedFit:
        """Makes the fit; predictions stop between two dates where they are asked to."""
        context.check_stop()

        def predict(shown: "Observations") -> "dict[str, Float32]":
            from seq2seq.interpolation import interpolate_from_others
            from seq2seq.methods.spreading import spread_residuals

            s2 = shown.s2
            linear = interpolate_from_others(s2.pixels, s2.observed, s2.days)
            return {"spread": spread_residuals(linear, s2.pixels, s2.observed, context.check_stop)}

        return ClosedFit(predict)


INFO = MethodInfo(
    name="spread",
    title="Interpolation, its residuals spread",
    about="Interpolation in time, corrected by how far it is off on the visible pixels around; in seconds.",
    source="Knutsson and Westin, Normalized and differential convolution, CVPR 1993",
    settings=NoSettings,
    cost=series_cost(_SECONDS_PER_VALUE),
    load=lambda: Spread,
    candidates={"spread": CandidateInfo("Spread", share=1.0)},
)
