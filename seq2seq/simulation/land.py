"""A simulated agricultural landscape: parcels whose plants, soil and water change through the year.

Numbers from it are simulated: plausible in shape and order of magnitude, calibrated on no site.
Vegetation follows double-logistic curves (Beck et al. 2006).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from scipy.spatial import cKDTree

from seq2seq.sequence import Bool, Float32
from seq2seq.simulation.covers import COVERS, of_cover
from seq2seq.simulation.random_fields import power_law_field

EventKind = Literal["harvest", "ploughing", "mowing", "flood", "burn"]
Int = NDArray[np.intp]
Day = np.datetime64

PARCEL_PX = 450  # mean parcel: 4.5 ha at 10 m
FLOOD_SHARE, FLOOD_DAYS = 0.10, 14.0  # share of the floodable ground at the peak; days to recede by 1 / e
BURN_SHARE, BURN_DAYS = 0.03, 90.0  # share of the scene; days to recover by 1 / e


@dataclass(frozen=True, eq=False)
class Event:
    """A change between two dates: from `date` on, `pixels` (h, w) of window `rows`, `columns` differ."""

    kind: EventKind
    date: Day
    rows: slice
    columns: slice
    pixels: Bool


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


@dataclass(frozen=True, eq=False)
class State:
    """The ground on one day, (H, W) each: fractions of the pixel in [0, 1], and what the radar needs."""

    green: Float32
    dry: Float32
    water: Float32
    turbid: float
    built: Float32
    char: Float32
    moisture: Float32  # volumetric, 0.03 to 0.5
    rough: Float32  # 1 = freshly ploughed
    volume: Float32  # vegetation water, 1 = full cereal canopy


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


def events_between(land: Landscape, first: Day, last: Day) -> tuple[Event, ...]:
    """Lists every harvest, ploughing, mowing, the flood and the burn after `first` and until `last`, by date."""
    found = []
    for parcel, (rows, columns) in enumerate(find_objects(land.parcels + 1)):
        pixels = land.parcels[rows, columns] == parcel
        found += [Event(kind, date, rows, columns, pixels) for kind, date in _works(land, parcel, first, last)]
    for kind, date, pixels in _disasters(land):
        if first < date <= last and pixels.any():
            rows, columns = find_objects(pixels.astype(np.uint8))[0]
            found.append(Event(kind, date, rows, columns, pixels[rows, columns]))
    return tuple(sorted(found, key=lambda event: event.date))


def state_on(land: Landscape, day: Day) -> State:
    """Grows and works the ground until one day.

    green = winter + (summer vigour - winter) up (1 - down), each of up and down 1 / (1 + exp((middle - day) / scale)).
    """
    cover_map, parcels = land.cover_map, land.parcels
    year_day = np.float32(_day_of_year(day))
    parcel_day = year_day - land.shift_days  # (P,)
    pixel_day = parcel_day[parcels] - 3 * land.texture  # plants on lighter soil are earlier; work is done at once
    up = _logistic(pixel_day, *(of_cover("rise", i)[cover_map] for i in (0, 1)))
    down = _logistic(pixel_day, *(of_cover("fall", i)[cover_map] for i in (0, 1)))
    winter = of_cover("winter")[cover_map]
    grown = np.maximum(of_cover("summer")[cover_map] * land.vigour[parcels] * (1 + 0.05 * land.texture) - winter, 0)
    green = winter + grown * up * (1 - down)
    stands = 1 - _logistic(pixel_day, of_cover("gone")[cover_map], np.float32(3))
    dry = grown * up * down * of_cover("dead")[cover_map] * stands
    standing = of_cover("volume")[cover_map] * (green + 0.5 * dry)
    kept, stubble, ploughed, mown = (values[parcels] for values in _work_state(land, parcel_day))
    green, dry, standing = green * kept * mown, dry * kept * mown + stubble, standing * kept * mown
    char = _burnt(land, day)
    flooded = _flooded(land, day)
    water = np.maximum(flooded, of_cover("water")[cover_map])
    alive = (1 - 0.9 * char) * (1 - water) * (1 - land.built)
    moisture = _moisture_on(land, day) * (1 + 0.2 * land.texture)
    return State(
        green=np.clip(green, 0, 0.98) * alive,
        dry=np.clip(dry, 0, 1 - np.clip(green, 0, 0.98)) * alive,
        water=water,
        turbid=0.3 + 0.3 * np.sin(2 * np.pi * (float(year_day) - 30) / 365),
        built=land.built * (1 - water),
        char=0.85 * char * (1 - water) * (1 - land.built),
        moisture=np.clip(np.where(_recently_flooded(land, day), 0.45, moisture), 0.03, 0.5).astype(np.float32),
        rough=ploughed,
        volume=(standing * alive + of_cover("wood")[cover_map] * (1 - 0.5 * char)).astype(np.float32),
    )


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


def _moisture_on(land: Landscape, day: Day) -> np.float32:
    index = int((day - land.first_day) / np.timedelta64(1, "D"))
    return np.float32(land.moisture[np.clip(index, 0, len(land.moisture) - 1)])


def _day_of_year(day: Day) -> int:
    return int((day - day.astype("datetime64[Y]").astype("datetime64[D]")) / np.timedelta64(1, "D")) + 1


def _days_since(day: Day, event: Day) -> float:
    return float((day - event) / np.timedelta64(1, "D"))


def _flooded(land: Landscape, day: Day) -> Float32:
    """(H, W) 1 = under water: the lowest ground, which falls dry from its upper rim."""
    since = _days_since(day, land.flood_day)
    level = FLOOD_SHARE * np.exp(-since / FLOOD_DAYS) if since >= 0 else 0.0
    return (land.flood_rank < (level if level > 0.01 else 0.0)).astype(np.float32)


def _recently_flooded(land: Landscape, day: Day) -> Bool:
    """(H, W) True = was under water in the last 45 days: the soil is saturated."""
    recent = 0 <= _days_since(day, land.flood_day) < 45
    return np.asarray(land.flood_rank < (FLOOD_SHARE if recent else 0))


def _burnt(land: Landscape, day: Day) -> Float32:
    """(H, W) severity of the scar in [0, 1]."""
    since = _days_since(day, land.burn_day)
    severity = np.exp(-since / BURN_DAYS) if since >= 0 else 0.0
    return np.where(land.burn_rank < BURN_SHARE, np.float32(severity), np.float32(0))


def _disasters(land: Landscape) -> list[tuple[EventKind, Day, Bool]]:
    return [
        ("flood", land.flood_day, land.flood_rank < FLOOD_SHARE),
        ("burn", land.burn_day, land.burn_rank < BURN_SHARE),
    ]


def _work_state(land: Landscape, parcel_day: Float32) -> tuple[Float32, Float32, Float32, Float32]:
    """(P,) each: share of the canopy kept, stubble, ploughed roughness, share of the canopy left by mowing."""
    kept, mown = np.ones_like(parcel_day), np.ones_like(parcel_day)
    stubble, ploughed = np.zeros_like(parcel_day), np.zeros_like(parcel_day)
    for index, cover in enumerate(COVERS):
        mine = land.cover == index
        day = parcel_day[mine]
        for mowing in cover.mowing:
            mown[mine] *= np.where(day >= mowing, 1 - 0.6 * np.exp(-np.maximum(day - mowing, 0) / 16), 1)
        if cover.harvest is None or cover.plough is None or cover.emergence is None:
            continue
        bare_days = (cover.plough - cover.harvest) % 365
        since_harvest = (day - cover.harvest) % 365
        since_plough = (day - cover.plough) % 365
        lies_bare = since_plough < (cover.emergence - cover.plough) % 365
        in_stubble = since_harvest < bare_days
        grown_in = _logistic(since_plough, np.float32((cover.emergence - cover.plough) % 365 + 12), np.float32(5))
        kept[mine] = np.where(in_stubble | lies_bare, 0.04, grown_in)
        stubble[mine] = np.where(in_stubble, cover.stubble * np.exp(-since_harvest / 150), 0)
        ploughed[mine] = np.where(in_stubble, 0, np.exp(-since_plough / 40))
    return kept, stubble, ploughed, mown


def _works(land: Landscape, parcel: int, first: Day, last: Day) -> list[tuple[EventKind, Day]]:
    """Kind and date of the work on one parcel, after `first` and until `last`."""
    cover = COVERS[land.cover[parcel]]
    planned: list[tuple[EventKind, float]] = [("mowing", day) for day in cover.mowing]
    if cover.harvest is not None and cover.plough is not None:
        planned += [("harvest", cover.harvest), ("ploughing", cover.plough)]
    years = np.arange(first.astype("datetime64[Y]"), last.astype("datetime64[Y]") + 1)
    dates: list[tuple[EventKind, Day]] = []
    for kind, year_day in planned:
        offset = int(np.ceil(year_day + float(land.shift_days[parcel]))) - 1
        dates += [(kind, year.astype("datetime64[D]") + np.timedelta64(offset, "D")) for year in years]
    return [(kind, date) for kind, date in dates if first < date <= last]


def _logistic(x: Float32, middle: Float32 | np.float32, scale: Float32 | np.float32) -> Float32:
    return np.asarray(1 / (1 + np.exp(np.clip((middle - x) / scale, -40, 40))), dtype=np.float32)
