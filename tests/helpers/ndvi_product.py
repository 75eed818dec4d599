"""The vegetation index of each date."""

from typing import TYPE_CHECKING, Any

from seq2seq.products.base import COG, DateArrays, DateRaster, Product, RasterProfile, Scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

RED, NEAR_INFRARED = "B04", ("B08", "B8A")


def profile(info: Scene) -> RasterProfile:
    """One band in [-1, 1]."""
    return RasterProfile("float32", ("NDVI",), nodata=float("nan"), tags={"INDEX": "(nir - red) / (nir + red)"})


def encode(arrays: DateArrays, info: Scene) -> "NDArray[Any]":
    """(1, h, w) (n - r) / (n + r); NaN where the input lacks a band, or both are dark."""
    import numpy as np

    pixels = arrays.pixels
    infrared = next((band for band in NEAR_INFRARED if band in info.bands), None)
    if RED not in info.bands or infrared is None:
        return np.full((1, *pixels.shape[1:]), np.nan, dtype=np.float32)
    red, near = (pixels[info.bands.index(band)] for band in (RED, infrared))
    index = np.where(near + red > 1e-3, (near - red) / np.maximum(near + red, 1e-3), np.nan)
    return np.clip(index, -1, 1).astype(np.float32)[None]


NDVI = Product(
    name="ndvi",
    title="NDVI",
    about="Vegetation index of each cloud-free image.",
    media_type=COG,
    stac_role="data",
    per_date=True,
    raster=DateRaster(profile, encode),
)
