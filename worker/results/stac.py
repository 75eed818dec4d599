"""STAC 1.1 beside a result: one Collection, one Item a date, for QGIS, pystac, odc-stac and their like.

Links and assets are relative, so that the documents hold wherever the result is served or copied to.
"""

import json
import os
from pathlib import Path
from typing import Any

import rasterio
from odc.geo.geobox import GeoBox
from rasterio.warp import transform

from seq2seq.bands import S2_BANDS
from worker.results.manifest import COG

FOLDER = "stac"
VERSION = "1.1.0"
# The releases that pystac and odc-stac read.
EXTENSIONS = (
    "https://stac-extensions.github.io/eo/v1.1.0/schema.json",
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
)
# Folder of the result, title, roles.
ASSETS = (
    ("declouded", "Cloud-free image", ["data"]),
    ("uncertainty", "One standard deviation, reflectance; 0 where observed", ["metadata"]),
    ("cloud_mask", "1 where the input was cloud, shadow or without data", ["cloud"]),
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
    """Writes stac/collection.json and stac/DATE.json for the dates of the folder `result`."""
    whole = json.loads((result / "report.json").read_text())
    report = whole["input"]
    restored = dict(zip(report["dates"], report["cloud_fraction"], strict=True))
    dates = sorted(path.stem for path in (result / "declouded").glob("*.tif"))
    items = [_item(result, date, collection_id, restored[date]) for date in dates]
    for item in items:
        _write(result / FOLDER / f"{item['id']}.json", item)
    _write(result / FOLDER / "collection.json", _collection(collection_id, items, whole))


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
            *(_link("item", f"./{item['id']}.json", "application/geo+json") for item in items),
        ],
    }


def _summaries(gain: dict[str, Any] | None) -> dict[str, Any]:
    """The range of the gain over linear interpolation, dB, where there is one, as STAC states ranges."""
    if gain is None or gain["low_db"] is None:
        return {}
    low, high = round(gain["low_db"], 1), round(gain["high_db"], 1)
    return {"decloud:gain_over_linear_db": {"minimum": low, "maximum": high}}


def _item(result: Path, date: str, collection_id: str, restored: float) -> dict[str, Any]:
    with rasterio.open(result / "declouded" / f"{date}.tif") as image:
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
            "gsd": float(abs(geobox.resolution.x)),
            "eo:cloud_cover": 0.0,
            "decloud:restored_percent": round(100 * restored, 2),
            **_projection(geobox),
        },
        "links": [_link(kind, "./collection.json") for kind in ("root", "parent", "collection")],
        "assets": {name: _asset(result, name, date, title, roles) for name, title, roles in ASSETS},
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


def _asset(result: Path, name: str, date: str, title: str, roles: list[str]) -> dict[str, Any]:
    with rasterio.open(result / name / f"{date}.tif") as image:
        rasters = [_raster_band(image, index) for index in range(image.count)]
        bands = [_eo_band(band) for band in image.descriptions]
    optical = {"eo:bands": bands} if name != "cloud_mask" else {}
    href = f"../{name}/{date}.tif"
    return {"href": href, "title": title, "type": COG, "roles": roles, "raster:bands": rasters, **optical}


def _raster_band(image: Any, index: int) -> dict[str, Any]:
    """Physical value = stored value x scale + offset."""
    band = {"data_type": image.dtypes[index], "scale": image.scales[index], "offset": image.offsets[index]}
    band |= {} if image.nodata is None else {"nodata": image.nodata}
    band |= {"unit": image.units[index]} if image.units[index] else {}
    statistics = _statistics(image.tags(index + 1))
    return {**band, "statistics": statistics} if statistics else band


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
    new.write_text(json.dumps(document, indent=1) + "\n")
    os.replace(new, path)
