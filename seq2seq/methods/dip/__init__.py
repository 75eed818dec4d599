"""Zhang et al. 2019: a deep image prior of sequences. The ancestor of `ebel2021`, without radar and perceptual loss."""

from dataclasses import dataclass

from seq2seq.methods.base import CandidateInfo, Method, MethodInfo
from seq2seq.methods.ebel2021 import cost_of_windows
from seq2seq.methods.ebel2021.settings import WindowedSettings
from seq2seq.settings import hyperparameter


@dataclass(frozen=True)
class DipSettings(WindowedSettings):
    """Schedule, optimiser and noise; the schedule is that of `ebel2021`, so that both may be compared."""

    noise_channels: int = hyperparameter(1, "Channels of the noise input.", 1, 64)


def _load() -> type[Method]:
    from seq2seq.methods.dip.fit import Dip

    return Dip


INFO = MethodInfo(
    name="dip",
    title="Deep image prior",
    about="A 3-D encoder-decoder from noise to the clear pixels, window by window, without radar; takes hours.",
    source="Zhang, Mai, Xu, Wang, Collomosse and Jin, An Internal Learning Approach to Video Inpainting, ICCV 2019",
    settings=DipSettings,
    cost=cost_of_windows,
    load=_load,
    candidates={"network": CandidateInfo("Network", share=1.0, followed=True)},
)
