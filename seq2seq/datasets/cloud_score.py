"""Cloud and shadow masks of Sentinel-2 L1C by the rule that DSen2-CR and the SEN12MS-CR loaders use.

A score of brightness in blue, aerosol, cirrus and visible bands that is no snow, closed, smoothed and cut at 0.2
(Schmitt, Hughes, Qiu and Zhu, Aggregating cloud-free Sentinel-2 images with Google Earth Engine, ISPRS Annals 2019);
shadows are dark in infrared and blue (Zhai et al., ISPRS Journal 144, 2018). One image at a time.
"""

import numpy as np
from scipy import ndimage

from seq2seq.bands import L1C
from seq2seq.sequence import Bool, Float32

THRESHOLD = 0.2
# Of B01 + B10, reflectance at which the score is 0 and 1, as in DSen2-CR's code. The loaders of SEN12MS-CR-TS have
# 0.4 and 0.9, and find no cloud on dates of their own set with a mean reflectance of 0.36 in blue.
_CIRRUS = (0.15, 0.2)
_CLOSING_PX, _SMOOTHING_PX, _MEDIAN_PX = 5, 7, 5
_SHADOW_INFRARED, _SHADOW_BLUE = 3 / 4, 5 / 6


def published_mask(reflectance: Float32) -> Bool:
    """Finds (H, W) cloud or shadow in (13, H, W) reflectance as published: dark is what lies below the image's mean.

    Where much of an image is cloud, its mean is bright and all ground is shadow.
    """
    return find_clouds(reflectance) | _shadows(reflectance, np.ones(reflectance.shape[1:], dtype=bool))


def cloud_or_shadow(reflectance: Float32) -> Bool:
    """Finds (H, W) cloud or shadow, as `published_mask` but for dark ground, which is held against what is no cloud."""
    clouds = find_clouds(reflectance)
    return clouds if clouds.all() else clouds | _shadows(reflectance, ~clouds)


def _band(reflectance: Float32, name: str) -> Float32:
    return np.asarray(reflectance[L1C.index(name)])


def _ramp(values: Float32, zero: float, one: float) -> Float32:
    return np.asarray((values - zero) / (one - zero))


def find_clouds(reflectance: Float32) -> Bool:
    """Finds (H, W) cloud in (13, H, W) reflectance. An image of zeros is all cloud, as in the loaders."""
    if not reflectance.any():
        return np.ones(reflectance.shape[1:], dtype=bool)
    aerosol, blue, green, red, high, swir = (
        _band(reflectance, name) for name in ("B01", "B02", "B03", "B04", "B10", "B11")
    )
    total = green + swir
    snow = np.asarray((green - swir) / np.where(total == 0, 1e-3, total), dtype=np.float32)
    score = np.minimum.reduce(
        [
            _ramp(blue, 0.1, 0.5),
            _ramp(aerosol, 0.1, 0.3),
            _ramp(aerosol + high, *_CIRRUS),
            _ramp(red + green + blue, 0.2, 0.8),
            _ramp(snow, 0.8, 0.6),
            np.ones_like(blue),
        ]
    )
    closed = ndimage.grey_closing(score, size=(_CLOSING_PX, _CLOSING_PX))
    return np.asarray(ndimage.uniform_filter(closed, _SMOOTHING_PX, mode="constant") >= THRESHOLD)


def _shadows(reflectance: Float32, among: Bool) -> Bool:
    blue = _band(reflectance, "B02")
    infrared = np.asarray((_band(reflectance, "B08") + _band(reflectance, "B11")) / 2, dtype=np.float32)
    dark = (infrared < _above_least(infrared[among], _SHADOW_INFRARED)) & (
        blue < _above_least(blue[among], _SHADOW_BLUE)
    )
    return np.asarray(ndimage.median_filter(dark.astype(np.uint8), _MEDIAN_PX, mode="constant") > 0)


def _above_least(values: Float32, share: float) -> float:
    """So far from the least value to the mean."""
    least = float(values.min())
    return least + share * (float(values.mean()) - least)
