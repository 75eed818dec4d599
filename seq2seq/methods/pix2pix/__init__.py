"""pix2pix (Isola et al. 2017), the baseline of the papers on cloud removal: a U-Net with an adversary."""

from seq2seq.methods.base import CandidateInfo, Cost, Method, MethodInfo, Shape, Trainable, Training
from seq2seq.methods.pix2pix.settings import Pix2PixSettings, Plan
from seq2seq.methods.presets import PREDICTIONS, RADAR_CHANNELS, cost_of_network

# Measured: seconds of one multiplication and addition of a step, there and back, of both networks; of one parameter in
# the optimiser; of what is the same for all steps.
_S_PER_MAC, _S_PER_PARAMETER, _S_PER_STEP = 2e-10, 4e-9, 0.01


def _macs_per_px(plan: Plan, channels: float, downs: int) -> float:
    """Of the generator and one judge, forward."""
    widths = [float(plan.width * min(8, 2**level)) for level in range(downs)]
    pairs = zip([channels, *widths[:-1]], widths, strict=True)
    # 4 x 4 there, at a quarter of the pixels for each halving; as much back, and twice as wide.
    generator: float = sum(16 * before * after * 3 / 4 ** (level + 1) for level, (before, after) in enumerate(pairs))
    return generator + 16 * plan.width * (2 * channels / 4 + 2 * plan.width / 16 + 8 * plan.width / 64 + plan.width / 2)


def _cost(shape: Shape, settings: Pix2PixSettings) -> Cost:
    dates, bands, height, width = shape
    plan = settings.plan
    px, crop_px = dates * height * width, min(plan.crop_px, height, width) ** 2
    macs = _macs_per_px(plan, bands + RADAR_CHANNELS, plan.downs_for(height, width))
    parameters = 1.3e4 * plan.width**2
    step_s = _S_PER_STEP + _S_PER_MAC * macs * plan.batch * crop_px + _S_PER_PARAMETER * parameters
    remembered = 4 * (5 * parameters + 40 * plan.width * (plan.batch * crop_px + height * width))
    seconds = plan.steps * step_s + PREDICTIONS * _S_PER_MAC * macs * px / 4
    return cost_of_network(shape, seconds=seconds, memory=remembered)


def _load() -> type[Method]:
    from seq2seq.methods.pix2pix.fit import Pix2Pix

    return Pix2Pix


def _load_training() -> type[Trainable]:
    from seq2seq.methods.pix2pix.training import Pix2PixTraining

    return Pix2PixTraining


INFO = MethodInfo(
    name="pix2pix",
    title="pix2pix",
    about="A U-Net from each cloudy date and its radar to the clear date, taught by a judge; date by date, minutes.",
    source="Isola, Zhu, Zhou and Efros, Image-to-image translation with conditional adversarial networks, CVPR 2017",
    settings=Pix2PixSettings,
    cost=_cost,
    load=_load,
    candidates={"generator": CandidateInfo("Generator", share=1.0, followed=True)},
    training=Training(_load_training, passes=200.0, settings={"preset": "paper"}),
)
