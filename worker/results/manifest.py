"""manifest.json of a result: every file with its size and checksums, written last, so that what has one is complete."""

import hashlib
import json
import os
import re
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

MANIFEST = "manifest.json"
COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_MEDIA_TYPES = {
    ".tif": COG,
    ".json": "application/json",
    ".html": "text/html; charset=utf-8",
    ".png": "image/png",
}
_ROLES = {"report.json": "report", "report.html": "report", "preview.png": "preview"}
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
    return {
        "path": path,
        "role": _role(about),
        "date": _date(about),
        "size": size,
        "sha256": sha256.hexdigest(),
        "crc32": crc32,
        "media_type": _media_type(about),
    }


def _role(path: PurePosixPath) -> str:
    """The folder's name; of files at the top, what they are."""
    return path.parts[0] if len(path.parts) > 1 else _ROLES.get(path.name, path.stem)


def _date(path: PurePosixPath) -> str | None:
    return path.stem if _DATE.fullmatch(path.stem) else None


def _media_type(path: PurePosixPath) -> str:
    if path.parts[0] == "stac" and _date(path):
        return "application/geo+json"
    return _MEDIA_TYPES.get(path.suffix, "application/octet-stream")
