"""Groups of a Zarr store: metadata are read one by one, whether or not somebody consolidated them."""

import math
import struct
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.errors import UnreadableFileError
from seq2seq.readers.cubes.arrays import MAX_ARRAYS, MAX_CHUNK_BYTES, Array, Group, Region
from seq2seq.readers.cubes.zarr_metadata import MAX_JSON_BYTES, ArraySpec, parse_json, spec_2, spec_3
from seq2seq.readers.cubes.zarr_stores import Store

MARKERS = frozenset({".zgroup", ".zarray", ".zattrs", ".zmetadata", "zarr.json"})
_TEXT_BYTES = 2**20
_SHARD_CHUNKS = 2**20
_INDEXES = 64
_NOWHERE = 2**64 - 1


def roots(store: Store) -> list[str]:
    """The folders that are stores, "" for the whole: those with metadata that lie in no other."""
    there = _with_metadata(store)
    return sorted(path for path in there if not any(above in there for above in _above(path)))


def groups_of(store: Store, root: str, *, name: str) -> list[Group]:
    """All groups of one store, its own first. name: as messages call it. Raises `UnreadableFileError`."""
    nodes = dict(_nodes(store, root, name))
    arrays = {path: spec for path, spec in nodes.items() if isinstance(spec, ArraySpec)}
    paths = {"", *nodes, *(above for path in nodes for above in _above(path))} - set(arrays)
    groups: dict[str, Group] = {}
    for path in sorted(paths, key=lambda path: (path.count("/"), path)):  # those above first
        inside = {
            PurePosixPath(other).name: _array(store, root, other, spec, name)
            for other, spec in arrays.items()
            if other and _parent(other) == path
        }
        stated = nodes.get(path, {})
        parent = groups.get(_parent(path)) if path else None
        groups[path] = Group(path, inside, stated if isinstance(stated, dict) else {}, parent)
    return list(groups.values())


def _with_metadata(store: Store) -> set[str]:
    return {_parent(key) for key in store.keys if PurePosixPath(key).name in MARKERS}


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _above(path: str) -> Iterator[str]:
    while path:
        path = _parent(path)
        yield path


def _nodes(store: Store, root: str, name: str) -> Iterator[tuple[str, "ArraySpec | dict[str, Any]"]]:
    """Paths within the store, and the attributes of groups or what is known of arrays."""
    prefix = f"{root}/" if root else ""
    paths = sorted(path for path in _with_metadata(store) if path == root or path.startswith(prefix))
    if len(paths) > MAX_ARRAYS:
        raise UnreadableFileError(f"{name}: holds {len(paths):,} arrays, at most {MAX_ARRAYS:,} are allowed", file=name)
    for path in paths:
        within = path[len(prefix) :] if path != root else ""
        place = f"{name}, {within or 'the store'}"
        at = f"{path}/" if path else ""
        if f"{at}zarr.json" in store.keys:
            stated = _json(store, f"{at}zarr.json", place)
            if stated.get("node_type") == "array":
                yield within, spec_3(stated, place)
            else:
                attributes = stated.get("attributes")
                yield within, attributes if isinstance(attributes, dict) else {}
            continue
        attributes = _json(store, f"{at}.zattrs", place) if f"{at}.zattrs" in store.keys else {}
        if f"{at}.zarray" in store.keys:
            yield within, spec_2(_json(store, f"{at}.zarray", place), attributes, place)
        else:
            yield within, attributes


def _json(store: Store, key: str, place: str) -> dict[str, Any]:
    return parse_json(store.read(key, MAX_JSON_BYTES + 1), place)


def _array(store: Store, root: str, path: str, spec: ArraySpec, name: str) -> Array:
    at = f"{root}/{path}/" if root else f"{path}/"
    is_text = not spec.problem and (spec.dtype is None or spec.dtype.kind in "US")
    dtype = None if is_text or spec.problem or spec.dtype is None else spec.dtype.newbyteorder("=")
    return Array(
        file=name,
        name=path,
        dims=spec.dims,
        shape=spec.shape,
        dtype=dtype,
        kind="text" if is_text else spec.problem or "numbers",
        chunks=spec.chunks if dtype is not None else None,
        fill=spec.fill,
        attributes=spec.attributes,
        load=_Chunks(store, at, spec, f"{name}, {path}", name).load,
    )


