"""The STAC Collection of a result: its extent, what its Items have in common, and the files that are of no date."""

from pathlib import Path
from typing import Any

from seq2seq.products import PRODUCTS, STAC
from seq2seq.writers.stac.assets import described, file_facts
from seq2seq.writers.stac.documents import VERSION, extensions, link
from seq2seq.writers.stac.items import ITEM, observed, sensor
from seq2seq.writers.stac.placing import Placed

COLLECTION, _ = STAC.files
_EXTENSIONS = extensions("eo", "projection", "file")
_OF_ITEMS = ("title", "description", "type", "roles", "bands", "eo:bands")


def collection(
    result: Path, placed: Placed, collection_id: str, items: list[dict[str, Any]], report: dict[str, Any]
) -> dict[str, Any]:
    """Describes the result as a whole; its dates with images are `items`."""
    simulated, dates = report["input"]["simulated"], report["input"]["dates"]
    interval = [f"{dates[0]}T00:00:00Z", f"{dates[-1]}T23:59:59Z"]
    return {
        "type": "Collection",
        "stac_version": VERSION,
        "stac_extensions": list(_EXTENSIONS),
        "id": collection_id,
        "title": "Cloud-free Sentinel-2 sequence" + (" (simulated data)" if simulated else ""),
        "description": "Sentinel-2 images in which clouds, shadows and gaps were restored from the same sequence and "
        f"Sentinel-1; {observed(report)}. report.json says how good the restored ones are.",
        "keywords": ["Sentinel-2", "cloud-free", "gap filling", *(["simulated"] if simulated else [])],
        "license": "other",
        "extent": {"spatial": {"bbox": [placed.bbox]}, "temporal": {"interval": [interval]}},
        "summaries": {**sensor(report), **_grid(placed, report), **_gain(report["holdout"]["gain"])},
        "links": [
            link("root", "./collection.json"),
            *(link("item", f"./{item['id']}.json", ITEM.media_type) for item in items),
        ],
        "assets": _assets(result),
        "item_assets": _item_assets(items),
    }


def _grid(placed: Placed, report: dict[str, Any]) -> dict[str, Any]:
    """What all images have alike: they lie on one grid."""
    code = placed.projection["proj:code"]
    return {"gsd": [report["input"]["grid"]["gsd_m"]], **({"proj:code": [code]} if code else {})}


def _gain(gain: dict[str, Any] | None) -> dict[str, Any]:
    """The range of the gain over linear interpolation, dB, where there is one, as STAC states ranges."""
    if gain is None or gain["low_db"] is None:
        return {}
    low, high = round(gain["low_db"], 1), round(gain["high_db"], 1)
    return {"decloud:gain_over_linear_db": {"minimum": low, "maximum": high}}


def _assets(result: Path) -> dict[str, Any]:
    """The files that are of no date: report, preview, cubes. A folder has no size of its own and no checksum."""
    named = {
        file.path if number else product.name: (product, file)
        for product in PRODUCTS
        if product.stac_role and not product.per_date
        for number, file in enumerate(product.files)
    }
    return {
        name: {
            **described(product, file, f"../{file.path}"),
            **({} if file.is_folder else file_facts(result / file.path)),
        }
        for name, (product, file) in named.items()
        if (result / file.path).exists()
    }


def _item_assets(items: list[dict[str, Any]]) -> dict[str, Any]:
    assets: dict[str, dict[str, Any]] = {}
    for item in items:
        assets |= {name: asset for name, asset in item["assets"].items() if name not in assets}
    return {name: {field: asset[field] for field in _OF_ITEMS if field in asset} for name, asset in assets.items()}
