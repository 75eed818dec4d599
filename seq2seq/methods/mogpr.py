"""The joint Gaussian process in time of all bands of S1 and S2: multi-output Gaussian process regression.

One pixel's bands mix a few latent processes (linear model of coregionalisation), so that radar speaks of optical bands
where clouds hide these. In FuseTS each pixel finds hyper-parameters of its own; here the scene has one set, noise may
be correlated over bands, and pixels are solved together, one factor a mask pattern.

Source: Pipia, Munoz-Mari, Amin, Belda, Camps-Valls and Verrelst (2019), Fusing optical and SAR time series for LAI gap
filling with multioutput Gaussian processes, Remote Sensing of Environment 235, 111452; FuseTS, documentation of MOGPR.
"""

from seq2seq.methods.base import CandidateInfo, Cost, Method, MethodInfo, Shape
from seq2seq.methods.gaussian.settings import MogprSettings

# Of Cholesky factors of a few hundred rows on one core, and of all passes over the values; pixels are solved twice.
_S_PER_OPERATION, _S_PER_VALUE = 3e-10, 6e-7
_OBSERVED = 0.5  # of the dates of a pixel
_PROGRAM_GB, _BYTES_PER_VALUE = 1.0, 80


def _cost(shape: Shape, settings: MogprSettings) -> Cost:
    dates, bands, height, width = shape
    values = dates * bands * height * width
    points = dates * (_OBSERVED * min(settings.latents, bands) + 2 * settings.radar)
    solved = settings.sample_px * settings.iterations * 4 + 2 * height * width  # a gradient needs the inverse too
    return Cost(
        seconds=2 + _S_PER_OPERATION * solved * points**3 / 3 + _S_PER_VALUE * values,
        memory_gb=_PROGRAM_GB + _BYTES_PER_VALUE * values / 2**30,
    )


def _load() -> type[Method]:
    from seq2seq.methods.gaussian.method import Mogpr

    return Mogpr


INFO = MethodInfo(
    name="mogpr",
    title="Joint Gaussian process of S1 and S2",
    about="Each pixel's curve in time, all bands and radar together; half a minute.",
    settings=MogprSettings,
    cost=_cost,
    load=_load,
    candidates={"mogpr": CandidateInfo("Joint Gaussian process", share=1.0)},
    source="Pipia et al. (2019), Remote Sensing of Environment 235, 111452",
    preparing_share=0.8,
)
