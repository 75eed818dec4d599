"""The Savitzky-Golay filter of the linearly interpolated series."""

from dataclasses import dataclass

from seq2seq.methods.base import CandidateInfo, Method, MethodInfo
from seq2seq.methods.closed_form import series_cost
from seq2seq.settings import setting

_SECONDS_PER_VALUE = 1e-7  # on one core


@dataclass(frozen=True)
class SavitzkyGolaySettings:
    """What may be set."""

    # Two months: crops come and go in not much less, and a few clear dates lie inside.
    window_days: int = setting(61, about="Days that each polynomial is fitted to.", low=1, high=3660)
    degree: int = setting(2, about="Of the polynomials; 2 keeps the height of peaks.", low=0, high=6)


def _load() -> type[Method]:
    from seq2seq.methods.savitzky_golay.method import SavitzkyGolay

    return SavitzkyGolay


INFO = MethodInfo(
    name="savitzky-golay",
    title="Savitzky-Golay filter",
    about="Each pixel's line between clear dates, smoothed day by day with local polynomials; in seconds.",
    source="Savitzky and Golay, Analytical Chemistry 36, 1964; of vegetation series, Chen et al., Remote Sensing of "
    "Environment 91, 2004",
    settings=SavitzkyGolaySettings,
    cost=series_cost(_SECONDS_PER_VALUE),
    load=_load,
    candidates={"savitzky-golay": CandidateInfo("Savitzky-Golay", share=1.0)},
)
