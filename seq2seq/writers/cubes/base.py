"""A cube: all dates of a result in one file or store, written block by block, so that it is never in memory.

Variables lie on (time, band, y, x), or (time, y, x) where they have no bands: names, axes and attributes follow the CF
conventions, which xarray, rioxarray, GDAL, QGIS and openEO read. Bands are a coordinate rather than variables of their
own, as in `Reconstruction.to_xarray` and in openEO's cubes: arithmetic over bands is one expression, and
`dataset.reflectance.to_dataset("band")` makes variables of them.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from seq2seq.bands import S2_BANDS
from seq2seq.products.base import Product, RasterProfile, Scene
from seq2seq.sequence import Dates, coordinates_of

# What one block of all variables may take while it is written, as float32.
BLOCK_BYTES = 64 * 2**20
LEAST_SIDE_PX, MOST_SIDE_PX = 32, 256

# How a band is called that says how far another may be off.
_SIGMA = "_sigma"

# (T, C, h, w) or (T, h, w) values of one block, by the names of the variables.
Block = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Variable:
    """One variable, as it is stored. banded: on (time, band, y, x); else on (time, y, x). fill: the value that stands
    for no data, None where there is none."""

    name: str
    dtype: str
    banded: bool
    attributes: Mapping[str, Any]
    fill: float | None = None

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The names of its axes."""
        return ("time", "band", "y", "x") if self.banded else ("time", "y", "x")


@dataclass(frozen=True, eq=False)
class CubeLayout:
    """What a cube holds beside its values. dates: (T,). bands: C names. attributes: of the cube as a whole."""

    dates: Dates
    bands: tuple[str, ...]
    geobox: GeoBox
    variables: tuple[Variable, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sizes(self) -> dict[str, int]:
        """The lengths of the axes, by name."""
        height, width = self.geobox.shape
        return {"time": len(self.dates), "band": len(self.bands), "y": height, "x": width}

    def shape(self, variable: Variable) -> tuple[int, ...]:
        """Returns the lengths of its axes."""
        return tuple(self.sizes[name] for name in variable.dimensions)

    def chunks(self, variable: Variable, side_px: int, *, bands: int) -> tuple[int, ...]:
        """Returns what is stored together: all dates, so many bands, `side_px` squared pixels."""
        sizes = self.sizes
        whole = {"time": sizes["time"], "band": bands, "y": min(side_px, sizes["y"]), "x": min(side_px, sizes["x"])}
        return tuple(whole[name] for name in variable.dimensions)

    def side_px(self, chunk_bytes: int, *, bands: int) -> int:
        """Returns the side of a chunk, a power of two, of which so many bands as float32 take at most `chunk_bytes`."""
        most = math.isqrt(max(1, chunk_bytes // (4 * len(self.dates) * bands)))
        return min(MOST_SIDE_PX, max(LEAST_SIDE_PX, 1 << (most.bit_length() - 1)))

    def blocks(self, side_px: int) -> Iterator[tuple[slice, slice]]:
        """Yields rows and columns of whole chunks, as many side by side as `BLOCK_BYTES` allows, at least one."""
        height, width = self.geobox.shape
        chunk_bytes = 4 * len(self.dates) * len(self.bands) * side_px**2
        columns = side_px * max(1, BLOCK_BYTES // chunk_bytes)
        for top in range(0, height, side_px):
            for left in range(0, width, columns):
                yield slice(top, min(top + side_px, height)), slice(left, min(left + columns, width))

    def coordinates(self) -> dict[str, tuple[tuple[str, ...], NDArray[Any], dict[str, Any]]]:
        """Makes dimensions, values and attributes by name; times are days since the first, as CF counts them."""
        made = coordinates_of(self.dates, self.bands, self.geobox)
        days = (self.dates - self.dates[0]).astype(np.int32)
        since = {"units": f"days since {self.dates[0]}", "calendar": "proleptic_gregorian"}
        made["time"] = ("time", days, {**made["time"][2], **since})
        made["spatial_ref"] = ((), np.int32(0), {**made["spatial_ref"][2], **self.geobox.crs.proj.to_cf()})
        if set(self.bands) <= set(S2_BANDS):
            nanometres = np.array([S2_BANDS[name].wavelength_nm for name in self.bands])
            about = {"standard_name": "radiation_wavelength", "units": "nm", "long_name": "centre wavelength"}
            made["wavelength"] = ("band", nanometres, about)
        return {
            name: ((axes,) if isinstance(axes, str) else axes, np.asarray(values), attributes)
            for name, (axes, values, attributes) in made.items()
        }


# Makes the values of one block of the scene.
ReadBlock = Callable[[slice, slice], Block]


class Cube(Protocol):
    """One kind of cube."""

    @property
    def product(self) -> Product:
        """What it is called, and where it lies."""

    def load(self) -> None:
        """Imports what it needs. Raises ModuleNotFoundError, which `naming_extra` words."""

    def write(self, path: Path, layout: CubeLayout, read: ReadBlock, check_stop: Callable[[], None]) -> None:
        """Writes `path`, block by block. check_stop: raises where the user wants an end. Raises `OutputError`."""


def variables_of(product: Product, profile: RasterProfile, scene: Scene) -> tuple[Variable, ...]:
    """Returns one variable with bands where the raster of a date has those of the scene, else one for each band."""
    fill = profile.nodata if np.issubdtype(np.dtype(profile.dtype), np.floating) else None
    shared = {"grid_mapping": "spatial_ref"}
    if profile.bands == scene.bands:
        about = {"long_name": product.title, **profile.cf, **shared, "coordinates": "spatial_ref wavelength"}
        return (Variable(product.variable or product.name, profile.dtype, True, about, fill),)
    about = {"long_name": product.title, **profile.cf, **shared, "coordinates": "spatial_ref"}
    return tuple(Variable(name, profile.dtype, False, _named(about, name), fill) for name in profile.bands)


def _named(attributes: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    if not name.endswith(_SIGMA):
        return attributes
    return {**attributes, "long_name": f"one standard deviation of {name.removesuffix(_SIGMA)}"}
