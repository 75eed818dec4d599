"""How far each pixel of an image may be off."""

from typing import TYPE_CHECKING, Any

from seq2seq.products.base import COG, DateArrays, DateRaster, Product, RasterProfile, Scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

_UNIT = "reflectance"


def profile(info: Scene) -> RasterProfile:
    """Reflectance, as it is."""
    tags = {"SIGMA": "one standard deviation, 0 where observed", "SIGMA_UNIT": _UNIT}
    cf = {"long_name": "one standard deviation of reflectance, 0 where observed", "units": "1"}
    return RasterProfile(dtype="float32", bands=info.bands, unit=_UNIT, tags=tags, cf=cf)


def encode(arrays: DateArrays, info: Scene) -> "NDArray[Any]":
    """(C, h, w) one standard deviation."""
    return arrays.sigma


UNCERTAINTY = Product(
    name="uncertainty",
    title="Uncertainty",
    about="One standard deviation for each pixel, reflectance; 0 where observed.",
    media_type=COG,
    stac_role="metadata",
    per_date=True,
    raster=DateRaster(profile, encode),
)
