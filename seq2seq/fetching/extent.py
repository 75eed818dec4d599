"""What is asked for: an area in longitude and latitude, and a period of days, checked without loading any library."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from seq2seq.errors import ConfigError
from seq2seq.wording import one_line

# UTM ends there, and Sentinel-2 delivers no tiles beyond.
SOUTHERNMOST, NORTHERNMOST = -80.0, 84.0
MAX_PIXELS = 120_560_400  # a whole tile of Sentinel-2 at 10 m
MAX_DAYS = 20 * 366
_MAX_GEOJSON_BYTES = 16 * 2**20
_MAX_DEPTH = 12
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
    return box_of(_geojson(path), str(path))


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


def _geojson(path: Path) -> Any:
    try:
        if path.stat().st_size > _MAX_GEOJSON_BYTES:
            raise ConfigError(f"AREA {path}: has more than {_MAX_GEOJSON_BYTES / 2**20:.0f} MiB")
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"AREA {path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"AREA {path}: is not valid GeoJSON ({one_line(error, 100)})") from error


def box_of(found: Any, named: str = "") -> Box:
    """The box around everything in a GeoJSON object; named: in messages. Raises `ConfigError`."""
    area = f"AREA {named}".rstrip()
    if isinstance(found, Mapping) and (crs := found.get("crs")) and "CRS84" not in str(crs) and "4326" not in str(crs):
        raise ConfigError(f"{area}: states a CRS; GeoJSON is in longitude and latitude (RFC 7946)")
    places = list(_positions(found, _MAX_DEPTH))
    if not places:
        raise ConfigError(f"{area}: holds no coordinates; it must be GeoJSON")
    longitudes, latitudes = zip(*places, strict=True)
    if max(map(abs, longitudes)) > 180 or max(map(abs, latitudes)) > 90:
        raise ConfigError(f"{area}: its coordinates are no longitudes and latitudes")
    if max(longitudes) - min(longitudes) > 180:
        raise ConfigError(
            f"{area}: spans more than 180 degrees; an area that crosses the dateline has to be fetched as two"
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
