"""The cloud score that DSen2-CR and the SEN12MS-CR loaders use, on any bands, one date at a time."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from seq2seq.readers.clouds.dark import dark_in_infrared_and_blue, dim
from seq2seq.readers.clouds.detecting import Found, Planes, of_bands
from seq2seq.sequence import Bool, Float32

THRESHOLD = 0.2
# Reflectance at which the score is 0 and 1 (Schmitt, Hughes, Qiu and Zhu, ISPRS Annals 2019).
BLUE, AEROSOL, VISIBLE, SNOW = (0.1, 0.5), (0.1, 0.3), (0.2, 0.8), (0.8, 0.6)
# Of B01 + B10 two rescalings are published: 0.15 to 0.2 in DSen2-CR's code, and 0.4 to 0.9 in the loaders of
# SEN12MS-CR-TS. The first is taken: the second finds no cloud on dates of that set with a mean of 0.36 in blue.
CIRRUS = (0.15, 0.2)
_CLOSING_PX, _SMOOTHING_PX = 5, 7
_WANTED = {"B01", "B02", "B03", "B04", "B08", "B8A", "B10", "B11", "B12"}
# A closing of 5 reaches 4 px, the mean of 7 another 3, the opening of what is dark 2.
_REACH_PX = 9


@dataclass(frozen=True)
class ScoreDetector:
    """Clouds by the published score, from those of its terms that the bands allow; shadows as Zhai et al. 2018 say,
    against the pixel's own clear dates.

    It compares a date with nothing but fixed levels: what is always bright is cloud on every date.
    """

    bands: tuple[str, ...]
    cell_px: int = 1
    reach_px: int = _REACH_PX

    def find(self, reflectance: Float32, usable: Bool) -> Found:
        """(T, C, H, W), (T, H, W) -> clouds and what is dark."""
        planes = Planes(reflectance, self.bands)
        closed = ndimage.grey_closing(_score(planes), size=(1, _CLOSING_PX, _CLOSING_PX))
        smooth = ndimage.uniform_filter(closed, (1, _SMOOTHING_PX, _SMOOTHING_PX), mode="constant")
        cloud = np.asarray(smooth >= THRESHOLD) & usable
        return Found(cloud, dark_in_infrared_and_blue(planes, cloud, usable), dim(planes, cloud, usable))


def score_detector(bands: tuple[str, ...]) -> ScoreDetector:
    """The score for an input with these bands."""
    return ScoreDetector(of_bands(bands, _WANTED))


def _score(planes: Planes) -> Float32:
    """(T, H, W), at most 1: the least of all terms."""
    blue, aerosol, high = planes.blue(), planes.first("B01"), planes.first("B10")
    green, red, swir = planes.first("B03"), planes.first("B04"), planes.first("B11")
    terms = [np.ones_like(blue), _ramp(blue, *BLUE)]
    if aerosol is not None:
        terms.append(_ramp(aerosol, *AEROSOL))
    if aerosol is not None and high is not None:
        terms.append(_ramp(aerosol + high, *CIRRUS))
    if green is not None and red is not None:
        terms.append(_ramp(blue + green + red, *VISIBLE))
    if green is not None and swir is not None:
        total = np.where(green + swir == 0, np.float32(1e-3), green + swir)
        terms.append(_ramp(np.asarray((green - swir) / total, dtype=np.float32), *SNOW))
    return np.asarray(np.minimum.reduce(terms), dtype=np.float32)


def _ramp(values: Float32, zero: float, one: float) -> Float32:
    return np.asarray((values - zero) / (one - zero), dtype=np.float32)
