"""`guided`, and methods beside it that are cheap and err differently: blended where the held-out dates ask for them."""

import math

from seq2seq.methods import guided, mogpr
from seq2seq.methods.base import CandidateInfo, Cost, Method, MethodInfo, Shape
from seq2seq.methods.best.settings import BestSettings

# In order of what they add. Low rank, the process of each band alone, smoothers and harmonics were tried too and added
# next to nothing beside it (docs/methods/best.md).
MEMBERS: tuple[MethodInfo, ...] = (mogpr.INFO,)
# Of the mix, of each: they are on trial, so that the share counts for nothing until held-out dates have spoken.
_SHARE = 0.01
# What is kept of each member: its images, and what is visible, to make others from.
_BYTES_PER_VALUE = 8


def _cost(shape: Shape, settings: BestSettings) -> Cost:
    """All members, one after the other; they are fitted once, whatever `guided` is."""
    ours = guided.INFO.cost(shape, settings)
    others = [info.cost(shape, info.settings()) for info in MEMBERS]
    kept_gb = _BYTES_PER_VALUE * len(MEMBERS) * math.prod(shape) / 2**30
    return Cost(
        seconds=ours.seconds + sum(each.seconds for each in others),
        memory_gb=kept_gb + max(each.memory_gb for each in (ours, *others)),
    )


def _load() -> type[Method]:
    from seq2seq.methods.best.method import Best

    return Best


def _candidates() -> dict[str, CandidateInfo]:
    """Those of `guided` with what the members leave of the mix, and those of the members under their names."""
    theirs = {name: each.title for info in MEMBERS for name, each in info.candidates.items()}
    rest = 1 - _SHARE * len(theirs)
    ours = {
        name: CandidateInfo(each.title, share=rest * each.share, followed=each.followed)
        for name, each in guided.INFO.candidates.items()
    }
    return {**ours, **{name: CandidateInfo(title, share=_SHARE, on_trial=True) for name, title in theirs.items()}}


INFO = MethodInfo(
    name="best",
    title="Guided, and what helps it",
    about="As guided, with mogpr beside it where held-out dates show that it helps; minutes.",
    settings=BestSettings,
    cost=_cost,
    load=_load,
    candidates=_candidates(),
    preparing_share=0.57,
    refits=True,
    refit_share=guided.INFO.refit_share,
    # Those of `guided`, which it is where no member passes its trial.
    interval_factors=guided.INFO.interval_factors,
)
