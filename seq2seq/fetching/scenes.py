"""Scenes: what a catalogue states of one product over one place, taken from an item that a stranger wrote."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

from seq2seq.fetching.failures import FetchError
from seq2seq.wording import one_line

_TILE = re.compile(r"(?:^|[_T-])(\d{1,2}[C-HJ-NP-X][A-HJ-NP-Z]{2})(?:_|$)")
_ORBIT = re.compile(r"_R(\d{3})_")
_EPSG = re.compile(r"(?i)(?:EPSG:)?(\d{4,6})")
_LONGEST_ID = 200
# Names of one fact in the catalogues, the most telling first.
_BASELINE = ("s2:processing_baseline", "processing:version", "sentinel:processing_baseline")
_APPLIED = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
_MADE = ("s2:generation_time", "processing:datetime", "created", "updated")
_TILE_FACTS = ("s2:mgrs_tile", "grid:code", "tileId")
_PRODUCT = ("s2:product_uri", "sentinel:product_id")


@dataclass(frozen=True)
class Asset:
    """A file of a scene. offset: of reflectance, as the item states it, None where it states none."""

    key: str
    href: str
    offset: float | None = None


@dataclass(frozen=True)
class Scene:
    """One item. time: UTC. cloud: percent. baseline: as in "05.09". applied: whether the offset was, where stated.

    footprint: GeoJSON in longitude and latitude, or None. assets: by band.
    """

    id: str
    time: datetime
    platform: str
    assets: Mapping[str, Asset]
    cloud: float | None = None
    orbit: int | None = None
    direction: str | None = None
    tile: str | None = None
    epsg: int | None = None
    baseline: str | None = None
    applied: bool | None = None
    made: str = ""
    footprint: Mapping[str, Any] | None = None


def scene_of(item: Mapping[str, Any], wanted: Mapping[str, tuple[str, ...]], base: str) -> Scene:
    """Reads one item. wanted: bands, with the keys of assets. base: what relative addresses are relative to.

    Raises `FetchError` naming the item where it has no time.
    """
    name = item_id(item)
    properties = _mapping(item.get("properties"))
    described = f"{name}_{_first(properties, _PRODUCT) or ''}"
    geometry = item.get("geometry")
    return Scene(
        id=name,
        time=_time(properties, name),
        platform=_text(properties.get("platform")).lower() or name[:3].lower(),
        assets=_assets(_mapping(item.get("assets")), wanted, base),
        cloud=_number(properties.get("eo:cloud_cover")),
        orbit=_orbit(properties, described),
        direction=_text(properties.get("sat:orbit_state")) or None,
        tile=_tile(properties, described),
        epsg=_epsg(properties),
        baseline=_baseline(_first(properties, _BASELINE)),
        applied=_flag(_first(properties, _APPLIED)),
        made=_text(_first(properties, _MADE)),
        footprint=geometry if isinstance(geometry, Mapping) else None,
    )


def item_id(item: Mapping[str, Any]) -> str:
    """The item's name, fit to be shown."""
    text = "".join(
        character if character.isprintable() else "?" for character in str(item.get("id") or "item without id")
    )
    return one_line(text, _LONGEST_ID)


def _assets(found: Mapping[str, Any], wanted: Mapping[str, tuple[str, ...]], base: str) -> dict[str, Asset]:
    assets = {}
    for band, keys in wanted.items():
        key = next((key for key in keys if isinstance(_mapping(found.get(key)).get("href"), str)), None)
        if key is not None:
            asset = _mapping(found[key])
            href = str(asset["href"])
            assets[band] = Asset(key, href if "://" in href else _joined(base, href), _stated_offset(asset))
    return assets


def _joined(base: str, href: str) -> str:
    try:
        return urljoin(base, href)
    except ValueError:
        return href


def _stated_offset(asset: Mapping[str, Any]) -> float | None:
    """Of the extension `raster`: at the asset, in its list of bands (1.x), or in STAC 1.1's."""
    places: list[Any] = [asset]
    for name in ("raster:bands", "bands"):
        bands = asset.get(name)
        places += bands[:1] if isinstance(bands, list) else []
    for place in map(_mapping, places):
        for name in ("raster:offset", "offset"):
            if (offset := _number(place.get(name))) is not None:
                return offset
    return None


def _time(properties: Mapping[str, Any], name: str) -> datetime:
    for key in ("datetime", "start_datetime"):
        try:
            found = datetime.fromisoformat(str(properties.get(key)))
        except ValueError:
            continue
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    raise FetchError(f"{name}: states no time")


def _orbit(properties: Mapping[str, Any], described: str) -> int | None:
    stated = _number(properties.get("sat:relative_orbit"))
    found = _ORBIT.search(described)
    return int(stated) if stated is not None else int(found[1]) if found else None


def _tile(properties: Mapping[str, Any], described: str) -> str | None:
    # Names of Sentinel-1 have parts such as 1SDV, which look like one.
    named = described if described.startswith("S2") else ""
    for text in (*(_text(properties.get(name)) for name in _TILE_FACTS), named):
        if found := _TILE.search(text):
            return found[1].rjust(5, "0")
    return None


def _epsg(properties: Mapping[str, Any]) -> int | None:
    found = _EPSG.fullmatch(str(properties.get("proj:epsg") or properties.get("proj:code") or ""))
    return int(found[1]) if found else None


def _baseline(stated: Any) -> str | None:
    """ "05.09" from 05.09, "5.9" being no other; None for what is none."""
    found = re.fullmatch(r"N?(\d{1,2})\.?(\d{2})", _text(stated)) if isinstance(stated, str) else None
    return f"{int(found[1]):02d}.{found[2]}" if found else None


def _first(properties: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((properties[name] for name in names if properties.get(name) is not None), None)


def _flag(stated: Any) -> bool | None:
    if isinstance(stated, bool):
        return stated
    return {"true": True, "false": False}.get(str(stated).lower())


def _number(stated: Any) -> float | None:
    if isinstance(stated, bool) or not isinstance(stated, int | float) or not math.isfinite(stated):
        return None
    return float(stated)


def _text(stated: Any) -> str:
    return one_line(stated, 100) if isinstance(stated, str) else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
