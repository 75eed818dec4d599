"""NetCDF 4 as what it is, HDF5, opened so that a hostile file reaches nothing but itself.

HDF5 follows links into other files, reads values from raw files, maps datasets of other files into one, and loads
filters as plug-ins. None of that is needed: only what lies in the file itself is opened, attributes are read by name
and after a look at their size, and chunks are taken as they are stored and decoded by `decoding`.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.errors import UnreadableFileError
from seq2seq.readers.cubes.arrays import MAX_ARRAYS, Array, Group, Region
from seq2seq.readers.cubes.decoding import inflate, unshuffle, without_sum
from seq2seq.readers.cubes.hdf5_files import OpenFiles, guarded

MAGIC = b"\x89HDF\r\n\x1a\n"
_CLASSIC = b"CDF"
_ATTRIBUTE_BYTES, _ATTRIBUTE_ITEMS = 2**16, 64
_TEXT_BYTES = 2**20
_DEEPEST_GROUP = 3
# Read by HDF5 itself where they occur, for they cannot grow much: SZIP and LZF.
_SZIP, _LZF = 4, 32000
_BOUNDED = frozenset({_SZIP, _LZF})
_DEFLATE, _SHUFFLE, _FLETCHER32 = 1, 2, 3
_NO_COORDINATES = "This is a netCDF dimension but not a netCDF variable"

WANTED = (
    *("units", "calendar", "axis", "standard_name", "scale_factor", "add_offset", "_FillValue", "missing_value"),
    *("_Unsigned", "nodata", "grid_mapping", "crs_wkt", "spatial_ref", "GeoTransform", "crs", "epsg", "transform"),
    *("CLASS", "NAME", "DIMENSION_LIST", "proj:epsg", "proj:code", "proj:wkt2", "proj:transform"),
)


def open_hdf5(path: Path, *, name: str, files: OpenFiles) -> list[Group]:
    """All groups of the file, its own first. Raises `UnreadableFileError`."""
    import h5py

    _check_magic(path, name)
    with guarded(name):
        root = h5py.h5g.open(files.get(path), b"/")
        return list(_File(path, name, files).groups(root, "", None, {}, set()))


def _check_magic(path: Path, name: str) -> None:
    try:
        with path.open("rb") as stream:
            start = stream.read(8)
    except OSError as error:
        raise UnreadableFileError(f"{name}: cannot be opened ({error.strerror})", file=name) from error
    if start.startswith(_CLASSIC):
        raise UnreadableFileError(
            f"{name}: is classic NetCDF (3), which is not read; make NetCDF 4 of it: nccopy -k netCDF-4 -d 4 OLD NEW, "
            "or xarray's to_netcdf",
            file=name,
        )
    if start != MAGIC:
        what = "is empty (0 bytes)" if not start else f"is no NetCDF 4, its first bytes are {start!r}"
        raise UnreadableFileError(f"{name}: {what}", file=name)


@dataclass(frozen=True, eq=False)
class _File:
    """A file's groups, as values that know how to read it again."""

    path: Path
    name: str
    files: OpenFiles

    def groups(
        self, opened: Any, path: str, parent: Group | None, scales: Mapping[int, str], seen: set[int]
    ) -> Iterator[Group]:
        """A group and those within, each once, for a group can lie in itself. path: ends in a slash but for the file's
        own. scales: names by address. seen: addresses of groups."""
        import h5py

        seen.add(h5py.h5o.get_info(opened).addr)
        objects = {name: h5py.h5o.open(opened, name.encode()) for name in self._own(opened, path)}
        datasets = {name: one for name, one in objects.items() if isinstance(one, h5py.h5d.DatasetID)}
        scales = {**scales, **{h5py.h5o.get_info(one).addr: name for name, one in datasets.items()}}
        arrays = {name: self._array(one, path + name, scales) for name, one in datasets.items()}
        there = {name: one for name, one in arrays.items() if one is not None}
        group = Group(path.rstrip("/"), there, self._attributes(opened, path or "the file"), parent)
        yield group
        if path.count("/") < _DEEPEST_GROUP:
            for name, one in objects.items():
                if isinstance(one, h5py.h5g.GroupID) and h5py.h5o.get_info(one).addr not in seen:
                    yield from self.groups(one, f"{path}{name}/", group, scales, seen)

    def _own(self, opened: Any, path: str) -> list[str]:
        """Names of what lies in a group; nothing else may be pointed to from it."""
        import h5py

        count = opened.get_num_objs()
        if count > MAX_ARRAYS:
            raise self._refused(f"holds {count:,} variables, at most {MAX_ARRAYS:,} are allowed")
        names = []
        for raw in opened:
            name = raw.decode()
            kind = opened.links.get_info(raw).type
            if kind != h5py.h5l.TYPE_HARD:
                where = "within the file" if kind == h5py.h5l.TYPE_SOFT else "to another file"
                raise self._refused(f"'{path}{name}' is a link {where}, which is not followed; copy what it points to")
            names.append(name)
        return names

    def _array(self, dataset: Any, path: str, scales: Mapping[int, str]) -> Array | None:
        """What is known of a dataset; None for a dimension that has no coordinates."""
        import h5py

        creation = dataset.get_create_plist()
        if creation.get_layout() == h5py.h5d.VIRTUAL:
            raise self._refused(f"'{path}' is virtual, made of datasets of other files, which are not opened")
        if creation.get_external_count():
            raise self._refused(f"'{path}' has its values in another file, which is not opened")
        attributes = self._attributes(dataset, path)
        if str(attributes.get("NAME", "")).startswith(_NO_COORDINATES):
            return None
        filters = [creation.get_filter(index) for index in range(creation.get_nfilters())]
        kind = _kind(dataset)
        dtype = dataset.dtype.newbyteorder("=") if kind == "numbers" else None
        chunked = creation.get_layout() == h5py.h5d.CHUNKED
        return Array(
            file=self.name,
            name=path,
            dims=self._dims(dataset, path, attributes, scales),
            shape=tuple(dataset.shape),
            dtype=dtype,
            kind=kind,
            chunks=tuple(creation.get_chunk()) if chunked and dtype is not None else None,
            fill=_fill(creation, dtype),
            attributes={key: value for key, value in attributes.items() if key != "DIMENSION_LIST"},
            load=lambda region: self._load(path, filters, region),
        )

    def _dims(
        self, dataset: Any, path: str, attributes: Mapping[str, Any], scales: Mapping[int, str]
    ) -> tuple[str, ...]:
        import h5py

        listed = attributes.get("DIMENSION_LIST")
        if listed is None:
            own = path.rsplit("/", 1)[-1]
            is_scale = attributes.get("CLASS") == "DIMENSION_SCALE" and len(dataset.shape) == 1
            return (own,) if is_scale else ("",) * len(dataset.shape)
        found = [h5py.h5r.dereference(each[0], dataset) if len(each) else None for each in listed]
        names = ["" if one is None else scales.get(h5py.h5o.get_info(one).addr, "") for one in found]
        return tuple(names) if len(names) == len(dataset.shape) else ("",) * len(dataset.shape)

    def _attributes(self, opened: Any, place: str) -> dict[str, Any]:
        """Those that are wanted, as far as they are there and small."""
        import h5py

        values = h5py.AttributeManager(_Identified(opened))
        found = {}
        for name in WANTED:
            if not h5py.h5a.exists(opened, name.encode()):
                continue
            attribute = h5py.h5a.open(opened, name.encode())
            if attribute.get_storage_size() > _ATTRIBUTE_BYTES or math.prod(attribute.shape) > _ATTRIBUTE_ITEMS:
                raise self._refused(f"attribute {name} of {place} is too large to be one")
            found[name] = plain(values[name])
        return found

    def _load(self, path: str, filters: list[Any], region: Region) -> NDArray[Any] | None:
        """A region of what is not chunked, or that of one chunk; None where nothing was ever written."""
        import h5py

        with guarded(f"{self.name}, {path}"):
            dataset = h5py.h5d.open(self.files.get(self.path), path.encode())
            creation, is_text = dataset.get_create_plist(), _kind(dataset) != "numbers"
            self._check_filters(path, filters)
            if (
                is_text
                and max(dataset.get_storage_size(), dataset.get_type().get_size() * math.prod(dataset.shape))
                > _TEXT_BYTES
            ):
                raise self._refused(f"'{path}' holds more text than names take")
            if creation.get_layout() != h5py.h5d.CHUNKED or is_text:
                return np.asarray(h5py.Dataset(dataset)[region]) if dataset.get_storage_size() else None
            stored = dataset.get_chunk_info_by_coord(tuple(part.start for part in region))
            if stored.byte_offset is None:
                return None
            codes = [code for index, (code, *_) in enumerate(filters) if not stored.filter_mask >> index & 1]
            shape = tuple(creation.get_chunk())
            size = math.prod(shape) * dataset.dtype.itemsize
            if stored.size > size + 4096:
                raise ValueError(f"a chunk of {size:,} bytes is stored in {stored.size:,}")
            _, values = dataset.read_direct_chunk(tuple(part.start for part in region))
            if _BOUNDED & set(codes):
                if _stated_size(filters, values) > size:
                    raise ValueError(f"a chunk of {size:,} bytes states {_stated_size(filters, values):,}")
                return np.asarray(h5py.Dataset(dataset)[region])
            pixels = np.frombuffer(_decoded(values, codes, size, dataset.dtype.itemsize), dtype=dataset.dtype)
            inside = tuple(slice(0, part.stop - part.start) for part in region)
            return pixels.reshape(shape)[inside].astype(dataset.dtype.newbyteorder("="))

    def _check_filters(self, path: str, filters: list[Any]) -> None:
        for code, _, _, label in filters:
            if code not in _BOUNDED | {_DEFLATE, _SHUFFLE, _FLETCHER32}:
                name = bytes(label or b"").decode("ascii", "replace")[:60] or "unnamed"
                raise self._refused(
                    f"'{path}' is packed by HDF5's filter {code} ({name}), a plug-in, which is not loaded; pack it "
                    "with gzip (nccopy -d 4, or xarray's to_netcdf with zlib)"
                )

    def _refused(self, words: str) -> UnreadableFileError:
        return UnreadableFileError(f"{self.name}: {words}", file=self.name)


