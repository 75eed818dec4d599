"""The axes of a variable: which is time, bands, y and x, and the grid that their coordinates make."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from seq2seq.errors import MisalignedGridsError
from seq2seq.readers.cubes.arrays import MAX_COORDINATE, Array, Group, read_all
from seq2seq.readers.cubes.crs import crs_of

_TIMES = frozenset({"time", "t", "timestamp", "timestamps", "date", "dates", "datetime"})
_BANDS = frozenset({"band", "bands", "b", "channel", "channels", "variable", "polarization", "polarisation"})
_XS = frozenset({"x", "lon", "longitude", "easting"})
_YS = frozenset({"y", "lat", "latitude", "northing"})
_STANDARD = {
    "projection_x_coordinate": "x", "longitude": "x", "projection_y_coordinate": "y", "latitude": "y", "time": "time",
}  # fmt: skip
# What coordinates may be off in pixels: single precision in degrees loses some.
_REGULAR_PX = 0.1
_DEGREE_STEP = 0.1
_CORNER_PX = 0.01


@dataclass(frozen=True)
class Axes:
    """Indexes of a variable's axes; time and band may be absent."""

    y: int
    x: int
    time: int | None = None
    band: int | None = None


def axes_of(array: Array, group: Group) -> Axes | None:
    """The axes of a variable on a grid; None where it has none, or others beside."""
    roles = [_role(name, group) for name in array.dims]
    found = {role: axis for axis, role in enumerate(roles) if role}
    if len(found) != len(roles) or not {"y", "x"} <= set(found):
        return None
    return Axes(found["y"], found["x"], found.get("time"), found.get("band"))


def _role(name: str, group: Group) -> str | None:
    lower = name.lower()
    for role, names in (("time", _TIMES), ("band", _BANDS), ("x", _XS), ("y", _YS)):
        if lower in names:
            return role
    coordinate = group.find(name) if name else None
    if coordinate is None:
        return None
    standard = _STANDARD.get(str(coordinate.attributes.get("standard_name", "")).lower())
    axis = {"T": "time", "X": "x", "Y": "y"}.get(str(coordinate.attributes.get("axis", "")).upper())
    since = "time" if " since " in str(coordinate.attributes.get("units", "")) else None
    return standard or axis or since


@dataclass(frozen=True)
class Grid:
    """A grid with rows from north to south. flip_y, flip_x: the stored order is the other one."""

    geobox: GeoBox
    flip_y: bool
    flip_x: bool


def grid_of(array: Array, axes: Axes, group: Group) -> Grid:
    """The grid of a variable. Raises `MisalignedGridsError` for irregular coordinates, and where there is no CRS."""
    height, width = array.shape[axes.y], array.shape[axes.x]
    y, x = (_coordinate(array, axis, group) for axis in (axes.y, axes.x))
    crs = crs_of(array, group) or _degrees(array, axes, group, x, y)
    if x is None or y is None:
        return Grid(GeoBox((height, width), _transform(array, group), crs), False, False)
    x_step, y_step = _step(x, array, axes.x), _step(y, array, axes.y)
    x_step, y_step = x_step or abs(y_step), y_step or -abs(x_step)
    if not (x_step and y_step):
        raise MisalignedGridsError(f"{array.place}: one pixel has no size; state it in a GeoTransform", file=array.file)
    flip_x, flip_y = x_step < 0, y_step > 0
    left = float(x[-1] if flip_x else x[0]) - abs(x_step) / 2
    top = float(y[-1] if flip_y else y[0]) + abs(y_step) / 2
    affine = Affine(abs(x_step), 0, _rounded(left), 0, -abs(y_step), _rounded(top))
    stated = _listed(array.attributes.get("transform"))
    if stated is not None and _begins_at(stated, affine @ (0.5, 0.5), affine):
        affine = stated
    return Grid(GeoBox((height, width), affine, crs), flip_y, flip_x)


def _begins_at(stated: Affine, first: tuple[float, float], affine: Affine) -> bool:
    """Whether coordinates are of pixels' corners, as stackstac has them: the first is where the transform begins."""
    same_size = bool(np.allclose([stated.a, stated.e], [affine.a, affine.e], rtol=1e-6))
    off = (stated.c - first[0]) / affine.a, (stated.f - first[1]) / affine.e
    return same_size and stated.is_rectilinear and max(map(abs, off)) < _CORNER_PX


