"""Cloud rules that any set of bands can follow: rise over the clear level, whiteness, brightness."""

from dataclasses import dataclass

import numpy as np

from seq2seq.readers.clouds.dark import darker_than_usual, dim
from seq2seq.readers.clouds.detecting import Found, Planes, of_bands, temporal_quantile, without_specks
from seq2seq.sequence import Bool, Float32

# Clouds whiten what they cover: blue rises against the pixel's own clear level, and red by no more than 1.5 times as
# much (Hagolle et al. 2010, multi-temporal cloud detection: 0.03 for one day's gap, doubled after a month).
BLUE_RISE = 0.06
RED_PER_BLUE_RISE = 1.5
CLEAR_QUANTILE = 0.2  # of a pixel's dates; above the darkest, which may lie in shadow
# For pixels that are hardly ever clear: bright and grey at once (Zhu and Woodcock 2012, Fmask's whiteness, stricter).
BRIGHT_VISIBLE = 0.35
GREY_RANGE = 0.4
# Fmask's snow test with its stricter, later bound: ice absorbs at 1.6 um, water clouds do not.
SNOW_NDSI = 0.6
CIRRUS_RISE = 0.008  # B10 sees nothing but high cloud
_WANTED = {"B02", "B03", "B04", "B08", "B8A", "B10", "B11", "B12"}
_OPENINGS_PX = 4  # of the clouds, and of what is dark beside them: 2 each


@dataclass(frozen=True)
class RuleDetector:
    """Clouds by brightness, whiteness and rise over the pixel's clear level; dark against its clear median.

    bands: those of the input that some rule uses, at least one. cell_px: 1, blocks may start anywhere.
    """

    bands: tuple[str, ...]
    cell_px: int = 1
    reach_px: int = _OPENINGS_PX

    def find(self, reflectance: Float32, usable: Bool) -> Found:
        """(T, C, H, W), (T, H, W) -> clouds and what is dark."""
        planes = Planes(reflectance, self.bands)
        cloud = _clouds(planes, usable)
        return Found(cloud, darker_than_usual(planes, cloud, usable), dim(planes, cloud, usable))


def rule_detector(bands: tuple[str, ...]) -> RuleDetector:
    """The rules for an input with these bands; the shortest wavelength stands in where there is no blue."""
    return RuleDetector(of_bands(bands, _WANTED))


def _clouds(planes: Planes, usable: Bool) -> Bool:
    """(T, H, W), True = cloud."""
    cloud = _rises_white(planes, usable) | _is_bright_and_grey(planes)
    cirrus = planes.first("B10")
    if cirrus is not None:
        cloud |= cirrus - temporal_quantile(cirrus, usable, CLEAR_QUANTILE) > CIRRUS_RISE
    cloud &= usable & ~_is_snow(planes)
    return without_specks(cloud)


def _rises_white(planes: Planes, usable: Bool) -> Bool:
    blue, red = planes.blue(), planes.first("B04")
    blue_rise = blue - temporal_quantile(blue, usable, CLEAR_QUANTILE)
    rises = blue_rise > BLUE_RISE
    if red is None or red is blue:
        return rises
    red_rise = red - temporal_quantile(red, usable, CLEAR_QUANTILE)
    return rises & (red_rise < RED_PER_BLUE_RISE * blue_rise)


def _is_bright_and_grey(planes: Planes) -> Bool:
    visible = np.stack(planes.visible())  # (1 to 3, T, H, W)
    brightness = visible.mean(axis=0)
    value_range = visible.max(axis=0) - visible.min(axis=0)
    return np.asarray((brightness > BRIGHT_VISIBLE) & (value_range < GREY_RANGE * brightness))


def _is_snow(planes: Planes) -> Bool:
    green, swir = planes.first("B03"), planes.first("B11")
    if green is None or swir is None:
        return np.zeros(planes.blue().shape, dtype=bool)
    return np.asarray(green - swir > SNOW_NDSI * np.maximum(green + swir, 1e-6))
