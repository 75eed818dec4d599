"""A Gaussian process in time, band by band, with the hyper-parameters of the scene.

Source: Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, chapters 2, 4 and 5.
"""

from seq2seq.methods.base import CandidateInfo, Cost, Method, MethodInfo, Shape
from seq2seq.methods.gaussian.settings import GpSettings

# Measured on 20 x 9 x 101 x 101 with one core.
_S_PER_BAND, _S_PER_VALUE = 0.3, 6e-7
_PROGRAM_GB, _BYTES_PER_VALUE = 0.9, 60


def _cost(shape: Shape, settings: GpSettings) -> Cost:
    dates, bands, height, width = shape
    values = dates * bands * height * width
    return Cost(
        seconds=2 + _S_PER_BAND * bands + _S_PER_VALUE * values,
        memory_gb=_PROGRAM_GB + _BYTES_PER_VALUE * values / 2**30,
    )


def _load() -> type[Method]:
    from seq2seq.methods.gaussian.method import Gp

    return Gp


INFO = MethodInfo(
    name="gp",
    title="Gaussian process in time",
    about="Each pixel's curve in time, as smooth as the scene's pixels are; noise is left out; in seconds.",
    settings=GpSettings,
    cost=_cost,
    load=_load,
    candidates={"gp": CandidateInfo("Gaussian process", share=1.0)},
    source="Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, MIT Press",
    preparing_share=0.5,
)
