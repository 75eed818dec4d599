"""The Whittaker smoother on the dates as they are: as near to the clear values, and as little bent, as it can be."""

from dataclasses import dataclass

from seq2seq.methods.base import CandidateInfo, Method, MethodInfo
from seq2seq.methods.closed_form import series_cost
from seq2seq.settings import setting

_SECONDS_PER_VALUE = 3e-7  # on one core


@dataclass(frozen=True)
class WhittakerSettings:
    """What may be set."""

    smoothness: float | None = setting(
        None, about="Lambda, cubic days; by default what predicts clear values left out best, band by band.",
        low=1e-3, high=1e9, metavar="X",
    )  # fmt: skip


def _load() -> type[Method]:
    from seq2seq.methods.whittaker.method import Whittaker

    return Whittaker


INFO = MethodInfo(
    name="whittaker",
    title="Whittaker smoother",
    about="Each pixel's smoothest curve near its clear values, how smooth chosen by leaving values out; in seconds.",
    source="Eilers, A perfect smoother, Analytical Chemistry 75, 2003",
    settings=WhittakerSettings,
    cost=series_cost(_SECONDS_PER_VALUE),
    load=_load,
    candidates={"whittaker": CandidateInfo("Whittaker", share=1.0)},
)