def _listed(values: Any) -> Affine | None:
    """A transform, also as six numbers or more."""
    if isinstance(values, Affine):
        return values
    if not isinstance(values, list | tuple) or len(values) < 6:
        return None
    return Affine(*values[:6]) if all(isinstance(one, int | float) for one in values[:6]) else None


def _coordinate(array: Array, axis: int, group: Group) -> Any:
    """(N,) centres of the pixels along an axis; None where they are not there."""
    found = group.find(array.dims[axis])
    if found is None or found.dtype is None or found.shape != (array.shape[axis],):
        return None
    values = read_all(found, MAX_COORDINATE).astype(np.float64)
    scale, offset = (found.attributes.get(name) for name in ("scale_factor", "add_offset"))
    if isinstance(scale, int | float) or isinstance(offset, int | float):
        values = values * (1.0 if scale is None else float(scale)) + (0.0 if offset is None else float(offset))
    return values


def _step(values: Any, array: Array, axis: int) -> float:
    """From one pixel to the next, 0 of a single one."""
    if len(values) == 1:
        return 0.0
    step = float(values[-1] - values[0]) / (len(values) - 1)
    straight = values[0] + step * np.arange(len(values))
    off = np.abs(values - straight).max() / abs(step) if step else np.inf
    if not off <= _REGULAR_PX:
        steps = np.abs(np.diff(values))
        raise MisalignedGridsError(
            f"{array.place}: coordinates {array.dims[axis]} are irregular, {steps.min():.6g} to {steps.max():.6g} "
            "apart; resample it to a regular grid (gdalwarp, or rioxarray: cube.rio.reproject)",
            file=array.file,
        )
    return _rounded(step)


def _rounded(value: float) -> float:
    """Without what dividing adds: 10 instead of 10.000000000000002."""
    return float(f"{value:.13g}")


def _transform(array: Array, group: Group) -> Affine:
    """What attributes state of a variable without coordinates."""
    mapping = group.find(str(array.attributes.get("grid_mapping", "")).split(":")[0].strip() or "spatial_ref")
    for attributes in (mapping.attributes if mapping else {}, array.attributes, group.attributes):
        if isinstance(text := attributes.get("GeoTransform"), str):
            numbers = [float(part) for part in text.split()[:6] if _is_number(part)]
            if len(numbers) == 6 and numbers[1] and numbers[5]:
                return Affine.from_gdal(*numbers)
        if (listed := _listed(attributes.get("proj:transform") or attributes.get("transform"))) is not None:
            return listed
    raise MisalignedGridsError(
        f"{array.place}: has no position: neither coordinates {array.dims[-2]} and {array.dims[-1]} nor a "
        "GeoTransform; write them (rioxarray: cube.rio.write_transform)",
        file=array.file,
    )


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _degrees(array: Array, axes: Axes, group: Group, x: Any, y: Any) -> CRS:
    """Degrees where nothing else is said and the coordinates are called so, or look so."""
    named = {array.dims[axis].lower() for axis in (axes.y, axes.x)} <= {"lat", "lon", "latitude", "longitude"}
    coordinates = [group.find(array.dims[axis]) for axis in (axes.y, axes.x)]
    units = all("degree" in str(one.attributes.get("units", "")).lower() for one in coordinates if one)
    if named or (None not in coordinates and units) or _look_like_degrees(x, y):
        return CRS("EPSG:4326")
    raise MisalignedGridsError(
        f"{array.place}: has no CRS; write it into the file (rioxarray: cube.rio.write_crs(32631), which makes a "
        "variable spatial_ref)",
        file=array.file,
    )


def _look_like_degrees(x: Any, y: Any) -> bool:
    if x is None or y is None or len(x) < 2 or len(y) < 2:
        return False
    inside = np.abs(x).max() <= 180 and np.abs(y).max() <= 90
    return bool(inside and abs(x[1] - x[0]) < _DEGREE_STEP and abs(y[1] - y[0]) < _DEGREE_STEP)
