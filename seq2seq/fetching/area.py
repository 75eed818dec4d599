"""What is asked for: an area in longitude and latitude, a period of days, and the one grid that all images share."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry, polygon
from rasterio.warp import transform_bounds

from seq2seq.errors import ConfigError
from seq2seq.wording import one_line

# UTM ends there, and Sentinel-2 delivers no tiles beyond.
SOUTHERNMOST, NORTHERNMOST = -80.0, 84.0
MAX_PIXELS = 120_560_400  # a whole tile of Sentinel-2 at 10 m
FINEST_M, COARSEST_M = 10.0, 1000.0
MAX_DAYS = 20 * 366
_MAX_GEOJSON_BYTES = 16 * 2**20
_MAX_DEPTH = 12
_POINTS_PER_SIDE = 21  # straight edges bend in another CRS
_EXAMPLE = "W,S,E,N in degrees, as in 4.6,50.6,4.7,50.7, or a GeoJSON file"
_DAYS = "FIRST/LAST, as in 2021-05-01/2021-10-31"


@dataclass(frozen=True)
class Box:
    """A box in degrees of longitude and latitude. Raises `ConfigError` for what is none, or leaves UTM."""

    west: float
    south: float
    east: float
    north: float

    def __post_init__(self) -> None:
        text = ",".join(f"{value:g}" for value in self.bounds)
        if not all(map(math.isfinite, self.bounds)):
            raise ConfigError(f"AREA {text}: must be {_EXAMPLE}")
        if not (-180 <= self.west <= 180 and -180 <= self.east <= 180):
            raise ConfigError(f"AREA {text}: longitudes must lie within -180 and 180; the order is W,S,E,N")
        if self.west >= self.east:
            raise ConfigError(
                f"AREA {text}: W {self.west:g} is not west of E {self.east:g}; an area across the dateline has to be "
                "fetched as two, one on each side"
            )
        if self.south >= self.north:
            raise ConfigError(f"AREA {text}: S {self.south:g} is not south of N {self.north:g}; the order is W,S,E,N")
        if self.south < SOUTHERNMOST or self.north > NORTHERNMOST:
            raise ConfigError(
                f"AREA {text}: latitudes must lie within {SOUTHERNMOST:g} and {NORTHERNMOST:g}; beyond there is no UTM"
            )

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north."""
        return self.west, self.south, self.east, self.north


@dataclass(frozen=True)
class Period:
    """Days, both included, UTC."""

    first: date
    last: date

    @property
    def interval(self) -> str:
        """As STAC writes it."""
        return f"{self.first}T00:00:00Z/{self.last}T23:59:59.999Z"

    def __str__(self) -> str:
        return f"{self.first}/{self.last}"


def parse_area(text: str) -> Box:
    """The box `W,S,E,N`, or that around everything in a GeoJSON file. Raises `ConfigError`."""
    parts = text.split(",")
    if len(parts) == 4:
        try:
            west, south, east, north = map(float, parts)
        except ValueError:
            raise ConfigError(f"AREA {text}: must be {_EXAMPLE}") from None
        return Box(west, south, east, north)
    path = Path(text)
    if not path.is_file():
        raise ConfigError(f"AREA {one_line(text, 100)}: is neither a box nor a file; it must be {_EXAMPLE}")
    return _around(_geojson(path), path)


def parse_period(text: str) -> Period:
    """`FIRST/LAST` or one day. Raises `ConfigError`."""
    first, slash, last = text.partition("/")
    try:
        period = Period(date.fromisoformat(first), date.fromisoformat(last if slash else first))
    except ValueError:
        raise ConfigError(f"DATES {one_line(text, 60)}: must be {_DAYS}") from None
    if period.first > period.last:
        raise ConfigError(f"DATES {text}: {period.first} is after {period.last}; it must be {_DAYS}")
    if (days := (period.last - period.first).days) > MAX_DAYS:
        raise ConfigError(f"DATES {text}: {days} days, at most {MAX_DAYS} are fetched at once")
    return period


