"""manifest.json of a result: every file with its size and checksums, written last, so that what has one is complete."""

import hashlib
import json
import os
import re
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

from seq2seq import products
from seq2seq.products.base import SUFFIXES

MANIFEST = products.MANIFEST.path
# Of files that are of no product.
_MEDIA_TYPES = {suffix: media_type for media_type, suffix in SUFFIXES.items()}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_PIECE = 1 << 20


def write_manifest(result: Path) -> None:
    """Lists all files below the folder `result` in its manifest.json, by path."""
    files = sorted(path for path in result.rglob("*") if path.is_file() and path.name != MANIFEST)
    entries = [describe_file(path, path.relative_to(result).as_posix()) for path in files]
    text = json.dumps({"files": entries}, indent=1)
    new = result / f".{MANIFEST}.new"
    new.write_text(text + "\n")
    os.replace(new, result / MANIFEST)


def describe_file(file: Path, path: str) -> dict[str, Any]:
    """The fields of `worker.jobs.Artifact` for `file`, the result's file `path`; its bytes are read once."""
    sha256, crc32, size = hashlib.sha256(), 0, 0
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            sha256.update(piece)
            crc32 = zlib.crc32(piece, crc32)
            size += len(piece)
    about = PurePosixPath(path)
    product = products.product_at(path)
    part = product.file_at(path) if product else None
    return {
        "path": path,
        "role": product.name if product else _role(about),
        "date": _date(about),
        "size": size,
        "sha256": sha256.hexdigest(),
        "crc32": crc32,
        "media_type": part.media_type
        if part and not part.is_folder
        else _MEDIA_TYPES.get(about.suffix, "application/octet-stream"),
    }


def _role(path: PurePosixPath) -> str:
    """Of a file that is of no product: its folder's name, or its own."""
    return path.parts[0] if len(path.parts) > 1 else path.stem


def _date(path: PurePosixPath) -> str | None:
    return path.stem if _DATE.fullmatch(path.stem) else None
