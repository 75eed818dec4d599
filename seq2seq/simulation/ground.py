"""The ground of a simulated landscape on one day: plants, soil and water, as `seq2seq.simulation.sensors` sees them.

Numbers from it are simulated: plausible in shape and order of magnitude, calibrated on no site.
Vegetation follows double-logistic curves (Beck et al. 2006).
"""

from dataclasses import dataclass

import numpy as np

from seq2seq.sequence import Bool, Float32
from seq2seq.simulation.covers import COVERS, of_cover
from seq2seq.simulation.land import BURN_DAYS, BURN_SHARE, FLOOD_DAYS, FLOOD_SHARE, Day, Landscape


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


def _logistic(x: Float32, middle: Float32 | np.float32, scale: Float32 | np.float32) -> Float32:
    return np.asarray(1 / (1 + np.exp(np.clip((middle - x) / scale, -40, 40))), dtype=np.float32)


def _day_of_year(day: Day) -> int:
    return int((day - day.astype("datetime64[Y]").astype("datetime64[D]")) / np.timedelta64(1, "D")) + 1


def _days_since(day: Day, event: Day) -> float:
    return float((day - event) / np.timedelta64(1, "D"))


def _moisture_on(land: Landscape, day: Day) -> np.float32:
    index = int((day - land.first_day) / np.timedelta64(1, "D"))
    return np.float32(land.moisture[np.clip(index, 0, len(land.moisture) - 1)])


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
