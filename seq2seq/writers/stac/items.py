"""A STAC Item for each date: where it lies, how it was made, and its rasters."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq.products import PRODUCTS, STAC, Product
from seq2seq.writers.stac.assets import raster_asset
from seq2seq.writers.stac.documents import VERSION, extensions, link
from seq2seq.writers.stac.placing import Placed

_, ITEM = STAC.files
_EXTENSIONS = extensions("eo", "projection", "raster", "file", "processing", "timestamps")
_LINEAGE = "Clouds, shadows and gaps were restored from the same sequence and Sentinel-1 (method {method}); {observed}."


@dataclass(frozen=True)
class DatedFiles:
    """The rasters of a date, by product, and the share of it that was restored, 0 to 1.

    acquired: False = the date was asked for, and no satellite passed.
    """

    date: str
    restored: float
    acquired: bool
    files: dict[str, tuple[Product, Path]]


def items_of(result: Path, report: dict[str, Any]) -> list[DatedFiles]:
    """Lists the dates of `result` that have rasters, in order."""
    source = report.get("input", {})
    dates = zip(source.get("dates", ()), source.get("cloud_fraction", ()), strict=True)
    requested = source.get("requested", ())
    found = [DatedFiles(date, restored, date not in requested, _files(result, date)) for date, restored in dates]
    return [each for each in found if each.files]


def item_of(dated: DatedFiles, placed: Placed, report: dict[str, Any], *, collection_id: str) -> dict[str, Any]:
    """Describes one date as an Item; its files are read, headers for the bands and bytes for the checksums."""
    return {
        "type": "Feature",
        "stac_version": VERSION,
        "stac_extensions": list(_EXTENSIONS),
        "id": dated.date,
        "collection": collection_id,
        "geometry": {"type": "Polygon", "coordinates": [placed.footprint]},
        "bbox": placed.bbox,
        "properties": {
            # The day is known, the hour is not.
            "datetime": f"{dated.date}T00:00:00Z",
            "start_datetime": f"{dated.date}T00:00:00Z",
            "end_datetime": f"{dated.date}T23:59:59Z",
            "gsd": report["input"]["grid"]["gsd_m"],
            "eo:cloud_cover": 0.0,
            "decloud:restored_percent": round(100 * dated.restored, 2),
            "decloud:acquired": dated.acquired,
            **_sensor(report),
            **_processing(report),
            **placed.projection,
        },
        "links": [link(kind, "./collection.json") for kind in ("root", "parent", "collection")],
        "assets": {name: raster_asset(product, file, dated.date) for name, (product, file) in dated.files.items()},
    }


def _files(result: Path, date: str) -> dict[str, tuple[Product, Path]]:
    """The rasters that are there, by the names of their products."""
    named = {p.name: (p, result / p.files[0].at(date)) for p in PRODUCTS if p.stac_role and p.per_date}
    return {name: (product, file) for name, (product, file) in named.items() if file.exists()}


def sensor(report: dict[str, Any]) -> dict[str, Any]:
    """Returns what saw the scene, as lists, such as summaries have; nothing of simulated data."""
    return {} if report["input"]["simulated"] else {"constellation": ["sentinel-2"], "instruments": ["msi"]}


def observed(report: dict[str, Any]) -> str:
    """Says what became of the pixels that were observed."""
    full = report["config"].get("full_prediction", False)
    return "observed pixels were replaced as well" if full else "observed pixels are unchanged"


def _sensor(report: dict[str, Any]) -> dict[str, Any]:
    """An Item has one constellation, and a list of instruments."""
    seen = sensor(report)
    return {**seen, "constellation": seen["constellation"][0]} if seen else {}


def _processing(report: dict[str, Any]) -> dict[str, Any]:
    """By what it was made and when: the result as a whole, since nothing of it is shown before all of it is there."""
    created = _utc(report["created"])
    return {
        "created": created,
        "updated": created,
        "published": created,
        "processing:software": {"decloud": report["version"]},
        "processing:lineage": _LINEAGE.format(method=report["method"], observed=observed(report)),
    }


def _utc(time: str) -> str:
    """RFC 3339 as STAC writes it."""
    return time.replace("+00:00", "Z")
