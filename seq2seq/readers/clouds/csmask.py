"""The cloud and shadow network of DLR (ukis-csmask), where it is installed; its weights come with its wheel."""

import importlib.util
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from seq2seq.readers.clouds.cells import cell_means, spread
from seq2seq.readers.clouds.dark import darker_than_usual, dim
from seq2seq.readers.clouds.detecting import Found, Planes
from seq2seq.sequence import Bool, Float32

# Its own names of the bands, the near infrared of 10 m before that of 20 m.
_NAMES = {"B02": "blue", "B03": "green", "B04": "red", "B08": "nir", "B8A": "nir", "B11": "swir16", "B12": "swir22"}
CSMASK_BANDS = ("B02", "B03", "B04", "B08")
_SWIR = ("B11", "B12")
CSMASK_GSD_M = 30.0  # "in approximately 30 m resolution", says its documentation
_CONTEXT_CELLS = 32
_CLOUD, _SHADOW = 1, 2
# Its network takes squares of 256 cells, and is unsure of smaller ones filled up with nothing.
_LEAST_CELLS = 256


@dataclass(frozen=True)
class CsmaskDetector:
    """Clouds and shadows by a U-Net trained on Sentinel-2 (Wieland et al., Remote Sensing of Environment 230, 2019).

    It judges cells of about 30 m in squares of 256, so that what it finds in a block differs a little from what it
    finds there in a larger one: a scene in one block is judged once. bands: four, or six with short-wave infrared.
    level: of the product, "l1c" or "l2a", for each of which it has its own weights.
    """

    bands: tuple[str, ...]
    gsd_m: float
    level: str

    @property
    def cell_px(self) -> int:
        """Side of a cell."""
        return max(1, round(CSMASK_GSD_M / self.gsd_m))

    @property
    def reach_px(self) -> int:
        """Context that a block gets."""
        return _CONTEXT_CELLS * self.cell_px

    def find(self, reflectance: Float32, usable: Bool) -> Found:
        """(T, C, H, W), (T, H, W) -> clouds, shadows, and what else is dark."""
        classes = np.stack([self._classes(*date) for date in zip(reflectance, usable, strict=True)])
        cloud: Bool = (classes == _CLOUD) & usable
        shadow: Bool = (classes == _SHADOW) & usable
        planes = Planes(reflectance, self.bands)
        return Found(cloud, darker_than_usual(planes, cloud, usable), dim(planes, cloud, usable), shadow)

    def _classes(self, reflectance: Float32, usable: Bool) -> Any:
        """(C, H, W), (H, W) -> (H, W): 0 ground, 1 cloud, 2 shadow."""
        if not usable.any():
            return np.zeros(usable.shape, dtype=np.uint8)
        from ukis_csmask.mask import CSmask

        cells = cell_means(reflectance, usable, self.cell_px)  # (C, h, w)
        image, inner = _filled_up(np.moveaxis(cells, 0, -1))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = CSmask(
                image,
                band_order=[_NAMES[band] for band in self.bands],
                product_level=self.level,
                providers=["CPUExecutionProvider"],
            )
        return spread(found.csm[*inner, 0], self.cell_px, usable.shape)


def csmask_installed() -> bool:
    """True where the optional package and what runs its network can be imported."""
    return all(importlib.util.find_spec(name) is not None for name in ("ukis_csmask", "onnxruntime"))


def csmask_detector(bands: tuple[str, ...], gsd_m: float) -> CsmaskDetector | None:
    """The network for an input with these bands, None where one lacks. With B10 it is Level-1C."""
    chosen = (*CSMASK_BANDS[:3], "B08" if "B08" in bands else "B8A")
    if not set(chosen) <= set(bands):
        return None
    swir = _SWIR if set(_SWIR) <= set(bands) else ()
    return CsmaskDetector((*chosen, *swir), gsd_m, "l1c" if "B10" in bands else "l2a")


def _filled_up(image: Float32) -> tuple[Float32, tuple[slice, slice]]:
    """(h, w, C) mirrored outwards to at least 256 cells a side, and where the image lies in it."""
    fill = [max(0, _LEAST_CELLS - side) for side in image.shape[:2]]
    before = [each // 2 for each in fill]
    around = [(low, each - low) for low, each in zip(before, fill, strict=True)]
    mirrored = np.pad(image, (*around, (0, 0)), mode="symmetric").astype(np.float32)
    rows, columns = (slice(low, low + side) for low, side in zip(before, image.shape[:2], strict=True))
    return np.ascontiguousarray(mirrored), (rows, columns)