def utm_epsg(longitude: float, latitude: float) -> int:
    """The zone of a place, as Sentinel-2's tiles have it: those of Norway and Svalbard are not 6 degrees wide."""
    zone = min(60, int((longitude + 180) // 6) + 1)
    if 56 <= latitude < 64 and 3 <= longitude < 12:
        zone = 32
    elif latitude >= 72 and 0 <= longitude < 42:
        zone = next(zone for east, zone in ((9, 31), (21, 33), (33, 35), (42, 37)) if longitude < east)
    return (32600 if latitude >= 0 else 32700) + zone


def grid_of(area: Box, gsd_m: float) -> GeoBox:
    """The grid of an area: UTM of its centre, edges on multiples of `gsd_m`, all of the area inside.

    Raises `ConfigError` for a resolution out of range and for more than `MAX_PIXELS`.
    """
    if not FINEST_M <= gsd_m <= COARSEST_M:
        raise ConfigError(f"--gsd {gsd_m:g}: must lie within {FINEST_M:g} and {COARSEST_M:g} m")
    epsg = utm_epsg((area.west + area.east) / 2, (area.south + area.north) / 2)
    left, bottom, right, top = transform_bounds("EPSG:4326", f"EPSG:{epsg}", *area.bounds, densify_pts=_POINTS_PER_SIDE)
    # 1e-6 px: what is on a multiple stays on it
    columns = math.floor(left / gsd_m + 1e-6), math.ceil(right / gsd_m - 1e-6)
    rows = math.floor(bottom / gsd_m + 1e-6), math.ceil(top / gsd_m - 1e-6)
    width, height = columns[1] - columns[0], rows[1] - rows[0]
    if width * height > MAX_PIXELS:
        raise ConfigError(
            f"AREA: {width} x {height} px of {gsd_m:g} m are {width * height:,}, at most {MAX_PIXELS:,} are fetched; "
            "give a smaller area, or a larger --gsd"
        )
    affine = Affine(gsd_m, 0, columns[0] * gsd_m, 0, -gsd_m, rows[1] * gsd_m)
    return GeoBox((height, width), affine, f"EPSG:{epsg}")


def footprint_of(grid: GeoBox) -> Geometry:
    """The outline of a grid in longitude and latitude."""
    side = np.linspace(0, 1, _POINTS_PER_SIDE)
    flat = np.zeros_like(side)
    columns = np.concatenate([side, flat + 1, side[::-1], flat]) * grid.shape[1]
    rows = np.concatenate([flat, side, flat + 1, side[::-1]]) * grid.shape[0]
    x, y = grid.crs.transformer_to_crs("EPSG:4326")(*(grid.affine @ (columns, rows)))
    return polygon(list(zip(x.tolist(), y.tolist(), strict=True)), "EPSG:4326")


def box_around(grid: GeoBox) -> Box:
    """The box in degrees around a grid, a little larger than the area it was made of."""
    west, south, east, north = footprint_of(grid).boundingbox
    return Box(max(-180.0, west), max(SOUTHERNMOST, south), min(180.0, east), min(NORTHERNMOST, north))


def _geojson(path: Path) -> Any:
    try:
        if path.stat().st_size > _MAX_GEOJSON_BYTES:
            raise ConfigError(f"AREA {path}: has more than {_MAX_GEOJSON_BYTES / 2**20:.0f} MiB")
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"AREA {path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"AREA {path}: is not valid GeoJSON ({one_line(error, 100)})") from error


def _around(found: Any, path: Path) -> Box:
    if isinstance(found, Mapping) and (crs := found.get("crs")) and "CRS84" not in str(crs) and "4326" not in str(crs):
        raise ConfigError(f"AREA {path}: states a CRS; GeoJSON is in longitude and latitude (RFC 7946)")
    places = list(_positions(found, _MAX_DEPTH))
    if not places:
        raise ConfigError(f"AREA {path}: holds no coordinates; it must be GeoJSON")
    longitudes, latitudes = zip(*places, strict=True)
    if max(map(abs, longitudes)) > 180 or max(map(abs, latitudes)) > 90:
        raise ConfigError(f"AREA {path}: its coordinates are no longitudes and latitudes")
    if max(longitudes) - min(longitudes) > 180:
        raise ConfigError(
            f"AREA {path}: spans more than 180 degrees; an area that crosses the dateline has to be fetched as two"
        )
    return Box(min(longitudes), min(latitudes), max(longitudes), max(latitudes))


def _positions(found: Any, depth: int) -> Iterator[tuple[float, float]]:
    """All pairs of longitude and latitude in a GeoJSON object."""
    if depth < 0:
        return
    if isinstance(found, Mapping):
        for key in ("features", "geometries", "geometry", "coordinates"):
            yield from _positions(found.get(key), depth - 1)
    elif isinstance(found, list):
        if len(found) >= 2 and all(isinstance(part, int | float) and not isinstance(part, bool) for part in found[:2]):
            yield float(found[0]), float(found[1])
        else:
            for part in found:
                yield from _positions(part, depth - 1)
