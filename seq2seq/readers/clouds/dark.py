"""Pixels that are as dark as shadows are: two tests against a pixel's own clear dates."""

import numpy as np

from seq2seq.readers.clouds.detecting import Planes, temporal_quantile, without_specks
from seq2seq.sequence import Bool

# A shadow takes the sun away from near infrared and short-wave infrared alike; a harvest only from the former.
LEVEL = 0.65
LEVEL_WITHOUT_SWIR = 0.55
# Where the sun casts a cloud's shadow, less darkness will do: thin clouds and bright haze leave much of the light.
DIM_MORE = 0.15
MIN_NIR = 0.1  # water is always dark
# Zhai et al. 2018 cut at these shares of the way from an image's least value to its mean.
INFRARED_LEVEL, BLUE_LEVEL = 3 / 4, 5 / 6


def darker_than_usual(planes: Planes, cloud: Bool, usable: Bool, *, more: float = 0.0) -> Bool:
    """(T, H, W), True = darker than the pixel's clear median in near infrared, and in what else light is needed for.

    more: added to the share of the median up to which it is dark.
    """
    nir, swir, red = planes.first("B08", "B8A"), planes.first("B11", "B12"), planes.first("B04")
    if nir is None:
        return np.zeros_like(cloud)
    clear = usable & ~cloud
    clear_nir = temporal_quantile(nir, clear, 0.5)
    if swir is not None:
        level = LEVEL + more
        dark = (nir < level * clear_nir) & (swir < level * temporal_quantile(swir, clear, 0.5))
    else:
        dark = nir < (LEVEL_WITHOUT_SWIR + more) * clear_nir
        if red is not None:  # bare soil after a harvest is redder than the crop was; shadow is not
            dark &= red <= temporal_quantile(red, clear, 0.5)
    dark &= (clear_nir > MIN_NIR) & clear
    return without_specks(dark)


def dim(planes: Planes, cloud: Bool, usable: Bool) -> Bool:
    """(T, H, W), True = less bright than usual, as faint shadows are."""
    return darker_than_usual(planes, cloud, usable, more=DIM_MORE)


def dark_in_infrared_and_blue(planes: Planes, cloud: Bool, usable: Bool) -> Bool:
    """(T, H, W), True = dark in infrared and blue at once (Zhai et al., ISPRS Journal 144, 2018; DSen2-CR's shares).

    There, dark is what lies below a share of the way from the least value of the image to its mean, so that clouds
    brighten the mean and clear ground becomes shadow, and a tile's mask depends on its outline. Here the mean is the
    pixel's own clear median, and the least is that of no light at all, 0.
    """
    nir, swir, blue = planes.first("B08", "B8A"), planes.first("B11", "B12"), planes.first("B02")
    if nir is None:
        return np.zeros_like(cloud)
    clear = usable & ~cloud
    infrared = nir if swir is None else (nir + swir) / np.float32(2)
    usual = temporal_quantile(infrared, clear, 0.5)
    dark = (infrared < INFRARED_LEVEL * usual) & (usual > MIN_NIR) & clear
    if blue is not None:
        dark &= blue < BLUE_LEVEL * temporal_quantile(blue, clear, 0.5)
    return without_specks(dark)
