"""EOPF products of Sentinel-2, the successor of SAFE: one date each, a group for each resolution, lower-case bands.

Masks of quality are called after bands too, so only reflectance and the scene classification are looked at. Their scale
and offset are attributes as CF has them, and reflectance is what they make of the numbers: nothing is shifted again.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seq2seq.errors import UnreadableFileError
from seq2seq.readers.composed import select
from seq2seq.readers.cubes.arrays import Group, RegionCache
from seq2seq.readers.cubes.reading import Findings, read_group
from seq2seq.readers.names import parse_date

_REFLECTANCE = "measurements/reflectance"
_CLASSES = "conditions/mask/l2a_classification"
_S1 = ("S01", "S1A", "S1B", "S1C", "S1D")


def recognises(groups: Sequence[Group]) -> bool:
    """True for a store with measurements as EOPF has them, of whatever satellite."""
    return any(group.path == "measurements" or group.path.endswith("/measurements") for group in groups)


def read_product(groups: Sequence[Group], *, name: str, cache: RegionCache, found: Findings) -> None:
    """Adds the layers of one product. Raises `UnreadableFileError` for one of another satellite."""
    if not any(_lies_in(group, _REFLECTANCE) for group in groups):
        hint = (
            "; EOPF's Sentinel-1 GRD is in radar geometry: get terrain-corrected backscatter (openEO sar_backscatter, "
            "Planetary Computer RTC, HyP3)"
            if any(word in name.upper() for word in _S1)
            else ""
        )
        raise UnreadableFileError(f"{name}: an EOPF product without {_REFLECTANCE}{hint}", file=name)
    date, own = _date(groups[0], name), Findings()
    for group in groups:
        if _lies_in(group, _REFLECTANCE) or _lies_in(group, _CLASSES):
            read_group(group, name=name, cache=cache, found=own, date=date)
    # a band each: of coarse groups some bands are used, and each is resampled by itself
    found.layers += [
        replace(layer, raster=select(layer.raster, [index]))
        for layer in own.layers
        for index in range(len(layer.bands))
    ]
    for words in own.said:
        found.say(words)


def _lies_in(group: Group, path: str) -> bool:
    return group.path == path or group.path.startswith(f"{path}/")


def _date(product: Group, name: str) -> np.datetime64:
    """The acquisition's day as the product states it in its STAC metadata, else as its name has it."""
    stac: Any = product.attributes.get("stac_discovery")
    properties = stac.get("properties") if isinstance(stac, dict) else None
    for key in ("datetime", "start_datetime"):
        stated = properties.get(key) if isinstance(properties, dict) else None
        if isinstance(stated, str):
            try:
                return np.datetime64(stated[:10], "D")
            except ValueError:
                continue
    return parse_date(name.rsplit("/", 1)[-1], name=name)
