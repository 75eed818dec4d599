"""The cube of a bundle: Zarr v3 whose chunks hold all dates and bands of a square, so that a series is one small file.

Written by hand: a chunk is a file that a browser fetches and unpacks without any library (gzip), whatever Zarr library
is installed here. Source: Zarr core specification 3.0, codecs `bytes` and `gzip`.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Higher ones take longer for little of noisy reflectance.
_GZIP_LEVEL = 1
# The largest window, 15, with the header of gzip, which holds no time here.
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_AXES = ("time", "band", "y", "x")


@dataclass(frozen=True)
class CubeArray:
    """One array (T, B, H, W) of the cube. bands: B names. nodata: also of chunks that are left out; None: 0 fills.

    about: what the manifest says beside that: scale, offset, unit, values. noisy: neighbours differ in their last bits.
    """

    name: str
    bands: tuple[str, ...]
    dtype: str
    shape: tuple[int, int, int, int]
    chunk_px: int
    nodata: float | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    noisy: bool = True

    @property
    def fill(self) -> int | float | str:
        """As Zarr writes it: floats that are no numbers are words."""
        if self.nodata is None:
            return 0
        if np.issubdtype(np.dtype(self.dtype), np.integer):
            return int(self.nodata)
        return "NaN" if np.isnan(self.nodata) else float(self.nodata)

    def chunk(self, values: NDArray[Any]) -> bytes | None:
        """The file of a chunk of `values` (T, B, h, w), filled up at the edges; None where all of it is fill."""
        fill = np.asarray(0 if self.nodata is None else self.nodata, dtype=self.dtype)
        first = values[0, 0, 0, 0]
        # Hardly any chunk is all fill: most tell by their first value.
        if (first == fill or first != first) and np.array_equal(
            values, np.broadcast_to(fill, values.shape), equal_nan=fill.dtype.kind == "f"
        ):
            return None
        height, width = values.shape[2:]
        if (height, width) != (self.chunk_px, self.chunk_px):
            whole = np.full((*values.shape[:2], self.chunk_px, self.chunk_px), fill)
            whole[:, :, :height, :width] = values
            values = whole
        return self._packed(values.astype(fill.dtype.newbyteorder("<"), copy=False).tobytes())

    def _packed(self, content: bytes) -> bytes:
        """As gzip. Measured values are noise that no match of strings is worth looking for: runs and Huffman's code
        take half the time for 5 to 7 % more bytes. sigma and mask are mostly one value, and small."""
        strategy = zlib.Z_RLE if self.noisy else zlib.Z_DEFAULT_STRATEGY
        packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW, zlib.DEF_MEM_LEVEL, strategy)
        return packer.compress(content) + packer.flush()

    def path(self, row: int, column: int) -> str:
        """Of the chunk in this row and column of chunks, within the bundle."""
        return f"cube/{self.name}/c/0/0/{row}/{column}"

    def metadata(self, dates: tuple[str, ...]) -> dict[str, Any]:
        """zarr.json of the array."""
        t, b = self.shape[:2]
        return {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(self.shape),
            "data_type": self.dtype,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [t, b, self.chunk_px, self.chunk_px]}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": self.fill,
            "codecs": [
                {"name": "bytes", "configuration": {"endian": "little"}},
                {"name": "gzip", "configuration": {"level": _GZIP_LEVEL}},
            ],
            "dimension_names": list(_AXES),
            "attributes": {"bands": list(self.bands), "dates": list(dates), **self.about},
        }

    def described(self) -> dict[str, Any]:
        """As scene.json describes it. Floats have NaN where there is no data, which JSON cannot say: null."""
        known = self.nodata is not None and not np.isnan(self.nodata)
        return {"bands": list(self.bands), "dtype": self.dtype, "nodata": self.fill if known else None, **self.about}


def metadata_files(arrays: tuple[CubeArray, ...], dates: tuple[str, ...], grid: Mapping[str, Any]) -> dict[str, bytes]:
    """The zarr.json of the group, which repeats those of its arrays, and of each array, by path within the bundle."""
    found = {array.name: array.metadata(dates) for array in arrays}
    consolidated = {"kind": "inline", "must_understand": False, "metadata": found}
    group = {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": {"dates": list(dates), **grid},
        "consolidated_metadata": consolidated,
    }
    files = {"cube/zarr.json": group} | {f"cube/{name}/zarr.json": each for name, each in found.items()}
    return {path: json.dumps(content, indent=1).encode() for path, content in files.items()}
