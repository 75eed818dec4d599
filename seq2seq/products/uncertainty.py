"""How far each pixel of an image may be off."""

from typing import TYPE_CHECKING, Any

from seq2seq.products.base import COG, DateArrays, DateRaster, Product, RasterProfile, Scene
from seq2seq.products.styles import DOUBT, Ramp

if TYPE_CHECKING:
    from numpy.typing import NDArray

_UNIT = "reflectance"
# A viewer shows one band, and its scale ends here: more is as bad.
_SHOWN, _MOST = "B04", 0.05


def profile(info: Scene) -> RasterProfile:
    """Reflectance, as it is."""
    tags = {"SIGMA": "one standard deviation, 0 where observed", "SIGMA_UNIT": _UNIT}
    cf = {"long_name": "one standard deviation of reflectance, 0 where observed", "units": "1"}
    band = info.bands.index(_SHOWN) + 1 if _SHOWN in info.bands else 1
    style = Ramp(0.0, _MOST, DOUBT, band=band, transparent=True)
    return RasterProfile(dtype="float32", bands=info.bands, unit=_UNIT, tags=tags, cf=cf, style=style)


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
