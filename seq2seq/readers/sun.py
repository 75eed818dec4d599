"""Where the sun stood at an acquisition: as metadata state it, else computed; and where shadows fall on a grid."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

# Sentinel-2 crosses the equator southwards at 10:30 local mean solar time, on an orbit inclined by 98.62 degrees
# (Sentinel-2 User Handbook, ESA 2015, section 1.3).
NODE_HOUR, INCLINATION_DEG = 10.5, 98.62
# A lower sun casts shadows without an end.
LOWEST_ELEVATION_DEG = 5.0
_METRES_PER_DEGREE = 111_320.0
_STEP_M = 1000.0
_LONGEST = 200  # characters of a tag that are looked at
_ANGLE = re.compile(r"(?:SUN|SOLAR).*?(AZIMUTH|ZENITH|ELEVATION)")
# Names of the sun's angles in the tiles' own grids, and of single bands: no mean of the scene.
_NO_MEAN = re.compile(r"B\d|GRID|_STD|STDDEV")


@dataclass(frozen=True)
class Sun:
    """The sun over the middle of a scene. azimuth_deg: clockwise from north. elevation_deg: above the horizon."""

    azimuth_deg: float
    elevation_deg: float

    def tags(self) -> dict[str, str]:
        """As a file of ours states them."""
        return {"SUN_AZIMUTH": f"{self.azimuth_deg:.3f}", "SUN_ELEVATION": f"{self.elevation_deg:.3f}"}


def stated_sun(stated: Mapping[str, Any]) -> Sun | None:
    """The sun as tags or properties state it; None where an angle is missing or can be none.

    Earth Engine: MEAN_SOLAR_AZIMUTH_ANGLE, MEAN_SOLAR_ZENITH_ANGLE; STAC: view:sun_azimuth, view:sun_elevation,
    s2:mean_solar_azimuth, s2:mean_solar_zenith; cubes: sunAzimuthAngles, sunZenithAngles.
    """
    angles: dict[str, float] = {}
    for name, value in stated.items():
        upper = str(name).upper()
        if isinstance(value, str) and "=" in value:  # GDAL parts names at a colon: `view` and `sun_azimuth=151.5`
            upper, _, value = f"{upper}:{value[:_LONGEST].upper()}".partition("=")
        found = _ANGLE.search(upper)
        angle = _number(value) if found and not _NO_MEAN.search(upper) else None
        if found and angle is not None:
            angles.setdefault(found[1], angle)
    elevation = angles.get("ELEVATION", 90 - angles["ZENITH"] if "ZENITH" in angles else None)
    return sun_at(angles.get("AZIMUTH"), elevation)


def sun_at(azimuth_deg: float | None, elevation_deg: float | None) -> Sun | None:
    """The sun at these angles; None where one is missing or is no angle of a sun above the horizon."""
    if azimuth_deg is None or elevation_deg is None:
        return None
    if not (-360 <= azimuth_deg <= 360 and 0 < elevation_deg <= 90):
        return None
    return Sun(azimuth_deg % 360, elevation_deg)


def computed_sun(date: np.datetime64, grid: GeoBox) -> Sun:
    """The sun as Sentinel-2 must have seen it on a UTC day over the middle of `grid`, wrong by a few degrees.

    Declination and equation of time after Spencer (1971, Fourier series representation of the position of the sun).
    North of the equator the orbit, which runs south-westwards, passes later than at the node:
    10:30 h + asin(tan(latitude) / tan(180 - inclination)) / 15. Half the swath is 6 minutes at the equator, and nothing
    says in which part of it the scene lay.
    """
    _, latitude_deg = _centre(grid)
    day = float((date - date.astype("datetime64[Y]").astype("datetime64[D]")) / np.timedelta64(1, "D"))
    year = 2 * math.pi * day / 365
    declination = _series(year, 0.006918, (-0.399912, 0.070257), (-0.006758, 0.000907), (-0.002697, 0.00148))
    equation_min = 229.18 * _series(year, 0.000075, (0.001868, -0.032077), (-0.014615, -0.04089))
    latitude = math.radians(min(max(latitude_deg, -89.0), 89.0))
    later = math.tan(latitude) / math.tan(math.radians(180 - INCLINATION_DEG))
    hour = NODE_HOUR + math.degrees(math.asin(min(max(later, -1.0), 1.0))) / 15 + equation_min / 60
    hour_angle = math.radians(15 * (hour - 12))
    up = math.sin(latitude) * math.sin(declination) + math.cos(latitude) * math.cos(declination) * math.cos(hour_angle)
    east = -math.cos(declination) * math.sin(hour_angle)
    north = math.cos(latitude) * math.sin(declination) - math.sin(latitude) * math.cos(declination) * math.cos(
        hour_angle
    )
    return Sun(math.degrees(math.atan2(east, north)) % 360, max(math.degrees(math.asin(up)), LOWEST_ELEVATION_DEG))


def shadow_step(sun: Sun, grid: GeoBox) -> tuple[float, float]:
    """(rows, columns) in pixels that a shadow lies from its cloud, for a metre of the cloud's height.

    On any grid: north is where it is in the middle of the scene, and a degree as long as it is there. The cloud's own
    displacement by an oblique view, up to 0.18 of its height at the swath's edge, is left out.
    """
    longitude, latitude = _centre(grid)
    length = 1 / math.tan(math.radians(max(sun.elevation_deg, LOWEST_ELEVATION_DEG)))
    away = math.radians(sun.azimuth_deg + 180)
    north = latitude + _STEP_M * math.cos(away) / _METRES_PER_DEGREE
    shrunk = max(math.cos(math.radians(latitude)), 0.01)
    east = longitude + _STEP_M * math.sin(away) / _METRES_PER_DEGREE / shrunk
    columns, rows = (np.subtract(_pixel(grid, east, north), _pixel(grid, longitude, latitude)) / _STEP_M).tolist()
    return rows * length, columns * length


def _series(year: float, mean: float, *harmonics: tuple[float, float]) -> float:
    """A Fourier series: the mean, then (cosine, sine) of each harmonic of the year, an angle."""
    terms = (
        cosine * math.cos(k * year) + sine * math.sin(k * year) for k, (cosine, sine) in enumerate(harmonics, start=1)
    )
    return mean + sum(terms)


def _centre(grid: GeoBox) -> tuple[float, float]:
    """(longitude, latitude) in degrees of the middle."""
    height, width = grid.shape
    x, y = grid.affine @ (width / 2, height / 2)
    longitude, latitude = grid.crs.transformer_to_crs(CRS("EPSG:4326"))(x, y)
    return float(longitude), float(latitude)


def _pixel(grid: GeoBox, longitude: float, latitude: float) -> tuple[float, float]:
    """(column, row)."""
    x, y = CRS("EPSG:4326").transformer_to_crs(grid.crs)(longitude, latitude)
    column, row = ~grid.affine @ (x, y)
    return float(column), float(row)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
