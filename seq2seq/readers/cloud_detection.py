"""Cloud and shadow masks: rules that any set of bands can follow, s2cloudless for its ten bands, and growth.

Every test looks at a pixel's own time series and at a bounded neighbourhood, and `reach_px` states the bound: a mask
computed in blocks with that halo equals the mask of the whole scene.
"""

import importlib.util
import warnings
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import ndimage

from seq2seq.bands import S2_BANDS
from seq2seq.sequence import Bool, Float32

S2CLOUDLESS_BANDS = ("B01", "B02", "B04", "B05", "B08", "B8A", "B09", "B10", "B11", "B12")
S2CLOUDLESS_THRESHOLD = 0.4  # the package's own default
# Three of its bands have 60 m pixels: finer cells would only repeat them, at 36 times the cost.
S2CLOUDLESS_GSD_M = 60.0

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
# A shadow takes the sun away from near infrared and short-wave infrared alike; a harvest only from the former.
SHADOW_LEVEL = 0.65
SHADOW_LEVEL_WITHOUT_SWIR = 0.55
SHADOW_MIN_NIR = 0.1  # water is always dark
SHADOW_DISTANCE_M = 1000.0  # a cloud 1 km high, the sun 45 degrees up
_CROSS = ndimage.generate_binary_structure(2, 1)[None]  # (1, 3, 3): over rows and columns, never over dates


class CloudDetector(Protocol):
    """Finds clouds and their shadows in a block of a sequence."""

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands it looks at, in the order it wants them."""

    @property
    def reach_px(self) -> int:
        """Pixels that a mask value depends on in each direction."""

    @property
    def cell_px(self) -> int:
        """Blocks must start at multiples of it."""

    def __call__(self, reflectance: Float32, usable: Bool) -> Bool:
        """(T, C, H, W) in the order of `bands`, (T, H, W) -> (T, H, W), True = cloud or shadow."""


@dataclass(frozen=True)
class RuleDetector:
    """Clouds by brightness, whiteness and rise over the pixel's clear level; shadows by darkness near a cloud.

    bands: those of the input that some rule uses, at least one. cell_px: 1, blocks may start anywhere.
    """

    bands: tuple[str, ...]
    gsd_m: float
    cell_px: int = 1

    @property
    def reach_px(self) -> int:
        """Pixels that a mask value depends on in each direction: two openings and the distance to a cloud."""
        return round(SHADOW_DISTANCE_M / self.gsd_m) + 4

    def __call__(self, reflectance: Float32, usable: Bool) -> Bool:
        """(T, C, H, W), (T, H, W) -> (T, H, W), True = cloud or shadow."""
        planes = _Planes(reflectance, self.bands)
        cloud = _clouds_by_rules(planes, usable)
        return cloud | _shadows(planes, cloud, usable, self.gsd_m)


@dataclass(frozen=True)
class S2CloudlessDetector:
    """Clouds by Sentinel Hub's pixel classifier (Skakun et al. 2022, CMIX), shadows by our rules.

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
        """As for the rules, and the interpolation between cells."""
        return round(SHADOW_DISTANCE_M / self.gsd_m) + 4 + 2 * self.cell_px

    def __call__(self, reflectance: Float32, usable: Bool) -> Bool:
        """(T, C, H, W), (T, H, W) -> (T, H, W), True = cloud or shadow."""
        cloud: Bool = (_s2cloudless_probability(reflectance, usable, self.cell_px) > S2CLOUDLESS_THRESHOLD) & usable
        return cloud | _shadows(_Planes(reflectance, self.bands), cloud, usable, self.gsd_m)


def s2cloudless_installed() -> bool:
    """True where the optional package can be imported, without importing it (it takes seconds)."""
    return importlib.util.find_spec("s2cloudless") is not None


