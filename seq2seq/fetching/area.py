"""The one grid that all images of an area share, and its outline."""

import math

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry, polygon
from rasterio.warp import transform_bounds

from seq2seq.errors import ConfigError
from seq2seq.fetching.extent import (
    MAX_DAYS,
    MAX_PIXELS,
    NORTHERNMOST,
    SOUTHERNMOST,
    Box,
    Period,
    box_of,
    parse_area,
    parse_period,
)

__all__ = [
    "MAX_DAYS",
    "MAX_PIXELS",
    "Box",
    "Period",
    "box_around",
    "box_of",
    "footprint_of",
    "grid_of",
    "parse_area",
    "parse_period",
    "utm_epsg",
]

FINEST_M, COARSEST_M = 10.0, 1000.0
_POINTS_PER_SIDE = 21  # straight edges bend in another CRS


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
