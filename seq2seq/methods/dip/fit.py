"""The plain 3-D deep image prior: what `ebel2021` is with noise for radar and without its perceptual loss."""

from dataclasses import asdict, replace
from typing import Any

from seq2seq.methods.base import RunContext
from seq2seq.methods.dip import DipSettings
from seq2seq.methods.ebel2021.fit import Ebel2021, Ebel2021Fit
from seq2seq.methods.ebel2021.settings import Ebel2021Settings
from seq2seq.nn.vgg import Perceptual
from seq2seq.sequence import Observations

_NONE = Perceptual(None, (), "no perceptual loss: dip has none")


class Dip(Ebel2021):
    """argmin over theta of mean(observed * (f_theta(z) - s2)^2), z fixed Gaussian noise, one window after another.

    What was never observed is whatever the network's structure makes of noise that was fitted around it. Source: Zhang
    et al. 2019, section 3, and their configuration DIP_Vid_3DCN: noise of one channel, network of 3-D convolutions,
    L2 alone. Windows, order and schedule are those of `ebel2021`, which took them from there.
    """

    def __init__(self, settings: DipSettings) -> None:
        super().__init__(Ebel2021Settings(network_input="noise", **asdict(settings)))

    def start(self, visible: Observations, context: RunContext, warm: Any) -> Ebel2021Fit:
        """Builds the network, whatever radar there is."""
        alone = replace(visible, s1=None)
        return super().start(alone, replace(context, perceptual=_NONE, perceptual_weight=0.0), warm)
