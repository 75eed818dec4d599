"""STAC 1.1 beside a result: one Collection, one Item a date, for QGIS, pystac, odc-stac and their like.

Links and assets are relative, so that the documents hold wherever the result is served or copied to.
"""

import json
from pathlib import Path
from typing import Any

from odc.geo.geobox import GeoBox

from seq2seq.products import REPORT
from seq2seq.writers.output import write_file
from seq2seq.writers.stac.collection import COLLECTION, collection
from seq2seq.writers.stac.items import ITEM, item_of, items_of
from seq2seq.writers.stac.placing import Placed

__all__ = ["write_stac"]


def write_stac(result: Path, geobox: GeoBox, collection_id: str) -> None:
    """Writes stac/collection.json and, for each date of the folder `result` that has images, stac/DATE.json.

    All else is taken from report.json and the files that are there, so it comes last. geobox: of all images. A result
    of cubes alone has no Items: a cube is an asset of the Collection. Raises `OutputError`.
    """
    report = json.loads((result / REPORT.path).read_text(encoding="utf-8"))
    placed = Placed.of(geobox)
    items = [item_of(date, placed, report, collection_id=collection_id) for date in items_of(result, report)]
    for item in items:
        _write(result / ITEM.at(item["id"]), item)
    _write(result / COLLECTION.path, collection(result, placed, collection_id, items, report))


def _write(path: Path, document: dict[str, Any]) -> None:
    write_file(path, (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())