def rule_detector(bands: tuple[str, ...], gsd_m: float) -> RuleDetector:
    """The rules for an input with these bands; the shortest wavelength stands in where there is no blue."""
    wanted = {"B02", "B03", "B04", "B08", "B8A", "B10", "B11", "B12", _bluest(bands)}
    return RuleDetector(tuple(band for band in bands if band in wanted), gsd_m)


def grow(cloud_mask: Bool, radius_px: int) -> Bool:
    """(T, H, W) mask, each date grown by a disk of `radius_px`."""
    if not radius_px:
        return cloud_mask
    return _within(cloud_mask, radius_px)


class _Planes:
    """(T, H, W) planes of a (T, C, H, W) block by band name."""

    def __init__(self, reflectance: Float32, bands: tuple[str, ...]) -> None:
        self._reflectance, self.bands = reflectance, bands

    def first(self, *names: str) -> Float32 | None:
        """The first of these bands that is there."""
        found = [name for name in names if name in self.bands]
        return self._reflectance[:, self.bands.index(found[0])] if found else None

    def blue(self) -> Float32:
        """The band that clouds change most."""
        return self._reflectance[:, self.bands.index(_bluest(self.bands))]

    def visible(self) -> list[Float32]:
        """Blue, green and red, as far as they are there, or what stands in for them."""
        found = [self._reflectance[:, self.bands.index(name)] for name in ("B02", "B03", "B04") if name in self.bands]
        return found or [self.blue()]


def _bluest(bands: tuple[str, ...]) -> str:
    """B02, else the shortest wavelength that sees the ground, else the first band."""
    ground = [name for name in bands if not S2_BANDS[name].atmospheric]
    return min(ground or bands, key=lambda name: S2_BANDS[name].wavelength_nm)


def _clouds_by_rules(planes: _Planes, usable: Bool) -> Bool:
    """(T, H, W), True = cloud."""
    cloud = _rises_white(planes, usable) | _is_bright_and_grey(planes)
    cirrus = planes.first("B10")
    if cirrus is not None:
        cloud |= cirrus - _temporal_quantile(cirrus, usable, CLEAR_QUANTILE) > CIRRUS_RISE
    cloud &= usable & ~_is_snow(planes)
    return _without_specks(cloud)


def _rises_white(planes: _Planes, usable: Bool) -> Bool:
    blue, red = planes.blue(), planes.first("B04")
    blue_rise = blue - _temporal_quantile(blue, usable, CLEAR_QUANTILE)
    rises = blue_rise > BLUE_RISE
    if red is None or red is blue:
        return rises
    red_rise = red - _temporal_quantile(red, usable, CLEAR_QUANTILE)
    return rises & (red_rise < RED_PER_BLUE_RISE * blue_rise)


def _is_bright_and_grey(planes: _Planes) -> Bool:
    visible = np.stack(planes.visible())  # (1 to 3, T, H, W)
    brightness = visible.mean(axis=0)
    value_range = visible.max(axis=0) - visible.min(axis=0)
    return np.asarray((brightness > BRIGHT_VISIBLE) & (value_range < GREY_RANGE * brightness))


def _is_snow(planes: _Planes) -> Bool:
    green, swir = planes.first("B03"), planes.first("B11")
    if green is None or swir is None:
        return np.zeros(planes.blue().shape, dtype=bool)
    return np.asarray(green - swir > SNOW_NDSI * np.maximum(green + swir, 1e-6))


