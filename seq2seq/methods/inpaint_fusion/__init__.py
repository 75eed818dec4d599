"""Inpainting of what clouds hide, date by date, then a fusion with radar that has learnt what inpainting misses."""

from seq2seq.methods.base import CandidateInfo, Cost, Method, MethodInfo, Shape
from seq2seq.methods.inpaint_fusion.settings import InpaintFusionSettings

# Of two cores: seconds of one parameter at one pixel, there and back; there alone takes a third.
_S_PER_PARAMETER_PX = 1.1e-10
_PREDICTIONS = 6  # for the curve, to score, to deliver
# Of inpainting a date: its linear system, which has a bounded size; three bands by diffusion.
_S_PER_DATE, _S_PER_DIFFUSION = 0.7, 60.0
_INPAINTINGS = 4  # of all dates: what is visible to both fits, and to both predictions
_FIXED_S = 8.0
_PROGRAM_GB, _DIFFUSION_GB = 1.0, 5.0
_BYTES_PER_VALUE = 80
_RADAR_CHANNELS = 2


def _cost(shape: Shape, settings: InpaintFusionSettings) -> Cost:
    dates, bands, height, width = shape
    plan = settings.plan
    px, crop_px = dates * height * width, min(plan.crop_px, height, width) ** 2
    parameters = 18 * plan.blocks * plan.width**2 + 9 * plan.width * (2 * bands + _RADAR_CHANNELS)
    trained = plan.steps * plan.batch * crop_px + _PREDICTIONS * px / 3
    triples = -(-bands // 3)
    of_date = _S_PER_DATE if settings.diffusion is None else triples * _S_PER_DIFFUSION
    remembered = plan.crops_at_once(crop_px) * plan.remembered_bytes(crop_px) if plan.steps else 0.0
    values = _BYTES_PER_VALUE * (bands + _RADAR_CHANNELS) * px + 16 * plan.width * height * width
    return Cost(
        seconds=_FIXED_S + _INPAINTINGS * dates * of_date + _S_PER_PARAMETER_PX * parameters * trained,
        memory_gb=_PROGRAM_GB + (settings.diffusion is not None) * _DIFFUSION_GB + (remembered + values) / 2**30,
    )


def _load() -> type[Method]:
    from seq2seq.methods.inpaint_fusion.fit import InpaintFusion

    return InpaintFusion


INFO = MethodInfo(
    name="inpaint-fusion",
    title="Inpainting and fusion",
    about="Each date inpainted where clouds hide it, then corrected by radar with a residual network; minutes.",
    source="after Meraner et al. 2020 (fusion and loss); Damelin and Hoang, On surface completion and image inpainting "
    "by biharmonic functions, International Journal of Mathematics and Mathematical Sciences, 2018",
    settings=InpaintFusionSettings,
    cost=_cost,
    load=_load,
    candidates={
        "inpainted": CandidateInfo("Inpainted"),
        "fused": CandidateInfo("Fused", share=1.0, followed=True),
    },
    preparing_share=0.3,
)
