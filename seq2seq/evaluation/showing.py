"""What a method sees of a sample: the dates of it, those that are asked for among them, and no pixel of its truth."""

from dataclasses import dataclass

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from seq2seq.bands import S1_BANDS
from seq2seq.datasets.base import Sample
from seq2seq.errors import InputError
from seq2seq.evaluation.base import Clouds
from seq2seq.sequence import Dates, Float32, ImageSequence, Observations

# Patches of data sets need no place on Earth; methods go by the size of a pixel at most.
_GSD_M, _CRS = 10.0, "EPSG:32631"
# Of the scored pixels that are seen, so many may equal the truth in all bands by chance: water, saturation.
_MOST_EQUAL = 0.5


@dataclass(frozen=True, eq=False)
class Shown:
    """observations: what a method gets. asked: (N,) positions in its dates of those that are asked for."""

    observations: Observations
    asked: NDArray[np.intp]


def show(sample: Sample, clouds: Clouds) -> Shown:
    """Makes observations of a sample. A date that is asked for and is none of its dates is one of which only radar is
    seen, if any.

    clouds: `hidden`: cloudy pixels are 0 and not observed; `seen`: they are observed as they are; what is not `valid`
    never is. Raises `InputError` where the sample shows its own truth.
    """
    dates = np.union1d(sample.dates, sample.asked)
    at = np.searchsorted(dates, sample.dates)
    _, bands, height, width = sample.s2.shape
    observed = np.zeros((len(dates), height, width), dtype=bool)
    observed[at] = sample.valid & ~sample.cloud if clouds == "hidden" else sample.valid
    pixels = np.zeros((len(dates), bands, height, width), dtype=np.float32)
    pixels[at] = np.where(observed[at][:, None], sample.s2, 0)
    cloud_mask = np.ones_like(observed)
    cloud_mask[at] = sample.cloud | ~sample.valid
    grid = GeoBox((height, width), Affine(_GSD_M, 0, 0, 0, -_GSD_M, 0), _CRS)
    s2 = ImageSequence(pixels, dates, sample.bands, grid, observed)
    s1 = _radar(sample, dates, grid)
    paired = np.zeros(len(dates), dtype=bool) if s1 is None else s1.observed.any(axis=(1, 2))
    s1_dates = np.where(paired, dates, np.datetime64("NaT", "D"))
    shown = Shown(Observations(s2, s1, cloud_mask, s1_dates), np.searchsorted(dates, sample.asked))
    _check_unknown(sample, shown)
    return shown


def _radar(sample: Sample, dates: Dates, grid: GeoBox) -> ImageSequence | None:
    if sample.s1 is None and sample.asked_s1 is None:
        return None
    values = np.full((len(dates), len(S1_BANDS), *grid.shape), np.nan, dtype=np.float32)
    if sample.asked_s1 is not None:
        values[np.searchsorted(dates, sample.asked)] = sample.asked_s1
    if sample.s1 is not None:
        values[np.searchsorted(dates, sample.dates)] = sample.s1
    observed = np.asarray(np.isfinite(values).all(axis=1), dtype=bool)
    return ImageSequence(_blank(values), dates, S1_BANDS, grid, observed)


def _blank(values: Float32) -> Float32:
    """0 for what is no number."""
    return np.asarray(np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0), dtype=np.float32)


def _check_unknown(sample: Sample, shown: Shown) -> None:
    """A sample that shows what it is scored on would make any copy the best method."""
    s2 = shown.observations.s2
    seen = s2.observed[shown.asked] & sample.scored
    equal = seen & (s2.pixels[shown.asked] == sample.truth).all(axis=1)
    if seen.any() and equal.sum() > _MOST_EQUAL * seen.sum():
        raise InputError(f"shows {int(equal.sum()):,} of the {int(sample.scored.sum()):,} pixels that it is scored on")
