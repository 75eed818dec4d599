"""A trend and waves of the year, fitted to each pixel's clear dates."""

from dataclasses import dataclass

from seq2seq.methods.base import CandidateInfo, Method, MethodInfo
from seq2seq.methods.closed_form import series_cost
from seq2seq.settings import setting

_SECONDS_PER_VALUE = 1e-7  # on one core


@dataclass(frozen=True)
class HarmonicSettings:
    """What may be set."""

    # Two let spring be steeper than autumn; a third asks for more clear dates than most pixels have.
    harmonics: int = setting(2, about="Waves of the year: 1, 1/2, 1/3 of it and so on.", low=0, high=12)
    # Variance of the noise beside that of amplitudes: 0.02 and 0.06 reflectance.
    ridge: float = setting(
        0.1, about="Clear dates' worth of doubt that there is any trend or wave.", low=1e-6, high=1e6
    )


def _load() -> type[Method]:
    from seq2seq.methods.harmonic.method import Harmonic

    return Harmonic


INFO = MethodInfo(
    name="harmonic",
    title="Harmonic regression",
    about="Each pixel's trend and waves of the year, by ridge regression on its clear dates; in seconds.",
    source="Zhu and Woodcock, Continuous change detection and classification, Remote Sensing of Environment 144, 2014",
    settings=HarmonicSettings,
    cost=series_cost(_SECONDS_PER_VALUE),
    load=_load,
    candidates={"harmonic": CandidateInfo("Harmonic", share=1.0)},
)
