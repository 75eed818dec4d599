"""Bring S1 to S2: which acquisition each date gets, and whether two grids are one or overlap at all."""

import numpy as np
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry, polygon

from seq2seq.sequence import Dates

# Two grids are one if no corner differs by more than this share of a pixel: GeoTIFF origins are rounded decimals.
GRID_TOLERANCE_PX = 0.01
_UNITS = {"metre": " m", "meter": " m", "degree": "°"}
_POINTS_PER_SIDE = 21  # straight edges bend in another CRS


def nearest_acquisitions(dates: Dates, candidates: Dates, *, max_days: int) -> NDArray[np.intp]:
    """(T,) index into the sorted `candidates` of the acquisition nearest to each date, ties to the earlier.

    -1 where none lies within `max_days`.
    """
    if not len(candidates):
        return np.full(len(dates), -1, dtype=np.intp)
    days = np.abs((dates[:, None] - candidates[None]).astype(np.int64))  # (T, N)
    nearest = days.argmin(axis=1)
    return np.where(days.min(axis=1) <= max_days, nearest, -1)


def same_grid(a: GeoBox, b: GeoBox) -> bool:
    """True where both have one CRS, one size and, within a hundredth of a pixel, one place."""
    if tuple(a.shape) != tuple(b.shape) or not _same_crs(a, b):
        return False
    height, width = a.shape
    corners = ((0, 0), (width, 0), (0, height), (width, height))
    a_to_b = ~b.affine @ a.affine
    return all(np.hypot(*np.subtract(a_to_b @ corner, corner)) <= GRID_TOLERANCE_PX for corner in corners)


def grids_overlap(a: GeoBox, b: GeoBox) -> bool:
    """True where the footprints share some area, whatever their CRSs."""
    theirs = b.extent if _same_crs(a, b) else footprint(b, a.crs)
    return theirs is not None and bool(a.extent.intersection(theirs).area > 0)


def describe_grid(grid: GeoBox) -> str:
    """One phrase for messages: `EPSG:32631, 101 x 101 px of 10 m x 10 m, upper left (664500, 5612650)`."""
    affine, (height, width) = grid.affine, grid.shape
    crs = f"EPSG:{grid.crs.epsg}" if grid.crs.epsg else str(grid.crs)[:40]
    corner = f"upper left ({affine.c:.10g}, {affine.f:.10g})"
    sizes = [np.hypot(affine.a, affine.d), np.hypot(affine.b, affine.e)]
    x_size, y_size = (with_unit(float(size), grid.crs) for size in sizes)
    return f"{crs}, {width} x {height} px of {x_size} x {y_size}, {corner}"


def describe_pixel(grid: GeoBox) -> str:
    """The side of a pixel as people say it: `10 m`, `0.0001° (11.1 m)`, `40 US survey foot (12.2 m)`."""
    length = float(np.hypot(grid.affine.b, grid.affine.e))
    size, metres = with_unit(length, grid.crs), gsd_m(grid)
    return size if metres == length else f"{size} ({metres:.3g} m)"


def with_unit(length: float, crs: CRS) -> str:
    """A length in the units of the CRS: `10 m`, `0.0001°`, `32.8 US survey foot`."""
    unit = "degree" if crs.geographic else str(crs.units[0])
    return f"{length:.6g}{_UNITS.get(unit, f' {unit}')}"


def gsd_m(grid: GeoBox) -> float:
    """Ground sampling distance in metres (for geographic CRSs by the length of a degree of latitude)."""
    size = float(np.hypot(grid.affine.b, grid.affine.e))
    if grid.crs.geographic:
        return size * 111_320
    return size * float(grid.crs.proj.axis_info[0].unit_conversion_factor)


def footprint(grid: GeoBox, crs: CRS) -> Geometry | None:
    """The outline in another CRS, None where it cannot be expressed there (the other side of the globe)."""
    side = np.linspace(0, 1, _POINTS_PER_SIDE)
    flat = np.zeros_like(side)
    columns = np.concatenate([side, flat + 1, side[::-1], flat]) * grid.shape[1]
    rows = np.concatenate([flat, side, flat + 1, side[::-1]]) * grid.shape[0]
    x, y = grid.crs.transformer_to_crs(crs)(*(grid.affine @ (columns, rows)))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    outline = polygon(list(zip(x.tolist(), y.tolist(), strict=True)), crs)
    return outline if outline.is_valid else None


def _same_crs(a: GeoBox, b: GeoBox) -> bool:
    if a.crs.epsg and b.crs.epsg:
        return bool(a.crs.epsg == b.crs.epsg)
    return bool(a.crs == b.crs)
