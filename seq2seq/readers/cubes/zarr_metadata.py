"""Metadata of Zarr arrays, versions 2 and 3, as far as it is needed and may be trusted: which chunks, which codecs.

Only codecs that turn bytes into as many bytes as are known before are read: no pickles, no objects, no plug-ins.
"""

import base64
import json
import math
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seq2seq.errors import UnreadableFileError
from seq2seq.readers.cubes.decoding import Decoder, decoder

MAX_JSON_BYTES = 2**24
_MOST_AXES = 6
_NUMBERS = re.compile(r"[<>|=]?(?:[iu][1248]|f[248]|b1|M8\[(?:ns|us|ms|s|m|h|D)\])")
_TEXTS = re.compile(r"[<>|=]?[US]\d{1,4}")
_TYPES_3 = {
    **{name: name for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")},
    "float16": "f2",
    "float32": "f4",
    "float64": "f8",
    "bool": "b1",
}
_COMPRESSORS = frozenset({"blosc", "zstd", "lz4", "gzip", "zlib", "bz2"})


@dataclass(frozen=True)
class Shards:
    """Chunks that lie together in one piece, behind or before an index. shape: of all together."""

    shape: tuple[int, ...]
    at_end: bool
    has_sum: bool


@dataclass(frozen=True, eq=False)
class ArraySpec:
    """One array. dtype: as stored; None for text of any length. stages: names and decoders, the last applied first.

    order: the axes as stored, None where as they are. key: the name of a chunk by its index.
    """

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: "np.dtype[Any] | None"
    fill: Any
    dims: tuple[str, ...]
    attributes: Mapping[str, Any]
    stages: tuple[tuple[str, Decoder], ...]
    key: Callable[[tuple[int, ...]], str]
    order: tuple[int, ...] | None = None
    shards: Shards | None = None
    problem: str = field(default="")


def parse_json(text: bytes, place: str) -> dict[str, Any]:
    """A JSON object. Raises `UnreadableFileError`."""
    if len(text) > MAX_JSON_BYTES:
        raise UnreadableFileError(f"{place}: has more than {MAX_JSON_BYTES:,} bytes of metadata")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableFileError(f"{place}: is no JSON ({str(error)[:100]})") from error
    if not isinstance(value, dict):
        raise UnreadableFileError(f"{place}: is no JSON object")
    return value


def spec_2(stated: Mapping[str, Any], attributes: Mapping[str, Any], place: str) -> ArraySpec:
    """Of `.zarray` and `.zattrs`. What cannot be read is its `problem`. Raises `UnreadableFileError` for nonsense."""
    shape, chunks = _lengths(stated.get("shape"), place, 0), _lengths(stated.get("chunks"), place, 1)
    separator = "/" if stated.get("dimension_separator") == "/" else "."
    codecs = [one for one in [*(stated.get("filters") or []), stated.get("compressor")] if one]
    named = [(str(one.get("id")), one) for one in codecs if isinstance(one, dict)]
    dtype, problem = _dtype_2(stated.get("dtype"), [name for name, _ in named])
    stages, wrong = _stages([one for one in named if one[0] != "vlen-utf8"], dtype)
    fill = stated.get("fill_value")
    if fill is not None and len(shape) > 1 and "_FillValue" not in attributes:
        attributes = {**attributes, "_FillValue": fill}
    return ArraySpec(
        shape=shape,
        chunks=_same_length(chunks, shape, place),
        dtype=dtype,
        fill=_fill(fill, dtype),
        dims=_dims(attributes.get("_ARRAY_DIMENSIONS"), attributes, len(shape)),
        attributes=_attributes(attributes, dtype),
        stages=stages,
        key=lambda index: separator.join(map(str, index)) if index else "0",
        order=tuple(reversed(range(len(shape)))) if stated.get("order") == "F" else None,
        problem=problem or wrong,
    )


def spec_3(stated: Mapping[str, Any], place: str) -> ArraySpec:
    """Of a `zarr.json` of an array. What cannot be read is its `problem`. Raises `UnreadableFileError` for nonsense."""
    attributes = stated.get("attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    shape = _lengths(stated.get("shape"), place, 0)
    chunks = _same_length(_lengths(_configuration(stated.get("chunk_grid")).get("chunk_shape"), place, 1), shape, place)
    dtype, problem = _dtype_3(stated.get("data_type"))
    named = [(str(one.get("name")), _configuration(one)) for one in stated.get("codecs") or [] if isinstance(one, dict)]
    shards = None
    if [name for name, _ in named] == ["sharding_indexed"]:
        sharding = named[0][1]
        shards, chunks = _shards(sharding, chunks, place), _lengths(sharding.get("chunk_shape"), place, 1)
        named = [(str(one.get("name")), _configuration(one)) for one in sharding.get("codecs") or []]
        if any(outer % inner for outer, inner in zip(shards.shape, _same_length(chunks, shape, place), strict=True)):
            problem = problem or "in shards that are no whole chunks"
    order = next((config.get("order") for name, config in named if name == "transpose"), None)
    endian = next((config.get("endian", "little") for name, config in named if name == "bytes"), "little")
    if dtype is not None and endian == "big":
        dtype = dtype.newbyteorder(">")
    packed = [one for one in named if one[0] not in ("bytes", "transpose", "vlen-utf8")]
    stages, wrong = _stages([(name.removeprefix("numcodecs."), config) for name, config in packed], dtype)
    if order is not None and sorted(order) != list(range(len(shape))):
        raise UnreadableFileError(f"{place}: its axes are stored in no order")
    return ArraySpec(
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        fill=_fill(stated.get("fill_value"), dtype),
        dims=_dims(stated.get("dimension_names"), attributes, len(shape)),
        attributes=_attributes(attributes, dtype),
        stages=stages,
        key=_key_3(stated.get("chunk_key_encoding")),
        order=None if order is None else tuple(order),
        shards=shards,
        problem=problem or wrong,
    )


def _configuration(stated: Any) -> Mapping[str, Any]:
    found = stated.get("configuration") if isinstance(stated, dict) else None
    return found if isinstance(found, dict) else {}


def _lengths(stated: Any, place: str, least: int) -> tuple[int, ...]:
    whole = isinstance(stated, list) and all(type(one) is int and least <= one < 2**48 for one in stated)
    if not whole or len(stated) > _MOST_AXES:
        raise UnreadableFileError(f"{place}: its shape or chunks are {str(stated)[:60]}")
    return tuple(stated)


def _same_length(chunks: tuple[int, ...], shape: tuple[int, ...], place: str) -> tuple[int, ...]:
    if len(chunks) != len(shape):
        raise UnreadableFileError(f"{place}: has {len(shape)} axes, and chunks of {len(chunks)}")
    return chunks


def _dtype_2(stated: Any, filters: list[str]) -> "tuple[np.dtype[Any] | None, str]":
    """The type of numbers or of text of fixed length; None with a problem, or without one for text of any length."""
    if isinstance(stated, str) and (_NUMBERS.fullmatch(stated) or _TEXTS.fullmatch(stated)):
        return np.dtype(stated.replace("b1", "u1")), ""
    if stated == "|O":
        kept = [name for name in filters if name in ("vlen-utf8",)]
        return None, "" if kept else f"objects ({', '.join(filters) or 'pickled'})"
    return None, f"values of type {str(stated)[:60]}"


def _dtype_3(stated: Any) -> "tuple[np.dtype[Any] | None, str]":
    name = stated.get("name") if isinstance(stated, dict) else stated
    config = _configuration(stated)
    if isinstance(name, str) and name in _TYPES_3:
        return np.dtype(_TYPES_3[name].replace("b1", "u1")), ""
    if name in ("string", "variable_length_utf8"):
        return None, ""
    length = config.get("length_bytes")
    if name in ("fixed_length_utf32", "null_terminated_bytes") and type(length) is int and 0 < length <= 4096:
        return np.dtype(f"<U{length // 4}" if name == "fixed_length_utf32" else f"S{length}"), ""
    if name == "numpy.datetime64" and config.get("unit") in ("ns", "us", "ms", "s", "m", "h", "D"):
        return np.dtype(f"<M8[{config['unit']}]"), ""
    return None, f"values of type {str(name)[:60]}"


def _stages(named: list[tuple[str, Mapping[str, Any]]], dtype: "np.dtype[Any] | None") -> Any:
    """Decoders in the order of storing, and what is wrong with them."""
    itemsize = dtype.itemsize if dtype is not None else 1
    stages = [(name, decoder(name, config, itemsize)) for name, config in named]
    unknown = [name for name, found in stages if found is None]
    if unknown:
        return (), f"packed by {', '.join(unknown)[:80]}, which is not read; pack it with zstd, blosc or gzip"
    names = [name for name, _ in stages]
    packed = next((index for index, name in enumerate(names) if name in _COMPRESSORS), len(names))
    if any(name != "crc32c" for name in names[packed + 1 :]):
        return (), f"packed twice ({', '.join(names)[:80]}), which is not read"
    return tuple(stages), ""


def _shards(stated: Mapping[str, Any], shape: tuple[int, ...], place: str) -> Shards:
    names = [str(one.get("name")) for one in stated.get("index_codecs") or [] if isinstance(one, dict)]
    if names not in (["bytes"], ["bytes", "crc32c"]):
        raise UnreadableFileError(f"{place}: the index of its shards is packed by {', '.join(names)[:60]}")
    return Shards(shape, stated.get("index_location", "end") != "start", "crc32c" in names)


def _key_3(stated: Any) -> Callable[[tuple[int, ...]], str]:
    old = isinstance(stated, dict) and stated.get("name") == "v2"
    given = _configuration(stated).get("separator")
    separator = given if given in (".", "/") else ("." if old else "/")
    if old:
        return lambda index: separator.join(map(str, index)) if index else "0"
    return lambda index: separator.join(["c", *map(str, index)])


def _dims(stated: Any, attributes: Mapping[str, Any], count: int) -> tuple[str, ...]:
    eopf = attributes.get("_eopf_attrs")
    for names in (
        stated,
        attributes.get("_ARRAY_DIMENSIONS"),
        (eopf or {}).get("dimensions") if isinstance(eopf, dict) else None,
    ):
        if isinstance(names, list) and len(names) == count:
            return tuple(name if isinstance(name, str) else "" for name in names)
    return ("",) * count


def _attributes(stated: Mapping[str, Any], dtype: "np.dtype[Any] | None") -> dict[str, Any]:
    """With the scale that EOPF keeps apart, and a no-data value that is a number."""
    found = dict(stated)
    eopf = found.get("_eopf_attrs")
    if isinstance(eopf, dict) and "scale_factor" not in found:
        found |= {name: eopf[name] for name in ("scale_factor", "add_offset") if name in eopf}
    for name in ("_FillValue", "missing_value"):
        if isinstance(found.get(name), str):
            found[name] = _coded_number(found[name], dtype)
    return found


def _coded_number(text: str, dtype: "np.dtype[Any] | None") -> float | None:
    """A number that is written as text: NaN, or its bytes in base 64."""
    if text in ("NaN", "nan"):
        return math.nan
    try:
        raw = base64.b64decode(text, validate=True)
        if len(raw) == 8:
            return float(struct.unpack("<d", raw)[0])
        return float(np.frombuffer(raw, dtype=dtype)[0]) if dtype is not None and len(raw) == dtype.itemsize else None
    except ValueError:
        return None


def _fill(stated: Any, dtype: "np.dtype[Any] | None") -> Any:
    """What stands where nothing was written."""
    if dtype is None or dtype.kind in "US":
        return ""
    if isinstance(stated, str):
        special = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
        stated = special.get(stated, _coded_number(stated, dtype))
    if isinstance(stated, bool) or not isinstance(stated, int | float):
        stated = int(stated) if isinstance(stated, bool) else 0
    try:
        return np.asarray(stated).astype(dtype.newbyteorder("="))[()] if dtype.kind != "M" else np.datetime64("NaT")
    except (ValueError, OverflowError):
        return dtype.type(0)
