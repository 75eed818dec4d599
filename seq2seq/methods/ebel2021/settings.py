"""The settings of Ebel et al. 2021 that may be varied; the defaults are the published ones."""

from dataclasses import dataclass
from typing import Literal

from seq2seq.settings import hyperparameter, setting


@dataclass(frozen=True)
class WindowedSettings:
    """Schedule and optimiser of a network that is fitted window by window."""

    schedule_factor: float = setting(
        1.0, about="1 is the published schedule, 0.1 a tenth of it.", low=1e-6, high=100.0, metavar="X"
    )
    window_dates: int = hyperparameter(5, "Adjacent dates that the network sees at once.", 1, 64)
    passes: int = hyperparameter(20, "Passes over all windows.", 1, 10_000)
    iterations: int = hyperparameter(100, "Steps for each window in each pass.", 1, 100_000)
    learning_rate: float = hyperparameter(0.01, "Of Adam.", 1e-8, 1.0)
    noise_std: float = hyperparameter(0.1, "Standard deviation of the noise input.", 0.0, 10.0)


@dataclass(frozen=True)
class Ebel2021Settings(WindowedSettings):
    """Schedule, optimiser and input of the published method."""

    network_input: Literal["s1", "noise"] = setting(
        "s1", about="What the network sees: Sentinel-1, or fixed noise in its stead (the paper's ablation)."
    )
    l2_weight: float = hyperparameter(1.0, "Weight of the masked L2 loss.", 0.0, 1e3)
    lowest_backscatter_db: float = hyperparameter(-25.0, "Backscatter is clipped to this from below.", -60.0, 20.0)
    highest_backscatter_db: float = hyperparameter(0.0, "Backscatter is clipped to this from above.", -60.0, 20.0)
    noise_channels: int = hyperparameter(2, "Channels of the noise input where there is no Sentinel-1.", 1, 64)
