"""STAC 1.1 beside a result: one Collection, one Item a date, for QGIS, pystac, odc-stac and their like.

Links and assets are relative, so that the documents hold wherever the result is served or copied to.
"""

import json
from pathlib import Path
from typing import Any

from seq2seq.products import REPORT
from seq2seq.writers.output import write_file
from seq2seq.writers.stac.collection import COLLECTION, collection
from seq2seq.writers.stac.items import ITEM, item_of, items_of

__all__ = ["write_stac"]


def write_stac(result: Path, collection_id: str) -> None:
    """Writes stac/collection.json and stac/DATE.json for the dates of the folder `result`; nothing without images.

    Everything is taken from report.json and the files that are there, so it comes last. Raises `OutputError`.
    """
    report = json.loads((result / REPORT.path).read_text(encoding="utf-8"))
    dates = items_of(result, report)
    items = [item_of(date, report, collection_id=collection_id) for date in dates]
    for item in items:
        _write(result / ITEM.at(item["id"]), item)
    if items:
        _write(result / COLLECTION.path, collection(result, collection_id, items, report))


def _write(path: Path, document: dict[str, Any]) -> None:
    write_file(path, (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())
