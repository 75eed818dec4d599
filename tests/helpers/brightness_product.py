"""The brightness of each date."""

from typing import TYPE_CHECKING, Any

from seq2seq.products.base import COG, DateArrays, DateRaster, Product, RasterProfile, Scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

VISIBLE = ("B02", "B03", "B04")


def profile(info: Scene) -> RasterProfile:
    """One band, reflectance."""
    tags = {"BANDS": " ".join(band for band in VISIBLE if band in info.bands)}
    return RasterProfile("float32", ("brightness",), nodata=float("nan"), unit="reflectance", tags=tags)


def encode(arrays: DateArrays, info: Scene) -> "NDArray[Any]":
    """(1, h, w) mean of the visible bands; NaN where the input has none of them."""
    import numpy as np

    visible = [info.bands.index(band) for band in VISIBLE if band in info.bands]
    pixels = arrays.pixels
    if not visible:
        return np.full((1, *pixels.shape[1:]), np.nan, dtype=np.float32)
    return pixels[visible].mean(axis=0, keepdims=True, dtype=np.float32)


BRIGHTNESS = Product(
    name="brightness",
    title="Brightness",
    about="Mean of the visible bands of each cloud-free image.",
    media_type=COG,
    stac_role="data",
    per_date=True,
    raster=DateRaster(profile, encode),
)
