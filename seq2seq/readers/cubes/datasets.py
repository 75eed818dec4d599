"""xarray objects as cubes: the same variables, axes and coordinates, in memory or lazily wherever they lie."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.errors import InputError
from seq2seq.readers.assembling import assemble
from seq2seq.readers.contents import Contents
from seq2seq.readers.cubes.arrays import Array, Group, Region, RegionCache
from seq2seq.readers.cubes.reading import Findings, read_groups

# What xarray takes out of the attributes when it decodes, and a cube needs.
_ENCODED = ("grid_mapping",)
_KINDS = {"O": "text", "S": "text", "U": "text", "M": "dates", "m": "durations", "c": "complex numbers"}


@contextmanager
def open_datasets(datasets: Mapping[str, Any]) -> Iterator[Contents]:
    """The rasters of xarray objects by the names that messages call them. Raises `InputError`s.

    Lazy values are loaded when they are first needed, a variable at a time, and kept: checking, looking for clouds and
    reading ask for the same values, which may come over a network.
    """
    regions, found = RegionCache(), Findings()
    groups = {name: _group(name, _as_dataset(name, source)) for name, source in datasets.items()}
    for name, group in groups.items():
        read_groups([group], name=name, cache=regions, found=found)
    try:
        yield assemble(
            found.layers,
            name=" and ".join(datasets),
            fingerprint=_fingerprint([array for group in groups.values() for array in group.arrays.values()]),
            warnings=found.said,
        )
    finally:
        regions.clear()


def _as_dataset(name: str, source: Any) -> Any:
    """An `xarray.Dataset`; of a DataArray its one variable, "values" where it has no name."""
    if hasattr(source, "data_vars"):
        return source
    if hasattr(source, "to_dataset"):
        return source.to_dataset(name=source.name or "values")
    raise InputError(
        f"{name}: is a {type(source).__name__}; give an xarray.Dataset or DataArray, STAC items, or one path, and "
        "nothing else beside"
    )


def _group(name: str, dataset: Any) -> Group:
    arrays = {str(key): _array(name, str(key), variable) for key, variable in dataset.variables.items()}
    return Group("", arrays, dict(dataset.attrs))


def _array(file: str, name: str, variable: Any) -> Array:
    dtype = np.dtype(variable.dtype)
    kind = _KINDS.get(dtype.kind, "numbers")

    @cache
    def whole() -> NDArray[Any]:
        return np.asarray(variable.values)

    def load(region: Region) -> NDArray[Any]:
        values = whole()[region]
        return values.astype(np.uint8) if dtype.kind == "b" else values

    return Array(
        file=file,
        name=name,
        dims=tuple(map(str, variable.dims)),
        shape=tuple(variable.shape),
        dtype=None if kind != "numbers" else np.dtype(np.uint8) if dtype.kind == "b" else dtype,
        kind=kind,
        chunks=None,
        fill=None,
        attributes={**{key: variable.encoding[key] for key in _ENCODED if key in variable.encoding}, **variable.attrs},
        load=load,
    )


def _fingerprint(arrays: Sequence[Array]) -> str:
    """sha256 over names, axes and coordinates. Values on a grid are not hashed: those that no band needs stay lazy."""
    digest = sha256()
    for array in sorted(arrays, key=lambda array: (array.file, array.name)):
        digest.update(f"{array.name}\0{array.dims}\0{array.shape}\0{array.dtype}\n".encode())
        if len(array.shape) > 1:
            continue
        values = array.load(tuple(slice(0, length) for length in array.shape))
        assert values is not None
        plain = np.asarray(values).astype("U") if array.kind == "text" else np.asarray(values)
        digest.update(np.ascontiguousarray(plain).tobytes())
    return digest.hexdigest()
