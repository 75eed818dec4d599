"""The default method: regressors on pixel features give a prior, a 3-D encoder-decoder guided by radar its residual."""

from seq2seq.methods.base import CandidateInfo, Cost, Method, MethodInfo, Shape
from seq2seq.methods.guided.settings import GuidedSettings

# Measured on two cores: of each tile whatever its size (regressors see samples, the network crops), and of each date
# and pixel: 60 s together for 20 x 9 x 101 x 101. Predicting large tiles is as it was when it was measured.
_FIXED_S = 43.0
_S_PER_DATE_PX = 0.085e-3
# What the program takes by itself with torch loaded, and bytes of each value and of each date and pixel of a tile.
# A whole series of radar is filtered before there are features: with three acquisitions a date that takes 130 bytes of
# each date and pixel for a while, where features take 240.
_PROGRAM_GB = 0.9
_BYTES_PER_VALUE, _BYTES_PER_DATE_PX = 80, 600


def memory_gb(shape: Shape) -> float:
    """Estimates the peak of memory of a tile of `shape` (T, C, H, W), GiB: features of all dates are held at once."""
    dates, bands, height, width = shape
    return _PROGRAM_GB + dates * height * width * (_BYTES_PER_VALUE * bands + _BYTES_PER_DATE_PX) / 2**30


def _cost(shape: Shape, settings: GuidedSettings) -> Cost:
    dates, _, height, width = shape
    return Cost(seconds=_FIXED_S + _S_PER_DATE_PX * dates * height * width, memory_gb=memory_gb(shape))


def _load() -> type[Method]:
    from seq2seq.methods.guided.method import Guided

    return Guided


INFO = MethodInfo(
    name="guided",
    title="Guided by radar",
    about="Trees and MLPs on pixel features, then a 3-D encoder-decoder guided by radar for what they leave; minutes.",
    settings=GuidedSettings,
    cost=_cost,
    load=_load,
    # Half the network, half the prior, until held-out pixels show otherwise.
    candidates={
        "trees": CandidateInfo("Trees", share=1 / 6),
        "mlp": CandidateInfo("MLP", share=1 / 3),
        "network": CandidateInfo("Network", share=1 / 2, followed=True),
        "prior": CandidateInfo("Prior"),
    },
    preparing_share=0.3,
    refits=True,
    refit_share=0.5,
    error_scales=(11.0, 21.0),
    interval_factors=(1.2, 1.9),
)
