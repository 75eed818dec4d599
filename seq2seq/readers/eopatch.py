"""Reads `formats.EOPatch`: each date of the features is a layer, placed by the patch's bounding box."""

import json
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from seq2seq.bands import S1_ORDER_BY_COUNT, S2_ORDER_BY_COUNT
from seq2seq.errors import InputError, MisalignedGridsError, MissingDataError, UnknownBandsError, UnreadableFileError
from seq2seq.readers.assembling import assemble
from seq2seq.readers.base import Member, Root
from seq2seq.readers.contents import Contents, Header, Window
from seq2seq.readers.formats.eopatch import has_pickles, is_feature
from seq2seq.readers.gdal_file import check_size
from seq2seq.readers.images import fingerprint
from seq2seq.readers.layers import Layer, Sensor
from seq2seq.readers.npy import NpyArray, open_npy, plain
from seq2seq.readers.unread import EOPATCH_PICKLES
from seq2seq.wording import listed

_MAX_FACT_BYTES = 2**20
_MAX_DATES = 4000
_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ].*)?")
_EPSG = re.compile(r"(?i)(?:urn:ogc:def:crs:EPSG:[\d.]*:|EPSG:)(\d{4,6})")
_CRS84 = re.compile(r"(?i)urn:ogc:def:crs:OGC:[\d.]*:CRS84")
_RADAR = re.compile(r"(?i)(?<![A-Z0-9])(?:S1|SENTINEL-?1)(?![0-9])")
# Of several features with as many bands as a product has, those that are called like one come first.
_PREFERRED = (re.compile(r"(?i)BANDS.*S2|S2.*BANDS"), re.compile(r"(?i)BANDS"), re.compile(r"(?i)L[12][AC]"))
_MASKS: tuple[tuple[Sensor, str], ...] = (("MASK", "CLM"), ("SCL", "SCL"))
_HAS_DATA = ("IS_DATA", "dataMask", "IS_VALID")
_ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class PatchDate:
    """One date of a feature, (T, H, W, C). has_data: a mask of 0 where there is none, of the same dates."""

    header: Header
    array: NpyArray
    index: int
    has_data: NpyArray | None = None

    def read(self, window: Window) -> NDArray[Any]:
        """(C, h, w) values, the header's no-data value where there are none."""
        rows, columns = window.slices
        stored = self.array.mapped()[self.index, rows, columns]  # (h, w, C)
        values = np.array(np.moveaxis(stored, -1, 0), dtype=self.header.dtype)
        if self.header.nodata is None:
            return values
        empty = (values == 0).all(axis=0)
        if self.has_data is not None:
            empty = np.asarray(self.has_data.mapped()[self.index, rows, columns, 0] == 0)
        values[:, empty] = self.header.nodata
        return values


@dataclass(frozen=True)
class _Patch:
    """The facts that all features share. features: by folder and name."""

    name: str
    days: tuple[np.datetime64, ...]
    outline: tuple[float, float, float, float]
    crs: str
    features: dict[tuple[str, str], NpyArray]

    def layers(self, sensor: Sensor, feature: NpyArray, bands: Sequence[str], nodata: float | None) -> Iterator[Layer]:
        """One layer a date."""
        _, height, width, _ = feature.shape
        west, south, east, north = self.outline
        place = Affine((east - west) / width, 0, west, 0, (south - north) / height, north)
        header = Header(
            name=feature.name,
            date=self.days[0],
            geobox=GeoBox((height, width), place, self.crs),
            dtype="uint8" if feature.dtype.kind == "b" else feature.dtype.newbyteorder("=").name,
            descriptions=tuple(bands),
            nodata=nodata,
            scales=(1.0,) * len(bands),
            offsets=(0.0,) * len(bands),
            chunk=(min(height, _ROWS_AT_ONCE), width),
        )
        has_data = self._has_data(feature) if sensor == "S2" else None
        for index, day in enumerate(self.days):
            called = replace(header, date=day, name=f"{feature.name}, {day}")
            yield Layer(sensor, PatchDate(called, feature, index, has_data))

    def _has_data(self, feature: NpyArray) -> NpyArray | None:
        masks = [self.features["mask", name] for name in _HAS_DATA if ("mask", name) in self.features]
        return next((mask for mask in masks if mask.shape[:3] == feature.shape[:3]), None)


@contextmanager
def open_patch(root: Root) -> Iterator[Contents]:
    """Reads the headers of all arrays. Raises `InputError`s."""
    folders = sorted({_patch_folder(PurePosixPath(member.name)) for member in root.members})
    if len(folders) > 1:
        raise InputError(f"{root.name}: holds {len(folders)} EOPatches ({listed(folders)}); give each by itself")
    if has_pickles(root.others):
        raise UnreadableFileError(f"{root.name}: {EOPATCH_PICKLES}")
    with plain(root.members) as members:
        patch = _patch(members, root.name)
        bands, said = _bands(patch)
        layers = list(patch.layers("S2", bands, S2_ORDER_BY_COUNT[bands.shape[-1]], _nodata(bands)))
        layers += _radar(patch)
        for sensor, kind in _MASKS:
            mask = patch.features.get(("mask", kind))
            if mask is not None and mask.shape[-1] == 1:
                layers += patch.layers(sensor, mask, (kind,), None)
        yield assemble(layers, name=root.name, fingerprint=fingerprint(_named(members)), warnings=said)


