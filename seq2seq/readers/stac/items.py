"""STAC items as far as a sequence needs them: which file, of which day, with which bands, stored how.

Reads STAC 1.0 (`eo:bands`, `raster:bands`) and 1.1 (`bands`). Nothing is fetched, and no path that an item states is
opened: hrefs are looked up among the names of the input.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from seq2seq.errors import UnreadableFileError
from seq2seq.readers.loose.words import dates_in, normal, sensor_in, shown
from seq2seq.readers.sun import Sun, stated_sun

MAX_BYTES = 16 * 2**20
_PEEKED = 64 * 2**10
_IMAGES = ("image/tiff", "image/jp2")
_SUFFIXES = (".tif", ".tiff", ".jp2")
# Roles of what shows or describes images, and of results that are no observations.
_NO_DATA_ROLES = frozenset({"thumbnail", "overview", "visual", "metadata", "uncertainty", "probability", "date"})


@dataclass(frozen=True)
class Asset:
    """One image of an item. key: its name there. file: of the item, for messages. folder: that hrefs start from.

    bands: names, empty where none are stated. scales, offsets: one a band, None where not stated.
    """

    key: str
    file: str
    item: str
    folder: PurePosixPath
    href: str
    day: date | None
    bands: tuple[str, ...]
    scales: tuple[float, ...] | None
    offsets: tuple[float, ...] | None
    nodata: float | None
    sensor: str | None
    baseline: str | None
    offset_applied: bool
    orbit: str
    sun: Sun | None = None

    @property
    def is_remote(self) -> bool:
        """True for an image on a server."""
        return "://" in self.href and not self.href.startswith("file://")

    @property
    def member(self) -> str | None:
        """The name in the input that the href leads to; None where it leads out of it."""
        if "://" in self.href or self.href.startswith("/"):
            return None
        parts: list[str] = []
        for part in (self.folder / unquote(self.href)).parts:
            if part == "..":
                if not parts:
                    return None
                parts.pop()
            else:
                parts.append(part)
        return "/".join(parts)


def is_stac(path: Path) -> bool:
    """True for JSON that says so near its beginning."""
    try:
        with path.open("rb") as file:
            return b'"stac_version"' in file.read(_PEEKED)
    except OSError:
        return False


def assets_in(path: Path, *, name: str) -> list[Asset]:
    """The images of all items in a file: an item, or a collection of items. Raises `UnreadableFileError`."""
    content = _loaded(path, name)
    features = content.get("features") if content.get("type") == "FeatureCollection" else [content]
    items = [item for item in features if isinstance(item, dict)] if isinstance(features, list) else []
    return [asset for item in items if item.get("type") == "Feature" for asset in assets_of(item, name)]


def _loaded(path: Path, name: str) -> dict[str, Any]:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise UnreadableFileError(f"{name}: has {size:,} bytes of JSON, at most {MAX_BYTES:,} are read", file=name)
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UnreadableFileError(f"{name}: is no readable JSON ({str(error)[:100]})", file=name) from error
    return content if isinstance(content, dict) else {}


def assets_of(item: Mapping[str, Any], name: str) -> Iterator[Asset]:
    """The images of one item. name: of its file, for messages."""
    properties, assets = _mapping(item.get("properties")), _mapping(item.get("assets"))
    words = [str(properties.get(key, "")) for key in ("constellation", "platform")]
    words += [str(item.get("collection") or ""), str(item.get("id", ""))]
    for key, value in assets.items():
        asset = _mapping(value)
        if not is_image(asset):
            continue
        bands = _bands(asset)
        yield Asset(
            key=shown(str(key)),
            file=name,
            item=shown(str(item.get("id", ""))),
            folder=PurePosixPath(name).parent,
            href=str(asset["href"]),
            day=_day(properties),
            bands=tuple(_name(band) for band in bands),
            scales=_numbers(bands, "scale", 1.0),
            offsets=_numbers(bands, "offset", 0.0),
            nodata=_nodata(asset, bands),
            sensor=next((found for each in words if (found := sensor_in(normal(each)))), None),
            baseline=_text(properties, "s2:processing_baseline", "processing:version"),
            offset_applied=properties.get("earthsearch:boa_offset_applied") is True,
            orbit=_orbit(properties),
            sun=stated_sun(properties),
        )


def is_image(asset: Mapping[str, Any]) -> bool:
    """True for an asset that holds observations, or a mask of them, as an image that is read."""
    href, kind = asset.get("href"), str(asset.get("type", ""))
    roles = {str(role).lower() for role in asset.get("roles") or [] if isinstance(asset.get("roles"), list)}
    if not isinstance(href, str) or roles & _NO_DATA_ROLES:
        return False
    return kind.startswith(_IMAGES) or href.split("?")[0].lower().endswith(_SUFFIXES)


def _bands(asset: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One mapping a band, of what the extensions of 1.0 and the field of 1.1 say."""
    lists = [asset.get(key) for key in ("bands", "eo:bands", "raster:bands")]
    usable = [[_mapping(band) for band in each] for each in lists if isinstance(each, list)]
    count = max(map(len, usable), default=0)
    return [
        {key: value for each in usable if index < len(each) for key, value in each[index].items()}
        for index in range(count)
    ]


def _name(band: Mapping[str, Any]) -> str:
    return _text(band, "name", "eo:common_name", "common_name") or ""


def _numbers(bands: Sequence[Mapping[str, Any]], key: str, default: float) -> tuple[float, ...] | None:
    """One a band, None where none states it."""
    values = [band.get(key, band.get(f"raster:{key}")) for band in bands]
    if not any(isinstance(value, int | float) for value in values):
        return None
    return tuple(float(value) if isinstance(value, int | float) else default for value in values)


def _nodata(asset: Mapping[str, Any], bands: Sequence[Mapping[str, Any]]) -> float | None:
    """What is stated for the first band or the asset; STAC writes NaN as a text."""
    values = [band.get("nodata") for band in bands[:1]] + [asset.get("nodata")]
    for value in values:
        try:
            return float(value) if value is not None else float("")
        except (TypeError, ValueError):
            continue
    return None


def _day(properties: Mapping[str, Any]) -> date | None:
    for key in ("datetime", "start_datetime"):
        if days := dates_in(str(properties.get(key) or "")[:40]).days:
            return days[0]
    return None


def _orbit(properties: Mapping[str, Any]) -> str:
    """Direction and relative orbit, "D088"."""
    state, number = str(properties.get("sat:orbit_state", "")), properties.get("sat:relative_orbit")
    direction = state[:1].upper() if state in ("ascending", "descending") else ""
    return direction + (f"{number:03d}" if isinstance(number, int) else "")


def _text(values: Mapping[str, Any], *keys: str) -> str | None:
    return next((shown(str(values[key])) for key in keys if values.get(key)), None)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
