"""Clouds and shadows that the masks have missed, as far as the rest of the sequence betrays them.

Masks are never perfect, and what they miss lies at their edges. A date of which little else is seen is then learnt from
cloud: on a simulated site with 3 % missed cloud pixels the result of one such date was 20 dB worse than interpolation.
What is suspected is not learnt from, nor interpolated from; it is delivered as it is, as all observed pixels are.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from seq2seq.interpolation import temporal_neighbours
from seq2seq.sequence import Bool, Float32
from seq2seq.validation.holdout import lost_dates

# Rise of blue above both clear neighbours in time that is no change of the land: Hagolle et al. 2010 (multi-temporal
# cloud detection), 0.03 for neighbours a day away, twice that after a month.
BLUE_RISE = 0.03
RISE_DOUBLES_DAYS = 30.0
LONGEST_DAYS = 60.0
SHADOW_LEVEL = 0.5  # of the darker neighbour, all bands together: no harvest or flood takes half of every band
NEAR_CLOUD_PX = 5  # beyond it a change is believed, unless next to nothing of the date is seen
BLUE = ("B02", "B03", "B04", "B01")  # the shortest wavelength that sees the ground well comes first


def suspected_clouds(pixels: Float32, observed: Bool, days: NDArray[np.int64], bands: tuple[str, ...]) -> Bool:
    """(T, H, W) observed pixels that are probably cloud or shadow; pixels (T, C, H, W) reflectance.

    Only beside what is masked, or on lost dates: elsewhere snow and bare soil are more likely than a missed cloud.
    """
    near = _near_masked(observed)
    bright = near & _brighter(pixels, observed, days, bands)
    return bright | (near & _darker(pixels, observed & ~bright, days))  # dark beside a cloud is no shadow


def _brighter(pixels: Float32, observed: Bool, days: NDArray[np.int64], bands: tuple[str, ...]) -> Bool:
    """(T, H, W) observed pixels whose blue is far above that of both neighbours in time."""
    blue = next((bands.index(band) for band in BLUE if band in bands), 0)
    values = pixels[:, blue : blue + 1]
    around = temporal_neighbours(values, observed, days, exclude_self=True, fallback=np.zeros(1, np.float32))
    nearer = np.minimum(np.minimum(around.days_to_previous, around.days_to_next), np.float32(LONGEST_DAYS))
    higher = np.maximum(around.previous, around.next)[:, 0] + BLUE_RISE * (1 + nearer / RISE_DOUBLES_DAYS)
    found: Bool = observed & (around.has_previous | around.has_next) & (values[:, 0] > higher)
    return found


def _darker(pixels: Float32, observed: Bool, days: NDArray[np.int64]) -> Bool:
    """(T, H, W) observed pixels that are far darker than both neighbours in time, all bands together."""
    level = pixels.mean(axis=1, keepdims=True)
    around = temporal_neighbours(level, observed, days, exclude_self=True, fallback=np.zeros(1, np.float32))
    found: Bool = observed & (level < SHADOW_LEVEL * np.minimum(around.previous, around.next))[:, 0]
    return found


def _near_masked(observed: Bool) -> Bool:
    """(T, H, W) within `NEAR_CLOUD_PX` of a pixel that is not observed, or anywhere on a lost date."""
    near = np.stack([binary_dilation(~date, iterations=NEAR_CLOUD_PX) for date in observed])
    near |= lost_dates(observed)[:, None, None]
    return np.asarray(near)
