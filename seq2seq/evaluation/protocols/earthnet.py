"""EarthNet2021 as U-TILISE is evaluated on it: clouds laid over clear dates of a cube."""

from dataclasses import replace

import numpy as np

from seq2seq.datasets.base import Sample
from seq2seq.evaluation.base import PIXEL_MEAN, PIXEL_ROOT, SAMPLE_MEAN, Metric, Protocol, Rng
from seq2seq.evaluation.hiding import hide
from seq2seq.evaluation.metrics import mae, pooled, psnr, rmse, sam_degrees
from seq2seq.evaluation.shapes import draw_shapes

MOST_CLOUD = 0.05  # a date with that much cloud, or without values, is left out
LEAST_DATES = 5
MOST_MASKED = 0.5  # of the dates that are left; how many is drawn


def random_clouds(sample: Sample, rng: Rng) -> Sample:
    """Keeps the clear dates, lays clouds over up to half of them but never the first, and asks for what they cover.

    Of n clear dates ceil(m / 2) get clouds, m drawn from 1..n. Nothing is asked for where fewer than five are clear.
    """
    clouded = sample.cloud | ~sample.valid
    good = np.flatnonzero((sample.cloud.mean(axis=(1, 2)) < MOST_CLOUD) & sample.valid.any(axis=(1, 2)))
    hidden = np.zeros_like(clouded)
    if len(good) >= LEAST_DATES:
        count = min(len(good) - 1, int(np.ceil(MOST_MASKED * rng.integers(1, len(good), endpoint=True))))
        hidden[rng.permutation(good[1:])[:count]] = draw_shapes(clouded, count, rng)
    clear = replace(
        sample,
        s2=sample.s2[good],
        valid=sample.valid[good],
        cloud=sample.cloud[good],
        dates=sample.dates[good],
    )
    scored = (hidden & ~clouded)[good]
    asked = scored.any(axis=(1, 2))
    asking = replace(clear, truth=clear.s2[asked], scored=scored[asked], asked=clear.dates[asked])
    return hide(asking, hidden[good])


_HIDDEN = "over pixels under the clouds that were laid over, where the cube itself is clear"


def _protocol(split: str, about: str, gain_db: float) -> Protocol:
    return Protocol(
        name=f"earthnet-{split}",
        dataset="earthnet",
        title=f"EarthNet2021, {split}, random clouds",
        about=f"Blue, green, red, near infrared, 128 x 128 px, {about}; of five clear dates or more of a cube, up "
        "to half get clouds by a seed and its name, never the first; scored on what they cover.",
        metrics=(
            Metric("PSNR", "dB", f"20 log10(1 / RMSE) of each cube, {_HIDDEN}.", True, pooled(psnr), SAMPLE_MEAN, 2),
            Metric("RMSE", "", f"Root of the mean of (p - y)^2 {_HIDDEN}.", False, pooled(rmse), PIXEL_ROOT, 4),
            Metric("MAE", "", f"Mean of |p - y| {_HIDDEN}.", False, pooled(mae), PIXEL_MEAN, 4),
            Metric("SAM", "°", f"Mean spectral angle {_HIDDEN}.", False, pooled(sam_degrees), PIXEL_MEAN, 2),
        ),
        notes=(
            f"U-TILISE is said to be {gain_db} dB of PSNR above interpolation here (Stucker et al. 2023, abstract); no "
            "row of its tables has been found, so compare with the row of linear interpolation that you measure.",
            "U-TILISE lays clouds of other cubes of the tile over a date; here they are of the cube's own dates, so "
            "that one cube's files are all that is read, mirrored at random. Its draws, seed 0, are not ours.",
            "Cubes of fewer than five clear dates have no pixel to score: they are listed as not finished.",
            "There is no radar: methods that need Sentinel-1 cannot be run.",
        ),
        gap=random_clouds,
        split=split,
    )


EARTHNET_IID = _protocol("iid", "places of the training split's kind", 1.8)
EARTHNET_OOD = _protocol("ood", "places elsewhere", 1.3)
