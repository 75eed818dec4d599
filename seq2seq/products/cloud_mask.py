"""Where a date did not show the ground."""

from typing import TYPE_CHECKING, Any

from seq2seq.products.base import COG, DateArrays, DateRaster, Product, RasterProfile, Scene
from seq2seq.products.styles import Classes

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STYLE = Classes(((0, "observed", "#ffffff00"), (1, "cloud, shadow or no data", "#d95f02c0")))


def profile(info: Scene) -> RasterProfile:
    """Two classes in one band."""
    tags = {"CLASSES": "0 observed, 1 cloud, shadow or no data"}
    cf = {
        "long_name": "1 where the input was cloud, shadow or without data",
        "flag_values": (0, 1),
        "flag_meanings": "observed cloud_shadow_or_no_data",
    }
    return RasterProfile(dtype="uint8", bands=("cloud_mask",), overviews="nearest", tags=tags, cf=cf, style=_STYLE)


def encode(arrays: DateArrays, info: Scene) -> "NDArray[Any]":
    """(1, h, w) 1 where the date did not show the ground."""
    return arrays.cloud_mask[None].astype("uint8")


CLOUD_MASK = Product(
    name="cloud_mask",
    title="Cloud masks",
    about="1 where the input was cloud, shadow or without data.",
    media_type=COG,
    stac_role="cloud",
    per_date=True,
    raster=DateRaster(profile, encode),
)
