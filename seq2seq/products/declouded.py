"""The images themselves: what was observed, with what was restored in its gaps, stored as the input is."""

from typing import TYPE_CHECKING, Any

from seq2seq.products.base import COG, DateArrays, DateRaster, Product, RasterProfile, Scene

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
    )


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
)
