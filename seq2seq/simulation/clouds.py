"""Simulated clouds and their shadows: fractal fields, thin at the edges, thresholded to the cover that is asked for.

Numbers from them are simulated.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import betaincinv

from seq2seq.bands import S2_BANDS
from seq2seq.sequence import Bool, Float32
from seq2seq.simulation.random_fields import power_law_field

Scalar = TypeVar("Scalar", bound=np.generic)

# Reflectance of an optically thick water cloud and of ice cloud, at the centres of B01 .. B12. Ice floats above the
# vapour that blackens B09 and B10; both absorb in the shortwave infrared.
_WATER_CLOUD = (0.74, 0.73, 0.72, 0.72, 0.72, 0.73, 0.73, 0.73, 0.73, 0.45, 0.04, 0.55, 0.42)
_ICE_CLOUD = (0.66, 0.65, 0.64, 0.64, 0.64, 0.65, 0.65, 0.65, 0.65, 0.55, 0.30, 0.36, 0.26)

THIN_SHARE = 0.25  # of the dates have cirrus instead of cumulus
MARGIN_PX = 48  # clouds are simulated this far outside the scene, so that their shadows fall into it
_SHADOW_MIN_EXCESS = 0.04  # cloud too thin to cast a shadow that anybody would mask
LATITUDE_DEG, HOUR_ANGLE_DEG = 50.6, -22.5  # of the simulated scene at the overpass, 10:30 local solar time


@dataclass(frozen=True, eq=False)
class CloudField:
    """Clouds of one date over the scene, (H, W) each."""

    opacity: Float32  # share of the light from below that is blocked, [0, 1]
    brightness: Float32  # relative to the thick cloud's reflectance, about 1
    ice: float  # 0 = water cloud, 1 = ice
    shadow: Float32  # opacity of the cloud between sun and ground, 0 under a cloud
    cloud_mask: Bool  # True = cloud or shadow


def draw_cover(generator: np.random.Generator, dates: int, mean: float) -> Float32:
    """Draws (T,) the share of each date under cloud or shadow: from clear to fully clouded, `mean` on average.

    Quantiles of a U-shaped beta distribution in random order, so that also few dates have nearly the mean asked for.
    """
    if mean in (0.0, 1.0):
        return np.full(dates, mean, dtype=np.float32)
    concentration = 1.3
    quantiles = (np.arange(dates) + 0.5) / dates
    cover = betaincinv(concentration * mean, concentration * (1 - mean), quantiles)
    cover = np.where(cover > 0.97, 1.0, np.where(cover < 0.02, 0.0, cover))
    return np.asarray(generator.permutation(cover), dtype=np.float32)


def draw_clouds(
    generator: np.random.Generator, shape: tuple[int, int], *, cover: float, date: np.datetime64, gsd_m: float = 10.0
) -> CloudField:
    """Draws clouds and shadows of one date that together take `cover` of the scene."""
    thin = bool(generator.random() < THIN_SHARE)
    height_m = generator.uniform(700, 2500)
    shift = shadow_shift_px(date, height_m, gsd_m)
    padded = (shape[0] + 2 * MARGIN_PX, shape[1] + 2 * MARGIN_PX)
    field = power_law_field(generator, padded, slope=3.4 if thin else 3.9)
    brightness = 1 + 0.07 * power_law_field(generator, shape, slope=2.5)
    excess = field - _threshold(field, shape, shift, cover)
    depth = 0.7 if thin else 4.0
    opacity = np.where(excess > 0, 1 - np.exp(-depth * (excess + 0.03)), 0).astype(np.float32)
    cloud, shadow = _masks(excess, shape, shift)
    return CloudField(
        opacity=_view(opacity, shape),
        brightness=brightness,
        ice=1.0 if thin else 0.0,
        # the sun is a disc and air scatters: a shadow's rim is soft
        shadow=gaussian_filter(_view(opacity, shape, shift), 1.0) * shadow,
        cloud_mask=cloud | shadow,
    )


def paint(ground: Float32, clouds: CloudField, bands: tuple[str, ...]) -> Float32:
    """Paints clouds and shadows: ground x lit (1 - opacity) + cloud x opacity, (C, H, W).

    Pixels outside `cloud_mask` stay exactly as they are.
    """
    indices = [list(S2_BANDS).index(band) for band in bands]
    colour = (1 - clouds.ice) * np.array(_WATER_CLOUD) + clouds.ice * np.array(_ICE_CLOUD)
    # sky light, which fills the shadow, is blue
    wavelength_nm = np.array([band.wavelength_nm for band in S2_BANDS.values()])
    darkening = 0.45 + 0.3 * np.clip((wavelength_nm - 440) / 600, 0, 1)
    lit = 1 - darkening[indices, None, None].astype(np.float32) * clouds.shadow
    top = colour[indices, None, None].astype(np.float32) * clouds.brightness
    painted: Float32 = ground * lit * (1 - clouds.opacity) + top * clouds.opacity
    return painted


def with_errors(generator: np.random.Generator, clouds: CloudField, share: float) -> Bool:
    """Makes (H, W) the mask of a detector that misses `share` of the masked pixels and flags half as many clear ones.

    It misses what is thin (rims, cirrus, faint shadows) and flags whole patches, as bright soil or roofs would be.
    """
    patches = power_law_field(generator, clouds.cloud_mask.shape, slope=2.5)
    visible = np.maximum(clouds.opacity, clouds.shadow) + 0.1 * patches
    missed = _lowest(visible, clouds.cloud_mask, round(share * int(clouds.cloud_mask.sum())))
    wrongly = min(round(share / 2 * int(clouds.cloud_mask.sum())), int((~clouds.cloud_mask).sum()))
    return np.asarray((clouds.cloud_mask & ~missed) | _lowest(patches, ~clouds.cloud_mask, wrongly))


def shadow_shift_px(date: np.datetime64, height_m: float, gsd_m: float) -> tuple[int, int]:
    """Computes (rows, columns) from a cloud to its shadow, away from the sun at the overpass; at most `MARGIN_PX`."""
    day = float((date - date.astype("datetime64[Y]").astype("datetime64[D]")) / np.timedelta64(1, "D"))
    declination = np.radians(-23.44) * np.cos(2 * np.pi * (day + 10) / 365)
    latitude, hour = np.radians(LATITUDE_DEG), np.radians(HOUR_ANGLE_DEG)
    up = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour)
    east = -np.cos(declination) * np.sin(hour)
    north = np.cos(latitude) * np.sin(declination) - np.sin(latitude) * np.cos(declination) * np.cos(hour)
    length_px = height_m / gsd_m / up
    rows, columns = north * length_px, -east * length_px  # rows count southwards, the shadow lies opposite the sun
    shrink = min(1.0, MARGIN_PX / max(abs(rows), abs(columns)))
    return round(rows * shrink), round(columns * shrink)


def _threshold(field: Float32, shape: tuple[int, int], shift: tuple[int, int], cover: float) -> float:
    """The level above which `field` is cloud, so that cloud and shadow take `cover` of the scene (bisection)."""
    low, high = float(field.min()) - 0.1, float(field.max()) + 0.1
    if cover in (0.0, 1.0):
        return high if cover == 0 else low
    for _ in range(14):
        middle = (low + high) / 2
        cloud, shadow = _masks(field - np.float32(middle), shape, shift)
        low, high = (middle, high) if (cloud | shadow).mean() > cover else (low, middle)
    return high


def _masks(excess: Float32, shape: tuple[int, int], shift: tuple[int, int]) -> tuple[Bool, Bool]:
    """(H, W) cloud, and shadow outside the cloud."""
    cloud = _view(excess > 0, shape)
    return cloud, _view(excess > _SHADOW_MIN_EXCESS, shape, shift) & ~cloud


def _view(padded: NDArray[Scalar], shape: tuple[int, int], shift: tuple[int, int] = (0, 0)) -> NDArray[Scalar]:
    """(H, W) the scene's part of a padded field that has moved by `shift`."""
    row, column = MARGIN_PX - shift[0], MARGIN_PX - shift[1]
    return padded[row : row + shape[0], column : column + shape[1]]


def _lowest(values: Float32, among: Bool, count: int) -> Bool:
    """(H, W) True at the `count` lowest values of those allowed."""
    chosen = np.zeros(among.shape, dtype=bool)
    positions = np.flatnonzero(among)
    order = np.argsort(values.ravel()[positions], kind="stable")
    chosen.ravel()[positions[order[:count]]] = True
    return chosen
