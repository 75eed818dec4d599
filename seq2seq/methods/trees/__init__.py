"""Gradient-boosted trees on pixel features: the quickest part of `guided`, by itself."""

from seq2seq.methods.base import CandidateInfo, Cost, Method, MethodInfo, Shape
from seq2seq.methods.guided import memory_gb
from seq2seq.methods.guided.settings import TreeSettings

# Measured on two cores: 34 s for 20 x 9 x 101 x 101, and a run does it twice. How much of it a tile takes whatever its
# size is estimated: regressors see samples.
_FIXED_S = 35.0
_S_PER_DATE_PX = 0.16e-3


def _cost(shape: Shape, settings: TreeSettings) -> Cost:
    dates, _, height, width = shape
    # memory as `guided`, whose features they are
    return Cost(seconds=_FIXED_S + _S_PER_DATE_PX * dates * height * width, memory_gb=memory_gb(shape))


def _load() -> type[Method]:
    from seq2seq.methods.trees.method import Trees

    return Trees


INFO = MethodInfo(
    name="trees",
    title="Gradient-boosted trees",
    about="Trees on each pixel's other dates, the radar and the season, learnt on hidden clear pixels; in a minute.",
    source="Ke et al., LightGBM: A highly efficient gradient boosting decision tree, NeurIPS 2017",
    settings=TreeSettings,
    cost=_cost,
    load=_load,
    candidates={"trees": CandidateInfo("Trees", share=1.0)},
    preparing_share=0.45,
    refits=True,
)