def _patch(members: Sequence[Member], name: str) -> _Patch:
    facts = {PurePosixPath(member.name).name: member for member in members}
    timestamps = facts.get("timestamps.json") or facts.get("timestamp.json")
    if timestamps is None or "bbox.geojson" not in facts:
        lacking, what = ("timestamps.json", "dates") if timestamps is None else ("bbox.geojson", "place")
        raise MissingDataError(f"{name}: an EOPatch without {lacking} has no {what}", file=lacking)
    days = _days(_json(timestamps), timestamps.name)
    outline, crs = _place(_json(facts["bbox.geojson"]), facts["bbox.geojson"].name)
    features = {}
    for member in members:
        path = PurePosixPath(member.name)
        if is_feature(path):
            features[path.parts[-2], path.stem] = _feature(open_npy(member.path, name=member.name), len(days))
    return _Patch(name, days, outline, crs, features)


def _feature(array: NpyArray, dates: int) -> NpyArray:
    if len(array.shape) != 4 or array.shape[0] != dates or 0 in array.shape:
        raise UnreadableFileError(
            f"{array.name}: has shape {array.shape}, expected {dates} dates x rows x columns x bands", file=array.name
        )
    check_size(array.shape[2], array.shape[1], array.name)
    return array


def _bands(patch: _Patch) -> tuple[NpyArray, list[str]]:
    """The feature that holds Sentinel-2, and which others would have done. Raises `UnknownBandsError`."""
    data = {name: array for (folder, name), array in patch.features.items() if folder == "data"}
    fitting = [name for name, array in data.items() if array.shape[-1] in S2_ORDER_BY_COUNT and not _RADAR.search(name)]
    if not fitting:
        there = ", ".join(f"{name} ({array.shape[-1]} bands)" for name, array in sorted(data.items())) or "nothing"
        counts = ", ".join(map(str, sorted(S2_ORDER_BY_COUNT)))
        raise UnknownBandsError(
            f"{patch.name}: no feature in data/ has the bands of Sentinel-2, an order is known for {counts} bands; "
            f"it holds {there}"
        )
    fitting.sort(key=lambda name: [*(not pattern.search(name) for pattern in _PREFERRED), name])
    said = f"of several features, {fitting[0]} is read, and not {listed(fitting[1:])}"
    return data[fitting[0]], [said] if len(fitting) > 1 else []


def _radar(patch: _Patch) -> list[Layer]:
    """Sentinel-1 in a feature that is called so, on the patch's dates."""
    for (folder, name), array in sorted(patch.features.items()):
        if folder == "data" and _RADAR.search(name) and array.shape[-1] in S1_ORDER_BY_COUNT:
            return list(patch.layers("S1", array, S1_ORDER_BY_COUNT[array.shape[-1]], _nodata(array)))
    return []


def _nodata(array: NpyArray) -> float:
    return math.nan if array.dtype.kind == "f" else 0.0


def _patch_folder(path: PurePosixPath) -> str:
    folder = path.parent.parent if is_feature(path) else path.parent
    return folder.as_posix()


def _named(members: Sequence[Member]) -> list[Member]:
    """Under the names that they have in the patch, wherever that lies."""
    named = []
    for member in members:
        path = PurePosixPath(member.name)
        named.append(Member("/".join(path.parts[-2:] if is_feature(path) else path.parts[-1:]), member.path))
    return named


def _json(member: Member) -> Any:
    with member.path.open("rb") as file:
        content = file.read(_MAX_FACT_BYTES + 1)
    try:
        if len(content) > _MAX_FACT_BYTES:
            raise ValueError(f"more than {_MAX_FACT_BYTES:,} bytes")
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnreadableFileError(f"{member.name}: not readable JSON ({error})", file=member.name) from error


def _days(stated: Any, name: str) -> tuple[np.datetime64, ...]:
    """(T,) UTC days."""
    if not isinstance(stated, list) or not 0 < len(stated) <= _MAX_DATES:
        raise UnreadableFileError(f"{name}: holds no list of 1 to {_MAX_DATES} dates", file=name)
    days = []
    for text in stated:
        found = _DAY.fullmatch(str(text)[:40])
        try:
            days.append(np.datetime64(found[1] if found else "", "D"))
            if not found:
                raise ValueError
        except ValueError:
            raise UnreadableFileError(f"{name}: {str(text)[:40]!r} is no date", file=name) from None
    return tuple(days)


def _place(stated: Any, name: str) -> tuple[tuple[float, float, float, float], str]:
    """(west, south, east, north) of the box, and its CRS: degrees where none is stated, as GeoJSON wants it."""
    while isinstance(stated, dict) and stated.get("type") in ("Feature", "FeatureCollection"):
        inner = stated.get("geometry") or next(iter(stated.get("features") or []), None)
        stated = {"crs": stated.get("crs"), **inner} if isinstance(inner, dict) else inner
    try:
        points = np.asarray(stated["coordinates"][0], dtype=float)[:, :2]
        (west, south), (east, north) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        crs = stated.get("crs") or {"properties": {"name": "EPSG:4326"}}
        text = str(crs["properties"]["name"])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise UnreadableFileError(f"{name}: holds no polygon of a bounding box", file=name) from error
    if not (np.isfinite(points).all() and west < east and south < north):
        raise MisalignedGridsError(f"{name}: its box ({west:g}, {south:g}, {east:g}, {north:g}) has no size", file=name)
    if _CRS84.fullmatch(text):
        return (west, south, east, north), "EPSG:4326"
    found = _EPSG.fullmatch(text)
    if not found:
        raise MisalignedGridsError(f"{name}: CRS {text[:60]!r} is not understood; expected EPSG:number", file=name)
    return (west, south, east, north), _known_crs(int(found[1]), name)


def _known_crs(code: int, name: str) -> str:
    try:
        GeoBox((1, 1), Affine.identity(), f"EPSG:{code}")
    except Exception as error:  # pyproj has its own tree; whatever it dislikes, the CRS is the user's
        raise MisalignedGridsError(f"{name}: there is no EPSG:{code}", file=name) from error
    return f"EPSG:{code}"
