"""DSen2-CR (Meraner et al. 2020): a residual network from a cloudy date and its radar to the date without clouds."""

from seq2seq.methods.base import CandidateInfo, Cost, Method, MethodInfo, Shape, Trainable, Training
from seq2seq.methods.dsen2_cr.settings import Dsen2CrSettings
from seq2seq.methods.presets import PREDICTIONS, RADAR_CHANNELS, cost_of_network

# Of two cores, from CPU time: seconds of one parameter at one pixel, there and back; there alone takes a third.
_S_PER_PARAMETER_PX = 1.1e-10


def _cost(shape: Shape, settings: Dsen2CrSettings) -> Cost:
    dates, bands, height, width = shape
    plan = settings.plan
    px = dates * height * width
    parameters = 18 * plan.blocks * plan.width**2 + 9 * plan.width * (2 * bands + RADAR_CHANNELS)
    crop_px = min(plan.crop_px, height, width) ** 2
    trained = plan.steps * plan.batch * crop_px + PREDICTIONS * px / 3
    remembered = plan.crops_at_once(crop_px) * plan.remembered_bytes(crop_px) if plan.steps else 0.0
    predicted = 16 * plan.width * height * width
    return cost_of_network(shape, seconds=_S_PER_PARAMETER_PX * parameters * trained, memory=remembered + predicted)


def _load() -> type[Method]:
    from seq2seq.methods.dsen2_cr.fit import Dsen2CrMethod

    return Dsen2CrMethod


def _load_training() -> type[Trainable]:
    from seq2seq.methods.dsen2_cr.training import Dsen2CrTraining

    return Dsen2CrTraining


INFO = MethodInfo(
    name="dsen2-cr",
    title="DSen2-CR",
    about="A residual network from each cloudy date and its radar to the date without clouds; date by date, minutes.",
    source="Meraner, Ebel, Zhu and Schmitt, Cloud removal in Sentinel-2 imagery using a deep residual neural network "
    "and SAR-optical data fusion, ISPRS Journal of Photogrammetry and Remote Sensing 166, 2020",
    settings=Dsen2CrSettings,
    cost=_cost,
    load=_load,
    candidates={"network": CandidateInfo("Network", share=1.0, followed=True)},
    training=Training(_load_training, passes=8.0, settings={"preset": "paper"}),
)
