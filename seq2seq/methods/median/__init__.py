"""The median of the clear dates around each date: the composite that most maps are made from."""

from dataclasses import dataclass

from seq2seq.methods.base import CandidateInfo, Method, MethodInfo
from seq2seq.methods.closed_form import series_cost
from seq2seq.settings import setting

_SECONDS_PER_VALUE = 2.5e-7  # on one core


@dataclass(frozen=True)
class MedianSettings:
    """What may be set."""

    # As long as the monthly composites that are usual, a month to either side: the revisit of 5 days leaves some clear.
    window_days: float = setting(
        30.0, about="Days before and after a date whose clear values count.", low=0.5, high=3660.0
    )


def _load() -> type[Method]:
    from seq2seq.methods.median.method import Median

    return Median


INFO = MethodInfo(
    name="median",
    title="Median composite",
    about="Each pixel's median over the clear dates around, in a window that grows until there is one; in seconds.",
    settings=MedianSettings,
    cost=series_cost(_SECONDS_PER_VALUE),
    load=_load,
    candidates={"median": CandidateInfo("Median", share=1.0)},
)
