"""Ebel, Schmitt and Zhu 2021: a 3-D network from radar to optical images, as published."""

import math

from seq2seq.methods.base import CandidateInfo, Cost, Method, MethodInfo, Shape
from seq2seq.methods.ebel2021.settings import Ebel2021Settings, WindowedSettings

# Measured on two cores: a step costs this for each date and pixel of its window (0.5 s for 5 x 128 x 128, float32).
_S_PER_STEP_DATE_PX = 0.5 / (5 * 128 * 128)
_FIXED_S = 75.0
_PROGRAM_GB = 0.9
_BYTES_PER_VALUE, _BYTES_PER_DATE_PX = 56, 600


def cost_of_windows(shape: Shape, settings: WindowedSettings) -> Cost:
    """Of the 3-D encoder-decoder, fitted window by window."""
    dates, bands, height, width = shape
    window = min(settings.window_dates, dates)
    steps = (dates - window + 1) * settings.passes * settings.iterations * settings.schedule_factor
    values = _BYTES_PER_VALUE * bands + _BYTES_PER_DATE_PX
    return Cost(
        seconds=_FIXED_S + math.ceil(steps) * _S_PER_STEP_DATE_PX * window * height * width,
        memory_gb=_PROGRAM_GB + dates * height * width * values / 2**30,
    )


def _load() -> type[Method]:
    from seq2seq.methods.ebel2021.fit import Ebel2021

    return Ebel2021


INFO = MethodInfo(
    name="ebel2021",
    title="Ebel et al. 2021",
    about="The published method: a 3-D encoder-decoder from radar to optical images, window by window; takes hours.",
    source="Ebel, Schmitt and Zhu, Internal Learning for Sequence-to-Sequence Cloud Removal via Synthetic Aperture "
    "Radar Prior Information, IGARSS 2021",
    settings=Ebel2021Settings,
    cost=cost_of_windows,
    load=_load,
    candidates={"network": CandidateInfo("Network", share=1.0, followed=True)},
    needs_s1=True,
)
