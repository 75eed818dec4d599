"""scene.json: what a viewer needs to know of a bundle before it shows anything."""

from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.warp import transform

from seq2seq.bands import S2_BANDS
from seq2seq.looking.compass import exact_north_degrees, pixel_width_m
from seq2seq.looking.scene import SceneInfo
from seq2seq.products import DECLOUDED
from seq2seq.sequence import crs_name
from seq2seq.validation.calibration import NORMAL_90
from seq2seq.viewing.cube import CubeArray
from seq2seq.viewing.pyramid import Levels
from seq2seq.viewing.styles import Style

VERSION = 1
# Longitude and latitude are given at so many places a side; more where reading between them would be off by a metre.
_PLACES, _MOST_PLACES, _NEAR_M = 5, 65, 0.9
_METRES_PER_DEGREE = 111_320.0


def describe_scene(
    info: SceneInfo,
    levels: Levels,
    styles: tuple[Style, ...],
    arrays: tuple[CubeArray, ...],
    step: int,
) -> dict[str, Any]:
    """The whole document, but for what only who serves it knows. step: of so many pixels a side, one is in `arrays`."""
    geobox = info.geobox
    bands = arrays[0].bands
    return {
        "version": VERSION,
        "title": info.name,
        "made": f"by {info.method}, {info.created[:10]}",
        "simulated": info.simulated,
        "credit": info.credit(),
        "notes": list(info.notes),
        "mask_source": info.mask_source,
        "width": levels.width,
        "height": levels.height,
        "levels": levels.count,
        "finest": levels.finest,
        "cell_px": levels.cell_px,
        "overview": list(levels.size(levels.count)[::-1]),
        "crs": crs_name(geobox),
        "affine": [float(value) for value in geobox.affine[:6]],
        "lonlat": lonlat_grid(geobox),
        "north_deg": round(exact_north_degrees(geobox), 3),
        "gsd_m": _gsd_m(geobox),
        "dates": [_date(info, t) for t in range(len(info.dates))],
        "bands": [_band(name) for name in bands],
        "s1_bands": [name for array in arrays if array.name == "s1" for name in array.bands],
        "styles": [style.described() for style in styles],
        "cube": {
            "chunk_px": arrays[0].chunk_px,
            "step": step,
            "arrays": {array.name: array.described() for array in arrays},
        },
        "interval_90": NORMAL_90,
    }


def lonlat_grid(geobox: GeoBox) -> dict[str, Any]:
    """Longitude and latitude at places of the grid, rows and columns from its corner, evenly apart.

    Between them a viewer interpolates bilinearly, which is off by less than a metre.
    """
    count = _PLACES
    while count < _MOST_PLACES and _off_m(geobox, count) > _NEAR_M:
        count = 2 * count - 1
    rows, columns = (np.linspace(0, length, count) for length in geobox.shape)
    lon, lat = _lonlat(geobox, rows, columns)
    return {
        "rows": rows.tolist(),
        "columns": columns.tolist(),
        "lon": lon.round(8).tolist(),
        "lat": lat.round(8).tolist(),
    }


def _off_m(geobox: GeoBox, count: int) -> float:
    """How far the middle of a mesh is from the mean of its corners, at worst, metres."""
    axes = [np.linspace(0, length, count) for length in geobox.shape]
    corners = _lonlat(geobox, *axes)
    middles = _lonlat(geobox, *((axis[1:] + axis[:-1]) / 2 for axis in axes))
    lon, lat = (
        middle - (grid[1:, 1:] + grid[1:, :-1] + grid[:-1, 1:] + grid[:-1, :-1]) / 4
        for middle, grid in zip(middles, corners, strict=True)
    )
    return float(np.hypot(lon * np.cos(np.radians(middles[1])), lat).max() * _METRES_PER_DEGREE)


def _lonlat(geobox: GeoBox, rows: Any, columns: Any) -> tuple[Any, Any]:
    """(rows, columns) each, unwrapped across the antimeridian."""
    column, row = np.meshgrid(columns, rows)
    a, b, c, d, e, f = geobox.affine[:6]
    x, y = a * column + b * row + c, d * column + e * row + f
    lon, lat = transform(geobox.crs.to_wkt(), "EPSG:4326", x.ravel(), y.ravel())
    east = np.asarray(lon).reshape(column.shape)
    return east[0, 0] + (east - east[0, 0] + 180) % 360 - 180, np.asarray(lat).reshape(column.shape)


def _gsd_m(geobox: GeoBox) -> list[float]:
    """Metres from a column to the next and from a row to the next, in the middle."""
    across = pixel_width_m(geobox)
    if geobox.crs.geographic:
        return [round(across, 3), round(abs(float(geobox.resolution.y)) * _METRES_PER_DEGREE, 3)]
    return [round(across, 3), round(across * abs(float(geobox.resolution.y / geobox.resolution.x)), 3)]


def _date(info: SceneInfo, t: int) -> dict[str, Any]:
    date = info.dates[t]
    return {
        "date": date,
        "cloud": round(info.cloud[t], 4),
        "acquired": date not in info.requested,
        "requested": date in info.requested,
        "weight": None,
        "s1_date": info.s1_dates[t],
        "file": DECLOUDED.files[0].at(date),
    }


def _band(name: str) -> dict[str, Any]:
    known = S2_BANDS.get(name)
    return {
        "name": name,
        "wavelength_nm": known.wavelength_nm if known else None,
        "ground": known is None or not known.atmospheric,
    }