@dataclass(frozen=True, eq=False)
class _Chunks:
    """The chunks of one array. at: where their names begin."""

    store: Store
    at: str
    spec: ArraySpec
    place: str
    file: str
    indexes: "OrderedDict[str, NDArray[np.uint64]]" = field(default_factory=OrderedDict)

    def load(self, region: Region) -> NDArray[Any] | None:
        """The values of one chunk inside the array, of text of the whole array; None where nothing was written."""
        try:
            if self.spec.dtype is None or self.spec.dtype.kind in "US":
                return self._text(region)
            index = tuple(part.start // size for part, size in zip(region, self.spec.chunks, strict=True))
            stored = self._stored(index)
            if stored is None:
                return None
            values = np.frombuffer(self._decoded(stored), dtype=self.spec.dtype)
            inside = tuple(slice(0, part.stop - part.start) for part in region)
            return self._ordered(values)[inside].astype(self.spec.dtype.newbyteorder("="))
        except (ValueError, struct.error, UnicodeDecodeError) as error:
            raise UnreadableFileError(
                f"{self.place}: a chunk is corrupt or truncated ({str(error)[:120]})", file=self.file
            ) from error

    def _ordered(self, values: NDArray[Any]) -> NDArray[Any]:
        if self.spec.order is None:
            return values.reshape(self.spec.chunks)
        stored = values.reshape([self.spec.chunks[axis] for axis in self.spec.order])
        return stored.transpose(np.argsort(self.spec.order))

    def _plain_bytes(self) -> int:
        assert self.spec.dtype is not None
        return math.prod(self.spec.chunks) * self.spec.dtype.itemsize

    def _decoded(self, stored: bytes) -> bytes:
        """The chunk's bytes, the last stage undone first: what is decompressed has a known size."""
        size, names = self._plain_bytes(), [name for name, _ in self.spec.stages]
        for index, (_, decode) in reversed(list(enumerate(self.spec.stages))):
            between = size + 4 * names[:index].count("crc32c")
            stored = decode(stored, between)
        if len(stored) != size:
            raise ValueError(f"{len(stored):,} of {size:,} bytes")
        return stored

    def _stored(self, index: tuple[int, ...]) -> bytes | None:
        most = min(MAX_CHUNK_BYTES, self._plain_bytes()) * 9 // 8 + 4096
        if self.spec.shards is not None:
            return self._from_shard(index, most)
        key = self.at + self.spec.key(index)
        if key not in self.store.keys:
            return None
        stored = self.store.read(key, most + 1)
        if len(stored) > most:
            raise ValueError(f"stored in more than {most:,} bytes")
        return stored

    def _from_shard(self, index: tuple[int, ...], most: int) -> bytes | None:
        assert self.spec.shards is not None
        inside = [outer // inner for outer, inner in zip(self.spec.shards.shape, self.spec.chunks, strict=True)]
        key = self.at + self.spec.key(tuple(one // count for one, count in zip(index, inside, strict=True)))
        if key not in self.store.keys:
            return None
        entries = self._index(key, math.prod(inside))
        number = int(np.ravel_multi_index([one % count for one, count in zip(index, inside, strict=True)], inside))
        start, length = (int(one) for one in entries[number])
        if start == length == _NOWHERE:
            return None
        if length > most or start + length > self.store.size(key):
            raise ValueError("the index of its shards points out of them")
        return self.store.read(key, length, start=start)

    def _index(self, key: str, count: int) -> NDArray[np.uint64]:
        """(N, 2) start and length of each chunk of a shard."""
        assert self.spec.shards is not None
        if count > _SHARD_CHUNKS:
            raise ValueError(f"{count:,} chunks in one shard")
        if key not in self.indexes:
            size = 16 * count + 4 * self.spec.shards.has_sum
            raw = self.store.read(key, size, start=-size if self.spec.shards.at_end else 0)
            if len(raw) != size:
                raise ValueError("a shard is shorter than its index")
            self.indexes[key] = np.frombuffer(raw[: 16 * count], dtype="<u8").reshape(count, 2)
            while len(self.indexes) > _INDEXES:
                self.indexes.popitem(last=False)
        return self.indexes[key]

    def _text(self, region: Region) -> NDArray[Any] | None:
        """Names of bands and the like: few, and in one chunk."""
        count = math.prod(self.spec.shape)
        key = self.at + self.spec.key((0,) * len(self.spec.shape))
        if key not in self.store.keys or self.spec.chunks < self.spec.shape:
            return None
        stored = self.store.read(key, _TEXT_BYTES)
        if self.spec.dtype is not None:
            if self._plain_bytes() > _TEXT_BYTES:
                raise ValueError("more text than names take")
            return np.frombuffer(self._decoded(stored), dtype=self.spec.dtype)[:count].reshape(self.spec.shape)
        for name, decode in reversed(self.spec.stages):
            stored = unpacked_text(name, decode, stored)
        return np.array(texts(stored), dtype=object)[:count].reshape(self.spec.shape)


def unpacked_text(name: str, decode: Any, stored: bytes) -> bytes:
    """Text of unknown length: a compressor that wants to know it is asked, or given room for the most there may be."""
    import bz2
    import zlib

    if name == "blosc":
        return bytes(decode(stored, min(_TEXT_BYTES, struct.unpack("<I", stored[4:8])[0])))
    if name == "lz4":
        return bytes(decode(stored, min(_TEXT_BYTES, struct.unpack("<I", stored[:4])[0])))
    if name in ("gzip", "zlib"):
        return zlib.decompressobj(wbits=47).decompress(stored, _TEXT_BYTES)
    if name == "bz2":
        return bz2.BZ2Decompressor().decompress(stored, _TEXT_BYTES)
    return bytes(
        decode(stored, _TEXT_BYTES if name == "zstd" else len(stored) - 4 if name == "crc32c" else len(stored))
    )


def texts(plain: bytes) -> list[str]:
    """Texts of any length, as numcodecs' vlen-utf8 stores them: their number, then length and bytes of each."""
    count = struct.unpack_from("<I", plain)[0]
    found, at = [], 4
    for _ in range(min(count, len(plain) // 4)):
        length = struct.unpack_from("<I", plain, at)[0]
        found.append(plain[at + 4 : at + 4 + length].decode("utf-8"))
        at += 4 + length
    return found
