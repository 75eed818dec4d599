"""The settings of `gp` and `mogpr`."""

from dataclasses import dataclass
from typing import Literal

from seq2seq.settings import hyperparameter, setting


@dataclass(frozen=True)
class GpSettings:
    """Of one process a band."""

    mean: Literal["harmonic", "scene"] = setting(
        "harmonic", about="What pixels tend to far from clear dates: the scene's mean with or without its year."
    )
    sample_px: int = hyperparameter(300, "Pixels whose marginal likelihood is maximised.", 1, 100_000)
    iterations: int = hyperparameter(60, "Of L-BFGS-B at most, to maximise it.", 0, 10_000)


@dataclass(frozen=True)
class MogprSettings(GpSettings):
    """Of the joint process of all bands."""

    radar: bool = setting(True, about="Join S1 to the bands of S2, where there is any.")
    latents: int = hyperparameter(10, "Latent processes that the bands mix; never more than there are bands.", 1, 64)
    sample_px: int = hyperparameter(150, "Pixels whose marginal likelihood is maximised.", 1, 100_000)
    iterations: int = hyperparameter(80, "Of L-BFGS-B at most, to maximise it.", 0, 10_000)
