"""Completion of the matrix of pixels by dates and bands: each pixel is a mixture of a few courses of the scene."""

from dataclasses import dataclass

from seq2seq.methods.base import CandidateInfo, Method, MethodInfo
from seq2seq.methods.closed_form import series_cost
from seq2seq.settings import hyperparameter, setting

_SECONDS_PER_VALUE = 5e-7  # on one core


@dataclass(frozen=True)
class LowRankSettings:
    """What may be set."""

    # As many as there are covers with courses of their own in a scene, or some more.
    rank: int = setting(8, about="Courses that pixels are mixtures of.", low=1, high=64)
    noise: float = setting(
        0.02, about="Reflectance that no mixture has to explain; the ridge is its square.", low=1e-4, high=1.0
    )
    # Some dozens: pixels that a date shows lie side by side, and err alike.
    date_pixels: float = hyperparameter(
        30.0, "Pixels' worth of belief that a date lies between its neighbours.", 1e-3, 1e9
    )
    iterations: int = hyperparameter(10, "Rounds of alternating least squares.", 1, 1000)


def _load() -> type[Method]:
    from seq2seq.methods.low_rank.method import LowRank

    return LowRank


INFO = MethodInfo(
    name="low-rank",
    title="Low-rank completion",
    about="Each pixel as a mixture of the scene's few main courses, by alternating least squares; in seconds.",
    source="Tipping and Bishop, Probabilistic principal component analysis, 1999; Hastie et al., Matrix completion and "
    "low-rank SVD via fast alternating least squares, 2015",
    settings=LowRankSettings,
    cost=series_cost(_SECONDS_PER_VALUE),
    load=_load,
    candidates={"low-rank": CandidateInfo("Low rank", share=1.0)},
)
