"""Clouds and shadows that the masks have missed, as far as the rest of the sequence betrays them.

Masks are never perfect, and what they miss lies at their edges. A date of which little else is observed is then learnt
from cloud: on a simulated site with 3 % missed cloud pixels the result of one such date was 20 dB worse than
interpolation. What is suspected is not learnt from, nor interpolated from; it is delivered as it is, as all observed
pixels are.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from seq2seq.interpolation import temporal_neighbours
from seq2seq.sequence import Bool, Float32
from seq2seq.validation.holdout import fully_clouded_dates
from seq2seq.validation.settings import DEFAULTS, ValidationSettings

BLUE = ("B02", "B03", "B04", "B01")  # the shortest wavelength that sees the ground well comes first


def suspected_clouds(
    pixels: Float32,
    observed: Bool,
    days: NDArray[np.int64],
    bands: tuple[str, ...],
    settings: ValidationSettings = DEFAULTS,
) -> Bool:
    """Finds (T, H, W) observed pixels that are probably cloud or shadow; pixels (T, C, H, W) reflectance.

    Cloud: blue > max(before, after) + rise (1 + days / doubling). Shadow: mean < level min(before, after).

    Only beside what is masked, or on fully clouded dates: elsewhere snow and bare soil are more likely than a missed
    cloud.
    """
    near = _near_masked(observed, settings)
    bright = near & _brighter(pixels, observed, days, bands, settings)
    return bright | (near & _darker(pixels, observed & ~bright, days, settings))  # dark beside a cloud is no shadow


def _brighter(
    pixels: Float32,
    observed: Bool,
    days: NDArray[np.int64],
    bands: tuple[str, ...],
    settings: ValidationSettings,
) -> Bool:
    """(T, H, W) observed pixels whose blue is far above that of both neighbours in time."""
    blue = next((bands.index(band) for band in BLUE if band in bands), 0)
    values = pixels[:, blue : blue + 1]
    around = temporal_neighbours(values, observed, days, exclude_self=True, fallback=np.zeros(1, np.float32))
    nearer = np.minimum(np.minimum(around.days_to_previous, around.days_to_next), np.float32(settings.longest_days))
    higher = np.maximum(around.previous, around.next)[:, 0] + settings.blue_rise * (
        1 + nearer / settings.rise_doubles_days
    )
    found: Bool = observed & (around.has_previous | around.has_next) & (values[:, 0] > higher)
    return found


def _darker(pixels: Float32, observed: Bool, days: NDArray[np.int64], settings: ValidationSettings) -> Bool:
    """(T, H, W) observed pixels that are far darker than both neighbours in time, all bands together."""
    level = pixels.mean(axis=1, keepdims=True)
    around = temporal_neighbours(level, observed, days, exclude_self=True, fallback=np.zeros(1, np.float32))
    found: Bool = observed & (level < settings.shadow_level * np.minimum(around.previous, around.next))[:, 0]
    return found


def _near_masked(observed: Bool, settings: ValidationSettings) -> Bool:
    """(T, H, W) within `near_cloud_px` of a pixel that is not observed, or anywhere on a fully clouded date."""
    near = np.stack([binary_dilation(~date, iterations=settings.near_cloud_px) for date in observed])
    near |= fully_clouded_dates(observed, settings)[:, None, None]
    return np.asarray(near)
