"""The protocol of a cloud detector, and what all of them stand on: planes by name, ranks over time, neighbourhoods.

A detector looks at a pixel's own time series and at a bounded neighbourhood, and `reach_px` states the bound: what it
finds in a block with that halo equals what it finds there in the whole scene, unless its docstring says otherwise.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import ndimage

from seq2seq.bands import S2_BANDS
from seq2seq.sequence import Bool, Float32

CROSS = ndimage.generate_binary_structure(2, 1)[None]  # (1, 3, 3): over rows and columns, never over dates
SHADOW_DISTANCE_M = 1000.0  # a cloud 1 km high, the sun 45 degrees up


@dataclass(frozen=True, eq=False)
class Found:
    """What a detector finds, (T, H, W) each. cloud: True = cloud. dark: as dark as a shadow, and dim: as a faint one,
    neither of them cloud; whether a shadow lies there is for clouds and sun to say. shadow: seen as such by the
    detector itself, None where it sees none.
    """

    cloud: Bool
    dark: Bool
    dim: Bool
    shadow: Bool | None = None


class CloudDetector(Protocol):
    """Finds clouds, and what may be their shadows, in a block of a sequence."""

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands it looks at, in the order it wants them."""

    @property
    def reach_px(self) -> int:
        """Pixels that what is found depends on in each direction."""

    @property
    def cell_px(self) -> int:
        """Blocks must start at multiples of it."""

    def find(self, reflectance: Float32, usable: Bool) -> Found:
        """(T, C, H, W) in the order of `bands`, (T, H, W) True = has data and is no cloud by other knowledge."""


def cloud_or_shadow(detector: CloudDetector, reflectance: Float32, usable: Bool, gsd_m: float) -> Bool:
    """Finds (T, H, W) cloud or shadow in a sequence that is whole in memory: shadow is what is dark near a cloud."""
    found = detector.find(reflectance, usable)
    near = found.dark & within(found.cloud, round(SHADOW_DISTANCE_M / gsd_m), where=found.dark)
    return found.cloud | near if found.shadow is None else found.cloud | near | found.shadow


class Planes:
    """(T, H, W) planes of a (T, C, H, W) block by band name."""

    def __init__(self, reflectance: Float32, bands: tuple[str, ...]) -> None:
        self._reflectance, self.bands = reflectance, bands

    def first(self, *names: str) -> Float32 | None:
        """The first of these bands that is there."""
        found = [name for name in names if name in self.bands]
        return self._reflectance[:, self.bands.index(found[0])] if found else None

    def blue(self) -> Float32:
        """The band that clouds change most."""
        return self._reflectance[:, self.bands.index(bluest(self.bands))]

    def visible(self) -> list[Float32]:
        """Blue, green and red, as far as they are there, or what stands in for them."""
        found = [self._reflectance[:, self.bands.index(name)] for name in ("B02", "B03", "B04") if name in self.bands]
        return found or [self.blue()]


def bluest(bands: tuple[str, ...]) -> str:
    """B02, else the shortest wavelength that sees the ground, else the first band."""
    ground = [name for name in bands if not S2_BANDS[name].atmospheric]
    return min(ground or bands, key=lambda name: S2_BANDS[name].wavelength_nm)


def of_bands(bands: tuple[str, ...], wanted: set[str]) -> tuple[str, ...]:
    """Those of the input's bands that are wanted; the shortest wavelength stands in where there is no blue."""
    return tuple(band for band in bands if band in wanted | {bluest(bands)})


def temporal_quantile(plane: Float32, usable: Bool, quantile: float) -> Float32:
    """(T, H, W) -> (1, H, W): the value that ranks at `quantile` (rounded down) of a pixel's usable dates.

    Where no date is usable it is +inf, so that nothing rises above it; comparisons against it must allow for that.
    """
    ranked = np.sort(np.where(usable, plane, np.inf), axis=0)
    count = usable.sum(axis=0)
    rank = np.floor(quantile * np.maximum(count - 1, 0)).astype(np.intp)
    return np.take_along_axis(ranked, rank[None], axis=0).astype(np.float32)


def without_specks(mask: Bool) -> Bool:
    """Opened by a cross: single pixels that flicker are roofs and ploughed strips, not clouds."""
    padded = np.pad(mask, ((0, 0), (1, 1), (1, 1)), mode="edge")
    return np.asarray(ndimage.binary_opening(padded, structure=CROSS)[:, 1:-1, 1:-1])


def within(mask: Bool, radius_px: int, *, where: Bool | None = None) -> Bool:
    """(T, H, W), True within `radius_px` of a True of the same date. where: dates without any True in it are left out:
    distances are costly."""
    near = np.zeros_like(mask)
    asked = mask if where is None else mask & where.any(axis=(1, 2), keepdims=True)
    for index in np.flatnonzero(asked.any(axis=(1, 2))):
        near[index] = ndimage.distance_transform_edt(~mask[index]) <= radius_px
    return near


def grow(cloud_mask: Bool, radius_px: int) -> Bool:
    """(T, H, W) mask, each date grown by a disk of `radius_px`."""
    return within(cloud_mask, radius_px) if radius_px else cloud_mask
