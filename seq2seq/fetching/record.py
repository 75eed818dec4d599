"""`OUT/fetched.json`: what was fetched from where, item by item, and what it took; a second call goes on from it.

A sequence's reader passes it over. It is written anew, in one rename, whenever a day is finished.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import rasterio
from odc.geo.geobox import GeoBox

from seq2seq.errors import OutputError
from seq2seq.fetching.passes import Day
from seq2seq.fetching.plan import Plan
from seq2seq.readers.pairing import describe_grid
from seq2seq.writers.output import write_file

NAME = "fetched.json"
_FORMAT = 1
_MAX_BYTES = 256 * 2**20


@dataclass
class Record:
    """The record of one folder. content: as it is stored."""

    path: Path
    content: dict[str, Any]
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    @classmethod
    def open(cls, out: Path, plan: Plan) -> "Record":
        """Reads the record of `out`, or begins one. Raises `OutputError` where it is of another grid, or not ours."""
        path, asked = out / NAME, _identity(plan)
        if not path.exists():
            _check_empty(out)
            return cls(path, {"format": _FORMAT, **asked, "days": {"S2": {}, "S1": {}}, "runs": []})
        content = _read(path)
        _check_same(out, content, asked)
        for part in ("sources", "bands"):
            content[part] = {**content.get(part, {}), **asked[part]}
        return cls(path, content)

    def holds(self, day: Day, files: Sequence[Path]) -> bool:
        """Whether the day is finished, with all scenes that it has now."""
        found = self.content["days"].get(day.sensor, {}).get(day.date)
        if not isinstance(found, Mapping) or not set(day.items) <= set(found.get("items", ())):
            return False
        return bool(found.get("empty")) or all(file.exists() for file in files)

    def add(self, day: Day, facts: Mapping[str, Any]) -> None:
        """Records a finished day. Raises `OutputError`."""
        with self._lock:
            days = self.content["days"].setdefault(day.sensor, {})
            days[day.date] = dict(facts)
            self.content["days"][day.sensor] = dict(sorted(days.items()))
            self._write()

    def add_run(self, facts: Mapping[str, Any]) -> None:
        """Records what one call has done. Raises `OutputError`."""
        with self._lock:
            self.content["runs"].append({"ended": now(), **facts, "versions": versions()})
            self._write()

    def _write(self) -> None:
        content = json.dumps(self.content, indent=1).encode()
        write_file(self.path, content)


def now() -> str:
    """The time, UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def versions() -> dict[str, str]:
    """Of everything that has a say in what was written."""
    return {
        **{name: version(name) for name in ("decloud", "rasterio", "odc-geo", "numpy")},
        "gdal": rasterio.__gdal_version__,
    }


def _identity(plan: Plan) -> dict[str, Any]:
    """What all days of a folder share."""
    grid: GeoBox = plan.grid
    return {
        "grid": {
            "crs": f"EPSG:{grid.crs.epsg}",
            "transform": list(grid.affine)[:6],
            "shape": list(grid.shape),
            "described": describe_grid(grid),
        },
        "s2_offset": plan.request.s2_offset,
        "bands": {source.sensor: list(source.bands) for source in plan.sources},
        "sources": {
            source.sensor: {
                "catalog": source.catalog.url,
                "collection": source.collection.name,
                "assets": list(source.assets),
            }
            for source in plan.sources
        },
    }


def _check_empty(out: Path) -> None:
    """Raises `OutputError` where something lies in `out` that no fetch has written."""
    if not out.exists():
        return
    if not out.is_dir():
        raise OutputError(f"{out}: is a file; give a folder")
    if foreign := sorted(entry.name for entry in out.iterdir() if not entry.name.startswith(".fetching")):
        raise OutputError(f"{out}: holds {', '.join(foreign[:4])}, which no fetch has written; give another folder")


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError("too large")
        content = json.loads(path.read_text(encoding="utf-8"))
        days = content["days"]
        if content["format"] != _FORMAT or not isinstance(content["runs"], list) or not isinstance(days, dict):
            raise ValueError("another format")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise OutputError(f"{path}: is no record of a fetch that can be gone on from; give another folder") from error
    return dict(content)


def _check_same(out: Path, found: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Raises `OutputError` where the folder was fetched for something else; its days may be others."""
    was, now_ = found.get("grid", {}), asked["grid"]
    if any(was.get(key) != now_[key] for key in ("crs", "transform", "shape")):
        raise OutputError(
            f"{out}: was fetched for another grid ({was.get('described')}), now asked for is {now_['described']}; give "
            "another folder"
        )
    for sensor, source in asked["sources"].items():
        before = found.get("sources", {}).get(sensor)
        bands = found.get("bands", {}).get(sensor)
        if before is not None and before != source:
            raise OutputError(
                f"{out}: its {sensor} is {_words(before)}, now asked for is {_words(source)}; give another folder"
            )
        if bands is not None and bands != asked["bands"][sensor]:
            raise OutputError(
                f"{out}: its {sensor} has bands {' '.join(bands)}, now asked for are others; give another folder"
            )
    if found.get("s2_offset") != asked["s2_offset"]:
        was_set = found.get("s2_offset")
        raise OutputError(
            f"{out}: was fetched with --s2-offset {was_set}, now it is {asked['s2_offset']}; give another folder"
        )


def _words(source: Mapping[str, Any]) -> str:
    return f"{source.get('collection')} of {source.get('catalog')} ({' '.join(source.get('assets', ()))})"
