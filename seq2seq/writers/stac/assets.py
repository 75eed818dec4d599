"""Files of a result as STAC assets: what they are, how large, and what their bands hold."""

import hashlib
import math
from pathlib import Path
from typing import Any

import rasterio

from seq2seq.bands import S2_BANDS
from seq2seq.products.base import Product, ProductFile

_STATISTICS = ("minimum", "maximum", "mean", "stddev", "valid_percent")
# How a SHA-256 begins as a multihash: its code, and its length in bytes.
_SHA256 = "1220"


def raster_asset(product: Product, file: Path, date: str) -> dict[str, Any]:
    """Describes the raster of a date: STAC's own `bands` name them, `raster:bands` and `eo:bands` say the rest."""
    with rasterio.open(file) as image:
        rasters = [_raster_band(image, index) for index in range(image.count)]
        names, tags = image.descriptions, image.tags()
    expression = tags.get("FORMULA")
    return {
        **described(product, product.files[0], f"../{product.files[0].at(date)}"),
        **file_facts(file),
        "bands": [{"name": name} for name in names],
        "raster:bands": rasters,
        # Of the sensor's bands alone: an index or a mask has no wavelength.
        **({"eo:bands": [eo_band(name) for name in names]} if set(names) <= set(S2_BANDS) else {}),
        **({"processing:expression": {"format": "formula", "expression": expression}} if expression else {}),
    }


def described(product: Product, file: ProductFile, href: str) -> dict[str, Any]:
    """Says what one file of a product is."""
    return {
        "href": href,
        "title": product.title,
        "description": product.about,
        "type": file.media_type,
        "roles": [product.stac_role or "metadata"],
    }


def file_facts(file: Path) -> dict[str, Any]:
    """Returns size and checksum, a multihash as the file extension wants it."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"file:size": file.stat().st_size, "file:checksum": _SHA256 + digest}


def eo_band(name: str) -> dict[str, Any]:
    """Describes a band of Sentinel-2: common name, centre wavelength in micrometres."""
    band = S2_BANDS[name]
    wavelength_um = round(band.wavelength_nm / 1000, 4)
    return {"name": name, "common_name": band.common_name, "center_wavelength": wavelength_um}


def _raster_band(image: Any, index: int) -> dict[str, Any]:
    """Physical value = stored value x scale + offset."""
    band = {"data_type": image.dtypes[index], "scale": image.scales[index], "offset": image.offsets[index]}
    band |= {} if image.nodata is None else {"nodata": _nodata(image.nodata)}
    band |= {"unit": image.units[index]} if image.units[index] else {}
    statistics = _statistics(image.tags(index + 1))
    return {**band, "statistics": statistics} if statistics else band


def _nodata(value: float) -> float | str:
    """JSON has no NaN; the raster extension writes it as text."""
    return value if math.isfinite(value) else str(value)


def _statistics(tags: dict[str, str]) -> dict[str, float]:
    """Of the stored values, as the file states them."""
    found = {name: tags.get(f"STATISTICS_{name.upper()}") for name in _STATISTICS}
    return {name: float(value) for name, value in found.items() if value is not None}
