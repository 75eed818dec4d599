"""Sentinel Hub's pixel classifier, where it is installed."""

import importlib.util
import warnings
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from seq2seq.readers.clouds.cells import cell_means, spread
from seq2seq.readers.clouds.dark import darker_than_usual, dim
from seq2seq.readers.clouds.detecting import Found, Planes
from seq2seq.sequence import Bool, Float32

S2CLOUDLESS_BANDS = ("B01", "B02", "B04", "B05", "B08", "B8A", "B09", "B10", "B11", "B12")
S2CLOUDLESS_THRESHOLD = 0.4  # the package's own default
# Three of its bands have 60 m pixels: finer cells would only repeat them, at 36 times the cost.
S2CLOUDLESS_GSD_M = 60.0
_OPENING_PX = 4


@dataclass(frozen=True)
class S2CloudlessDetector:
    """Clouds by Sentinel Hub's pixel classifier (Skakun et al. 2022, CMIX), dark against the pixel's clear median.

    It judges cells of about 60 m, and their probabilities are interpolated. Blocks start at multiples of cell_px.
    """

    gsd_m: float
    bands: tuple[str, ...] = S2CLOUDLESS_BANDS

    @property
    def cell_px(self) -> int:
        """Side of a cell."""
        return max(1, round(S2CLOUDLESS_GSD_M / self.gsd_m))

    @property
    def reach_px(self) -> int:
        """Of what is dark, and the interpolation between cells."""
        return _OPENING_PX + 2 * self.cell_px

    def find(self, reflectance: Float32, usable: Bool) -> Found:
        """(T, C, H, W), (T, H, W) -> clouds and what is dark."""
        cloud: Bool = (_probability(reflectance, usable, self.cell_px) > S2CLOUDLESS_THRESHOLD) & usable
        planes = Planes(reflectance, self.bands)
        return Found(cloud, darker_than_usual(planes, cloud, usable), dim(planes, cloud, usable))


def s2cloudless_installed() -> bool:
    """True where the optional package can be imported, without importing it (it takes seconds)."""
    return importlib.util.find_spec("s2cloudless") is not None


def _probability(reflectance: Float32, usable: Bool, cell_px: int) -> Float32:
    """(T, 10, H, W) -> (T, H, W) cloud probability in [0, 1], judged in cells of `cell_px` and interpolated."""
    # date by date, so that the block is never copied as a whole
    cells = np.stack([cell_means(*date, cell_px) for date in zip(reflectance, usable, strict=True)])  # (T, C, h, w)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies' deprecations concern nobody here
        from s2cloudless import S2PixelCloudDetector

        detector = S2PixelCloudDetector(threshold=S2CLOUDLESS_THRESHOLD, average_over=None, dilation_size=None)
        coarse = detector.get_cloud_probability_maps(np.moveaxis(cells, 1, -1))  # (T, h, w)
    fine = spread(coarse, cell_px, reflectance.shape[2:])
    return np.asarray(ndimage.uniform_filter(fine, size=(1, cell_px, cell_px), mode="nearest"), dtype=np.float32)