@dataclass(frozen=True)
class _Identified:
    """As much of a high-level object as its attributes need."""

    id: Any


def plain(value: Any) -> Any:
    """An attribute as text, number or list, whatever it was stored as."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        return plain(value.reshape(-1)[0]) if value.size == 1 else [plain(one) for one in value.tolist()]
    if isinstance(value, np.ndarray) and value.size == 1 and isinstance(value.reshape(-1)[0], str | bytes):
        return plain(value.reshape(-1)[0])
    return value.item() if isinstance(value, np.generic) else value


def _decoded(stored: bytes, codes: list[int], size: int, itemsize: int) -> bytes:
    """Without its filters, the last first. The sizes between are known: none but checksums change them."""
    for index, code in reversed(list(enumerate(codes))):
        between = size + 4 * codes[:index].count(_FLETCHER32)
        if code == _DEFLATE:
            stored = inflate(stored, between)
        elif code == _SHUFFLE:
            stored = unshuffle(stored, between, itemsize=itemsize)
        else:
            stored = without_sum(stored, between)
    if len(stored) != size:
        raise ValueError(f"a chunk holds {len(stored):,} of {size:,} bytes")
    return stored


def _stated_size(filters: list[Any], stored: bytes) -> int:
    """What HDF5's SZIP and LZF make room for before they decode: the chunk's first bytes, and a setting."""
    by_setting = [values[2] for code, _, values, _ in filters if code == _LZF and len(values) > 2]
    by_chunk = [int.from_bytes(stored[:4], "little") for code, *_ in filters if code == _SZIP]
    return int(max([0, *by_setting, *by_chunk]))


def _kind(dataset: Any) -> str:
    import h5py

    stored = dataset.get_type()
    kinds = {h5py.h5t.INTEGER: "numbers", h5py.h5t.FLOAT: "numbers", h5py.h5t.STRING: "text"}
    others = {
        h5py.h5t.COMPOUND: "records",
        h5py.h5t.VLEN: "lists",
        h5py.h5t.REFERENCE: "references",
        h5py.h5t.OPAQUE: "opaque bytes",
        h5py.h5t.ENUM: "names",
        h5py.h5t.ARRAY: "arrays",
    }
    return {**kinds, **others}.get(stored.get_class(), "something")


def _fill(creation: Any, dtype: "np.dtype[Any] | None") -> Any:
    if dtype is None:
        return None
    value = np.zeros((), dtype=dtype)
    creation.get_fill_value(value)
    return value[()]
