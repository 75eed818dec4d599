"""A cube of every nth pixel of a bundle's cube, in exactly the values that it has, for files that must stay small."""

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.errors import UnreadableFileError
from seq2seq.viewing.kept import Bundle
from seq2seq.viewing.sampling import sampled_places

_GROUP = "cube/zarr.json"
_LEVEL = 9


@dataclass(frozen=True, eq=False)
class SampledCube:
    """Of each square of `step` pixels the one in the middle, or at the scene's edge. files: by path in the bundle."""

    step: int
    files: Mapping[str, bytes]


def sample_cube(bundle: Bundle, step: int) -> SampledCube:
    """Reads the chunks that have a pixel of the sample, one after another; memory holds the sample of one array.

    Raises `UnreadableFileError` where a chunk or the description of the cube is damaged.
    """
    group = _json(bundle, _GROUP)
    files: dict[str, bytes] = {}
    found: dict[str, Any] = group["consolidated_metadata"]["metadata"]
    for name, metadata in found.items():
        values = _sample(bundle, name, metadata, step)
        metadata["shape"] = list(values.shape)
        chunk_px = metadata["chunk_grid"]["configuration"]["chunk_shape"][-1]
        files |= dict(_chunks(name, values, chunk_px, values.dtype.type(_fill(metadata))))
    return SampledCube(step, {_GROUP: json.dumps(group, separators=(",", ":")).encode(), **files})


def _json(bundle: Bundle, path: str) -> Any:
    content = bundle.read(path)
    if content is None:
        raise UnreadableFileError(f"{path}: the pictures lack it; make them again", file=path)
    return json.loads(content)


def _fill(metadata: Mapping[str, Any]) -> float:
    return float(metadata["fill_value"])


def _sample(bundle: Bundle, name: str, metadata: Mapping[str, Any], step: int) -> NDArray[Any]:
    """(T, B, h, w) as stored."""
    dtype = np.dtype(metadata["data_type"])
    dates, bands, height, width = metadata["shape"]
    rows, columns = sampled_places(height, step), sampled_places(width, step)
    sample = np.full((dates, bands, len(rows), len(columns)), _fill(metadata), dtype)
    shape = tuple(metadata["chunk_grid"]["configuration"]["chunk_shape"])
    side = shape[-1]
    for chunk_row in np.unique(rows // side):
        inside_rows = np.flatnonzero(rows // side == chunk_row)
        for chunk_column in np.unique(columns // side):
            path = f"cube/{name}/c/0/0/{chunk_row}/{chunk_column}"
            packed = bundle.read(path)
            if packed is None:
                continue
            inside = np.flatnonzero(columns // side == chunk_column)
            values = _unpacked(packed, path, dtype, shape)
            picked = values[:, :, rows[inside_rows] % side][..., columns[inside] % side]
            sample[:, :, inside_rows[:, None], inside[None]] = picked
    return sample


def _unpacked(packed: bytes, path: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        return np.frombuffer(gzip.decompress(packed), dtype.newbyteorder("<")).reshape(shape)
    except (OSError, EOFError, ValueError) as error:
        raise UnreadableFileError(
            f"{path}: this part of the pictures is damaged; make them again", file=path
        ) from error


def _chunks(name: str, values: NDArray[Any], side: int, fill: Any) -> Iterator[tuple[str, bytes]]:
    """The files of an array, without those that are all fill."""
    height, width = values.shape[2:]
    for top in range(0, height, side):
        for left in range(0, width, side):
            part = values[:, :, top : top + side, left : left + side]
            whole = np.full((*values.shape[:2], side, side), fill, values.dtype)
            whole[:, :, : part.shape[2], : part.shape[3]] = part
            if not np.array_equal(whole, np.full_like(whole, fill), equal_nan=whole.dtype.kind == "f"):
                packed = gzip.compress(whole.astype(whole.dtype.newbyteorder("<")).tobytes(), _LEVEL, mtime=0)
                yield f"cube/{name}/c/0/0/{top // side}/{left // side}", packed