def _shadows(planes: _Planes, cloud: Bool, usable: Bool, gsd_m: float) -> Bool:
    """(T, H, W), True = darker than the pixel's clear median, and near a cloud of the same date."""
    nir, swir, red = planes.first("B08", "B8A"), planes.first("B11", "B12"), planes.first("B04")
    if nir is None:
        return np.zeros_like(cloud)
    clear = usable & ~cloud
    clear_nir = _temporal_quantile(nir, clear, 0.5)
    if swir is not None:
        dark = (nir < SHADOW_LEVEL * clear_nir) & (swir < SHADOW_LEVEL * _temporal_quantile(swir, clear, 0.5))
    else:
        dark = nir < SHADOW_LEVEL_WITHOUT_SWIR * clear_nir
        if red is not None:  # bare soil after a harvest is redder than the crop was; shadow is not
            dark &= red <= _temporal_quantile(red, clear, 0.5)
    dark &= (clear_nir > SHADOW_MIN_NIR) & clear
    dark = _without_specks(dark)
    dates = np.flatnonzero(dark.any(axis=(1, 2)))  # distances are costly, and asked for only where something is dark
    dark[dates] &= _within(cloud[dates], round(SHADOW_DISTANCE_M / gsd_m))
    return dark


def _temporal_quantile(plane: Float32, usable: Bool, quantile: float) -> Float32:
    """(T, H, W) -> (1, H, W): the value that ranks at `quantile` (rounded down) of a pixel's usable dates.

    Where no date is usable it is +inf, so that nothing rises above it; comparisons against it must allow for that.
    """
    ranked = np.sort(np.where(usable, plane, np.inf), axis=0)
    count = usable.sum(axis=0)
    rank = np.floor(quantile * np.maximum(count - 1, 0)).astype(np.intp)
    return np.take_along_axis(ranked, rank[None], axis=0).astype(np.float32)


def _without_specks(mask: Bool) -> Bool:
    """Opened by a cross: single pixels that flicker are roofs and ploughed strips, not clouds."""
    padded = np.pad(mask, ((0, 0), (1, 1), (1, 1)), mode="edge")
    return np.asarray(ndimage.binary_opening(padded, structure=_CROSS)[:, 1:-1, 1:-1])


def _within(mask: Bool, radius_px: int) -> Bool:
    """(T, H, W), True within `radius_px` of a True of the same date."""
    near = np.zeros_like(mask)
    for index in np.flatnonzero(mask.any(axis=(1, 2))):
        near[index] = ndimage.distance_transform_edt(~mask[index]) <= radius_px
    return near


def _s2cloudless_probability(reflectance: Float32, usable: Bool, cell_px: int) -> Float32:
    """(T, 10, H, W) -> (T, H, W) cloud probability in [0, 1], judged in cells of `cell_px` and interpolated."""
    height, width = reflectance.shape[2:]
    # date by date, so that the block is never copied as a whole
    cells = np.stack([_cell_means(*date, cell_px) for date in zip(reflectance, usable, strict=True)])  # (T, C, h, w)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies' deprecations concern nobody here
        from s2cloudless import S2PixelCloudDetector

        detector = S2PixelCloudDetector(threshold=S2CLOUDLESS_THRESHOLD, average_over=None, dilation_size=None)
        coarse = detector.get_cloud_probability_maps(np.moveaxis(cells, 1, -1))  # (T, h, w)
    fine = coarse.repeat(cell_px, axis=1).repeat(cell_px, axis=2)
    smooth = ndimage.uniform_filter(fine, size=(1, cell_px, cell_px), mode="nearest")
    return np.asarray(smooth[:, :height, :width], dtype=np.float32)


def _cell_means(reflectance: Float32, usable: Bool, cell_px: int) -> Float32:
    """(C, H, W), (H, W) -> (C, ceil(H / cell), ceil(W / cell)): means over usable pixels, 0 where there are none."""
    bands, height, width = reflectance.shape
    fill = ((0, -height % cell_px), (0, -width % cell_px))
    weight = np.pad(usable, fill).astype(np.float32)
    values = np.pad(reflectance, ((0, 0), *fill)) * weight
    rows, columns = weight.shape[0] // cell_px, weight.shape[1] // cell_px
    total = values.reshape(bands, rows, cell_px, columns, cell_px).sum(axis=(2, 4))
    count = weight.reshape(rows, cell_px, columns, cell_px).sum(axis=(1, 3))
    return np.asarray(total / np.maximum(count, 1), dtype=np.float32)
