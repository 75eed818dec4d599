"""STAC 1.1 beside a result: one Collection, one Item a date, for QGIS, pystac, odc-stac and their like.

Links and assets are relative, so that the documents hold wherever the result is served or copied to.
"""

import json
import math
import os
from pathlib import Path
from typing import Any

import rasterio
from odc.geo.geobox import GeoBox
from rasterio.warp import transform

from seq2seq.bands import S2_BANDS
from seq2seq.products import PRODUCTS, REPORT, STAC, Product

COLLECTION, ITEM = STAC.files
VERSION = "1.1.0"
# The releases that pystac and odc-stac read.
EXTENSIONS = (
    "https://stac-extensions.github.io/eo/v1.1.0/schema.json",
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
)
_STATISTICS = ("minimum", "maximum", "mean", "stddev", "valid_percent")
# Names of the EO extension, section Common Band Names.
COMMON_NAMES = {
    "B01": "coastal",
    "B02": "blue",
    "B03": "green",
    "B04": "red",
    "B05": "rededge",
    "B06": "rededge",
    "B07": "rededge",
    "B08": "nir",
    "B8A": "nir08",
    "B09": "nir09",
    "B10": "cirrus",
    "B11": "swir16",
    "B12": "swir22",
}


def write_stac(result: Path, collection_id: str) -> None:
    """Writes stac/collection.json and stac/DATE.json for the dates of the folder `result`; nothing without images."""
    report = json.loads((result / REPORT.path).read_text())
    items = [
        _item(
            assets,
            date,
            collection_id=collection_id,
            restored=restored,
            gsd_m=report["input"]["grid"]["gsd_m"],
            acquired=date not in report["input"].get("requested", ()),
        )
        for date, restored in _dates(report)
        if (assets := _assets(result, date))
    ]
    for item in items:
        _write(result / ITEM.at(item["id"]), item)
    if items:
        _write(result / COLLECTION.path, _collection(collection_id, items, report))


def _dates(report: dict[str, Any]) -> list[tuple[str, float]]:
    """Each date, and the share of it that was restored."""
    source = report.get("input", {})
    return list(zip(source.get("dates", ()), source.get("cloud_fraction", ()), strict=True))


def _assets(result: Path, date: str) -> dict[str, tuple[Product, Path]]:
    """The files of a date that are assets, by the names of their products."""
    named = {p.name: (p, result / p.files[0].at(date)) for p in PRODUCTS if p.stac_role and p.per_date}
    return {name: (product, file) for name, (product, file) in named.items() if file.exists()}


def _collection(collection_id: str, items: list[dict[str, Any]], report: dict[str, Any]) -> dict[str, Any]:
    simulated = report["input"]["simulated"]
    boxes = [item["bbox"] for item in items]
    whole = [min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)]
    interval = [items[0]["properties"]["start_datetime"], items[-1]["properties"]["end_datetime"]]
    return {
        "type": "Collection",
        "stac_version": VERSION,
        "stac_extensions": [],
        "id": collection_id,
        "title": "Cloud-free Sentinel-2 sequence" + (" (simulated data)" if simulated else ""),
        "description": "Sentinel-2 images in which clouds, shadows and gaps were restored from the same sequence and "
        "Sentinel-1. Observed pixels are unchanged; report.json says how good the restored ones are.",
        "license": "other",
        "summaries": _summaries(report["holdout"]["gain"]),
        "extent": {"spatial": {"bbox": [whole]}, "temporal": {"interval": [interval]}},
        "links": [
            _link("root", "./collection.json"),
            *(_link("item", f"./{item['id']}.json", ITEM.media_type) for item in items),
        ],
    }


def _summaries(gain: dict[str, Any] | None) -> dict[str, Any]:
    """The range of the gain over linear interpolation, dB, where there is one, as STAC states ranges."""
    if gain is None or gain["low_db"] is None:
        return {}
    low, high = round(gain["low_db"], 1), round(gain["high_db"], 1)
    return {"decloud:gain_over_linear_db": {"minimum": low, "maximum": high}}


def _item(
    assets: dict[str, tuple[Product, Path]],
    date: str,
    *,
    collection_id: str,
    restored: float,
    gsd_m: float,
    acquired: bool,
) -> dict[str, Any]:
    _, first = next(iter(assets.values()))
    with rasterio.open(first) as image:
        geobox = GeoBox.from_rio(image)
        footprint = _footprint(image)
    return {
        "type": "Feature",
        "stac_version": VERSION,
        "stac_extensions": list(EXTENSIONS),
        "id": date,
        "collection": collection_id,
        "geometry": {"type": "Polygon", "coordinates": [footprint]},
        "bbox": [*map(min, zip(*footprint, strict=True)), *map(max, zip(*footprint, strict=True))],
        "properties": {
            # The day is known, the hour is not.
            "datetime": f"{date}T00:00:00Z",
            "start_datetime": f"{date}T00:00:00Z",
            "end_datetime": f"{date}T23:59:59Z",
            "gsd": gsd_m,
            "eo:cloud_cover": 0.0,
            "decloud:restored_percent": round(100 * restored, 2),
            "decloud:acquired": acquired,
            **_projection(geobox),
        },
        "links": [_link(kind, "./collection.json") for kind in ("root", "parent", "collection")],
        "assets": {name: _asset(product, file, date) for name, (product, file) in assets.items()},
    }


def _footprint(image: Any) -> list[list[float]]:
    """The image's corners as a closed ring of (longitude, latitude), counter-clockwise."""
    height, width = image.shape
    corners = [image.transform @ corner for corner in ((0, 0), (0, height), (width, height), (width, 0), (0, 0))]
    longitudes, latitudes = transform(image.crs, "EPSG:4326", *zip(*corners, strict=True))
    return [[round(x, 7), round(y, 7)] for x, y in zip(longitudes, latitudes, strict=True)]


def _projection(geobox: GeoBox) -> dict[str, Any]:
    code = geobox.crs.to_epsg()
    crs = {"proj:code": f"EPSG:{code}"} if code else {"proj:code": None, "proj:wkt2": geobox.crs.to_wkt()}
    return {**crs, "proj:shape": list(geobox.shape), "proj:transform": list(geobox.affine)[:6]}


def _asset(product: Product, file: Path, date: str) -> dict[str, Any]:
    with rasterio.open(file) as image:
        rasters = [_raster_band(image, index) for index in range(image.count)]
        names = image.descriptions
    return {
        "href": f"../{product.files[0].at(date)}",
        "title": product.title,
        "description": product.about,
        "type": product.media_type,
        "roles": [product.stac_role],
        "raster:bands": rasters,
        # Of the sensor's bands alone: an index or a mask has no wavelength.
        **({"eo:bands": [_eo_band(name) for name in names]} if set(names) <= set(S2_BANDS) else {}),
    }


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


def _eo_band(name: str) -> dict[str, Any]:
    known = {"common_name": COMMON_NAMES[name]} if name in COMMON_NAMES else {}
    wavelength = {"center_wavelength": round(S2_BANDS[name].wavelength_nm / 1000, 4)} if name in S2_BANDS else {}
    return {"name": name, **known, **wavelength}


def _link(kind: str, href: str, media_type: str = "application/json") -> dict[str, str]:
    return {"rel": kind, "href": href, "type": media_type}


def _write(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
    os.replace(new, path)
