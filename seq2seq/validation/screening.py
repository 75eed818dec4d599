"""Clouds and shadows that the masks have missed, as far as the rest of the sequence betrays them.

Masks are never perfect, and what they miss lies at their edges. A date of which little else is observed is then learnt
from cloud: on a simulated site with 3 % missed cloud pixels the result of one such date was 20 dB worse than
interpolation. What is suspected is not learnt from, nor interpolated from; it is delivered as it is, as all observed
pixels are.

Snow, harvest and bare soil change as suddenly, but they know nothing of masks: as many pixels look like it far from
every mask as beside one. So a pixel is suspected where more of the date's pixels look like cloud at its distance from
a mask than are explained by how many do far from all of them. Where the land explains half of them, none is.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from seq2seq.interpolation import temporal_neighbours
from seq2seq.sequence import Bool, Float32
from seq2seq.validation.holdout import fully_clouded_dates
from seq2seq.validation.settings import DEFAULTS, ValidationSettings

# So many pixels of a date are worth as much as what all dates together say of pixels far from masks.
FAR_PIXELS = 200
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

    Only beside what is masked, or on fully clouded dates, and only where there are `rim_excess` times as many of them
    as far from all masks.
    """
    distance = _distance_to_masked(observed, settings)
    brighter = _brighter(pixels, observed, days, bands, settings)
    bright = brighter & _more_than_far(brighter, observed, distance, settings)
    darker = _darker(pixels, observed & ~bright, days, settings)  # dark beside a cloud is no shadow
    return bright | (darker & _more_than_far(darker, observed, distance, settings))


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


def _distance_to_masked(observed: Bool, settings: ValidationSettings) -> NDArray[np.int64]:
    """(T, H, W) pixels to the next that is not observed, rounded up; one more than `near_cloud_px` where it is farther.

    Fully clouded dates have no pixel that is far from a cloud.
    """
    far = settings.near_cloud_px + 1
    distance = np.full(observed.shape, far)
    for t in np.flatnonzero(~observed.all(axis=(1, 2))):
        distance[t] = np.minimum(np.ceil(distance_transform_edt(observed[t])), far)
    distance[fully_clouded_dates(observed, settings)] = min(1, settings.near_cloud_px)
    return distance


def _more_than_far(looks_so: Bool, observed: Bool, distance: NDArray[np.int64], settings: ValidationSettings) -> Bool:
    """(T, H, W) at which distances from a mask a date has more pixels that look so than the land explains.

    The land's share is that of pixels that are farther than `near_cloud_px`, of the date and of all dates together.
    """
    dates, far = len(observed), settings.near_cloud_px + 1
    place = np.arange(dates)[:, None, None] * (far + 1) + distance

    def counted(where: Bool) -> NDArray[np.float64]:
        return np.bincount(place[where], minlength=dates * (far + 1)).reshape(dates, far + 1).astype(float)

    found, all_pixels = counted(looks_so & observed), counted(observed)
    of_all_dates = found[:, far].sum() / max(all_pixels[:, far].sum(), 1)
    of_land = (found[:, far] + FAR_PIXELS * of_all_dates) / (all_pixels[:, far] + FAR_PIXELS)
    more = found > settings.rim_excess * of_land[:, None] * all_pixels
    more[:, far] = False
    return np.asarray(more[np.arange(dates)[:, None, None], distance])
