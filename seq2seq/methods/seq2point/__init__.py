"""The sequence-to-point network of SEN12MS-CR-TS (Ebel et al. 2022): several cloudy dates and their radar to one."""

from seq2seq.methods.base import CandidateInfo, Cost, Method, MethodInfo, Shape, Trainable, Training
from seq2seq.methods.presets import PREDICTIONS, RADAR_CHANNELS, cost_of_network
from seq2seq.methods.seq2point.settings import Seq2PointSettings

# Of two cores, from CPU time: seconds of one product at one pixel, there and back; there alone takes a third.
_S_PER_PRODUCT_PX = 1.1e-10
# Volumes of a prediction that are there at once, padded and stacked with their neighbours.
_VOLUMES = 8


def _cost(shape: Shape, settings: Seq2PointSettings) -> Cost:
    dates, bands, height, width = shape
    plan, seen = settings.plan, settings.dates
    px = dates * height * width
    inputs = bands + (RADAR_CHANNELS if settings.verbatim else 2 * RADAR_CHANNELS + 1)
    convolutions = 9 * plan.width * (inputs + bands) + plan.width**2 * (18 * plan.blocks + 27 + 54 * plan.head_blocks)
    crop_px = min(plan.crop_px, height, width) ** 2
    trained = plan.steps * plan.batch * crop_px + PREDICTIONS * px / 3
    remembered = plan.samples_at_once(seen, crop_px) * plan.remembered_bytes(seen, crop_px) if plan.steps else 0.0
    state = 16 * (plan.width**2 * (18 * plan.blocks + 27 + 54 * plan.head_blocks))
    predicted = 4 * _VOLUMES * plan.width * seen * height * width
    seconds = _S_PER_PRODUCT_PX * seen * convolutions * trained
    return cost_of_network(shape, seconds=seconds, memory=max(remembered, predicted) + state)


def _load() -> type[Method]:
    from seq2seq.methods.seq2point.fit import Seq2PointMethod

    return Seq2PointMethod


def _load_training() -> type[Trainable]:
    from seq2seq.methods.seq2point.training import Seq2PointTraining

    return Seq2PointTraining


INFO = MethodInfo(
    name="seq2point",
    title="Sequence to point",
    about="A network from several other dates and radar to each date, after the SEN12MS-CR-TS baseline; minutes.",
    source="Ebel, Xu, Schmitt and Zhu, SEN12MS-CR-TS: A remote-sensing data set for multimodal multitemporal cloud "
    "removal, IEEE Transactions on Geoscience and Remote Sensing 60, 2022",
    settings=Seq2PointSettings,
    cost=_cost,
    load=_load,
    candidates={"network": CandidateInfo("Network", share=1.0, followed=True)},
    training=Training(_load_training, passes=200.0, settings={"preset": "paper"}),
)
