"""The images themselves: what was observed, with what was restored in its gaps, stored as the input is."""

from typing import TYPE_CHECKING, Any

from seq2seq.products.base import COG, DateArrays, DateRaster, Product, RasterProfile, Scene
from seq2seq.products.styles import Composite

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from seq2seq.radiometry import Radiometry

# Reflectance that is white on a screen: land seldom exceeds it, and the same on all dates shows changes.
_WHITE = 0.3


def profile(info: Scene) -> RasterProfile:
    """As the input stores reflectance."""
    radiometry = info.radiometry
    scale, offset = radiometry.tags
    return RasterProfile(
        dtype=radiometry.dtype,
        bands=info.bands,
        nodata=radiometry.nodata,
        scale=scale,
        offset=offset,
        tags={"REFLECTANCE": f"value x {radiometry.scale:.10g} + {radiometry.offset:.10g}"},
        cf={"long_name": "cloud-free reflectance", "units": "1", **_packing(radiometry)},
        style=Composite.of(info.bands, _shown(radiometry, 0.0), _shown(radiometry, _WHITE)),
    )


def _shown(radiometry: "Radiometry", reflectance: float) -> float:
    """What viewers, who know the tags alone, take this reflectance for."""
    scale, offset = radiometry.tags
    return (reflectance - radiometry.offset) / radiometry.scale * scale + offset


def _packing(radiometry: "Radiometry") -> dict[str, float]:
    """As CF states it. What is 1 and 0 is left out: with an offset, readers take more bytes for each value."""
    scale, offset = radiometry.scale, radiometry.offset
    return {**({"scale_factor": scale} if scale != 1 else {}), **({"add_offset": offset} if offset else {})}


def encode(arrays: DateArrays, info: Scene) -> "NDArray[Any]":
    """Rounded and clipped to the input's dtype; never its no-data value."""
    return info.radiometry.to_dn(arrays.pixels)


DECLOUDED = Product(
    name="declouded",
    title="Cloud-free images",
    about="One cloud-optimised GeoTIFF a date, in the format of the input.",
    media_type=COG,
    stac_role="data",
    per_date=True,
    raster=DateRaster(profile, encode),
    variable="reflectance",
)
