"""The landscape of a simulated sequence: parcels, soil, terrain and weather, drawn once.

Numbers from it are simulated: plausible in shape and order of magnitude, calibrated on no site.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from seq2seq.sequence import Bool, Float32
from seq2seq.simulation.covers import COVERS, of_cover
from seq2seq.simulation.random_fields import power_law_field

Int = NDArray[np.intp]
Day = np.datetime64

PARCEL_PX = 450  # mean parcel: 4.5 ha at 10 m
FLOOD_SHARE, FLOOD_DAYS = 0.10, 14.0  # share of the floodable ground at the peak; days to recede by 1 / e
BURN_SHARE, BURN_DAYS = 0.03, 90.0  # share of the scene; days to recover by 1 / e


@dataclass(frozen=True, eq=False)
class Landscape:
    """The constants of a sequence. P parcels; maps are (H, W)."""

    parcels: Int  # (H, W) parcel of each pixel
    cover: Int  # (P,) index into COVERS
    shift_days: Float32  # (P,) parcel's season later than usual
    vigour: Float32  # (P,) peak cover relative to usual
    brightness: Float32  # (2, H, W) relative brightness and its slope with wavelength
    texture: Float32  # (H, W) smooth soil texture, standard deviation 1
    built: Float32  # (H, W) sealed fraction
    flood_rank: Float32  # (H, W) in [0, 1], lowest floodable ground first; 2 where it never floods
    burn_rank: Float32  # (H, W) in [0, 1], first burnt first; 2 where it never burns
    first_day: Day  # of `moisture`
    moisture: Float32  # (D,) volumetric soil moisture of each day
    flood_day: Day
    burn_day: Day

    @property
    def cover_map(self) -> Int:
        """Map of indices into COVERS, (H, W)."""
        return self.cover[self.parcels]


def _parcels(generator: np.random.Generator, shape: tuple[int, int], count: int) -> Int:
    """Voronoi cells of seeds on a jittered, rotated and stretched grid: fields have a common direction."""
    angle, stretch = generator.uniform(0, np.pi), 1.6
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * [
        [stretch**0.5],
        [stretch**-0.5],
    ]
    seeds = generator.uniform((0, 0), shape, (count, 2))
    tree = cKDTree(seeds @ rotation.T)
    pixels = np.indices(shape).reshape(2, -1).T @ rotation.T
    nearest = tree.query(pixels)[1]
    return np.unique(nearest, return_inverse=True)[1].reshape(shape).astype(np.intp)


def _stratified_covers(generator: np.random.Generator, count: int) -> Int:
    """(P,) covers in their shares, as exactly as whole parcels allow."""
    shares = np.cumsum([cover.share for cover in COVERS])
    positions = (np.arange(count) + generator.uniform()) / count
    chosen = np.searchsorted(shares / shares[-1], positions, side="right").clip(max=len(COVERS) - 1)
    return generator.permutation(chosen).astype(np.intp)


def _rank(field: Float32, allowed: Bool) -> Float32:
    """Position of each allowed pixel in the order of `field`, [0, 1]; 2 elsewhere."""
    rank = np.full(field.shape, 2, dtype=np.float32)
    order = np.argsort(field[allowed], kind="stable")
    positions = np.empty(order.size, dtype=np.float32)
    positions[order] = np.arange(order.size, dtype=np.float32) / max(order.size, 1)
    rank[allowed] = positions
    return rank


def _burn_rank(generator: np.random.Generator, texture: Float32, burnable: Bool) -> Float32:
    """Order in which a fire from one random burnable pixel would spread, as a share of the scene."""
    if not burnable.any():
        return np.full(texture.shape, 2, dtype=np.float32)
    start = generator.choice(np.flatnonzero(burnable))
    rows, columns = np.indices(texture.shape, dtype=np.float32)
    distance = np.hypot(rows - start // texture.shape[1], columns - start % texture.shape[1])
    arrival = distance * np.exp(0.25 * texture)
    rank = _rank(arrival.astype(np.float32), burnable)
    rank[burnable] *= np.float32(burnable.mean())
    return rank


def _moisture(generator: np.random.Generator, days: int) -> Float32:
    """(D,) daily soil moisture: showers that dry up by 1 / e in a week."""
    rain = np.where(generator.random(days) < 0.22, generator.exponential(0.07, days), 0)
    moisture, values = 0.18, []
    for shower in rain:
        moisture = min(0.05 + (moisture - 0.05) * np.exp(-1 / 7) + shower, 0.42)
        values.append(moisture)
    return np.array(values, dtype=np.float32)


def make_landscape(
    generator: np.random.Generator, shape: tuple[int, int], first: Day, last: Day, *, parcel_px: int = PARCEL_PX
) -> Landscape:
    """Makes a landscape for the days `first` to `last`, with one flood and one burn between them."""
    parcels = _parcels(generator, shape, max(12, shape[0] * shape[1] // parcel_px))
    count = int(parcels.max()) + 1
    cover = _stratified_covers(generator, count)
    terrain, texture, fine = (power_law_field(generator, shape, slope=slope) for slope in (4.5, 3.0, 0.8))
    tilt = generator.normal(0, 0.05, count).astype(np.float32)
    gain = generator.normal(0, 0.07, count).astype(np.float32)
    span = int((last - first) / np.timedelta64(1, "D"))
    cover_map = cover[parcels]
    built = of_cover("built")[cover_map]
    return Landscape(
        parcels=parcels,
        cover=cover,
        shift_days=generator.normal(0, 8, count).astype(np.float32),
        vigour=np.clip(generator.normal(1, 0.07, count), 0.75, 1.1).astype(np.float32),
        brightness=np.stack([gain[parcels] + 0.04 * texture + 0.03 * fine, tilt[parcels]]),
        texture=texture,
        built=np.clip(built + np.where(built > 0, 0.22 * fine, 0), 0, 1).astype(np.float32),
        flood_rank=_rank(terrain, of_cover("floods")[cover_map] > 0),
        burn_rank=_burn_rank(generator, texture, of_cover("burns")[cover_map] > 0),
        first_day=first - np.timedelta64(30, "D"),
        moisture=_moisture(generator, span + 61),
        flood_day=first + np.timedelta64(round(0.3 * span), "D"),
        burn_day=first + np.timedelta64(round(0.62 * span), "D"),
    )
