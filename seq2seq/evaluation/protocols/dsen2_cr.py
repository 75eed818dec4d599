"""DSen2-CR's own table: errors against the target, against the clear input, and under clouds, each by itself."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from seq2seq.datasets.base import Sample
from seq2seq.datasets.cloud_score import published_mask
from seq2seq.evaluation.base import Metric, Protocol, PublishedRow, Rng
from seq2seq.evaluation.metrics import OfImage, image_mean, mae, mean_over_images, psnr, rmse, sam_degrees, ssim
from seq2seq.sequence import Bool, Float32

CROP_PX = 128


def top_left(sample: Sample, _: Rng) -> Sample:
    """Cuts out the top left 128 x 128 px, which is what the authors' code scores."""
    cut = (..., slice(CROP_PX), slice(CROP_PX))
    return replace(
        sample,
        s2=sample.s2[cut],
        s1=None if sample.s1 is None else sample.s1[cut],
        valid=sample.valid[cut],
        cloud=sample.cloud[cut],
        truth=sample.truth[cut],
        scored=sample.scored[cut],
        asked_s1=None if sample.asked_s1 is None else sample.asked_s1[cut],
    )


def input_of(sample: Sample) -> tuple[Float32, Bool]:
    """(N, C, H, W) the cloudy images of the dates asked for, and (N, H, W) their clouds and shadows as published."""
    images = sample.s2[np.searchsorted(sample.dates, sample.asked)]
    return images, np.stack([published_mask(image) for image in images])


def reproduction(of: OfImage) -> Callable[[Float32, Sample], float]:
    """Makes a `Metric.of` against the input, on its clear pixels."""

    def value(prediction: Float32, sample: Sample) -> float:
        images, clouded = input_of(sample)
        return mean_over_images(of, prediction, images, ~clouded & sample.scored)

    return value


def reconstruction(of: OfImage) -> Callable[[Float32, Sample], float]:
    """Makes a `Metric.of` against the target, under clouds and shadows of the input."""

    def value(prediction: Float32, sample: Sample) -> float:
        _, clouded = input_of(sample)
        return mean_over_images(of, prediction, sample.truth, clouded & sample.scored)

    return value


_TARGET, _REPROD, _RECON = (
    "all pixels against the target",
    "clear pixels against the input",
    "clouded against the target",
)
METRICS = (
    Metric("MAE target", "", f"Mean of |p - y|, {_TARGET}.", False, image_mean(mae), decimals=4),
    Metric("MAE reprod", "", f"Mean of |p - x|, {_REPROD}.", False, reproduction(mae), decimals=4),
    Metric("MAE recon", "", f"Mean of |p - y|, {_RECON}.", False, reconstruction(mae), decimals=4),
    Metric("RMSE", "", f"Root of the mean of (p - y)^2, {_TARGET}.", False, image_mean(rmse), decimals=4),
    Metric("PSNR", "dB", f"20 log10(1 / RMSE) of each image, {_TARGET}.", True, image_mean(psnr), decimals=1),
    Metric("SAM target", "°", f"Mean spectral angle, {_TARGET}.", False, image_mean(sam_degrees), decimals=2),
    Metric("SAM reprod", "°", f"Mean spectral angle, {_REPROD}.", False, reproduction(sam_degrees), decimals=2),
    Metric("SAM recon", "°", f"Mean spectral angle, {_RECON}.", False, reconstruction(sam_degrees), decimals=2),
    Metric("SSIM", "", f"Structural similarity, {_TARGET}.", True, image_mean(ssim)),
)


def _row(method: str, *values: float) -> PublishedRow:
    source = "Meraner et al., ISPRS Journal 166, 2020, Table 1"
    named = {metric.name: value for metric, value in zip(METRICS, values, strict=True)}
    assert not any(map(math.isnan, values)), method
    return PublishedRow(method, named, source, "verified in the paper")


DSEN2_CR = Protocol(
    name="sen12mscr-dsen2cr",
    dataset="sen12mscr",
    title="SEN12MS-CR, as in the paper of DSen2-CR",
    about="The top left 128 x 128 px of each patch, 13 bands, reflectance; against the target everywhere, against the "
    "input where it is clear (reprod), and against the target under clouds and shadows (recon).",
    metrics=METRICS,
    published=(
        _row("DSen2-CR, CARL", 0.0290, 0.0204, 0.0266, 0.0366, 28.7, 8.15, 3.94, 8.04, 0.875),
        _row("DSen2-CR, L1", 0.0270, 0.0398, 0.0266, 0.0343, 29.3, 8.07, 6.33, 8.13, 0.878),
        _row("DSen2-CR, CARL, no S1", 0.0306, 0.0188, 0.0282, 0.0387, 27.6, 8.98, 3.86, 8.97, 0.870),
        _row("DSen2-CR, L1, no S1", 0.0284, 0.0389, 0.0281, 0.0361, 28.8, 8.97, 6.17, 9.05, 0.873),
        _row("pix2pix", 0.0292, 0.0210, 0.0274, 0.0424, 28.2, 13.68, 13.93, 12.67, 0.844),
    ),
    notes=(
        "The paper's list of test patches is not public as it was used (the authors' repository says so): scored here "
        "is the SEN12MS-CR test split, so that rows are near, not equal, in what they measure.",
        "The authors' code gives MAE in units of 2000 DN and SAM in radians; here as printed, reflectance and degrees.",
        "Clouds and shadows are those of the authors' rule, threshold 0.2, B01 + B10 rescaled from 0.15..0.2; the "
        "loaders of SEN12MS-CR-TS rescale from 0.4..0.9 and find far fewer.",
        "A method that keeps observed pixels has no reproduction error by construction.",
    ),
    gap=top_left,
    clouds_with_weights="seen",
)
