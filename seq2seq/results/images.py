"""The images of all dates as one array for xarray, of which only what is asked for is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window
from xarray import Variable
from xarray.backends import BackendArray
from xarray.core import indexing

# What web clients fetch at a time: the tiles of our COGs.
_CHUNKS = {"time": 1, "y": 512, "x": 512}


@dataclass(frozen=True)
class Decoding:
    """From stored values to those of the array: stored x scale + offset, as `dtype`."""

    dtype: str
    scale: float = 1.0
    offset: float = 0.0

    def apply(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Decodes an array of any shape."""
        if (self.scale, self.offset) == (1.0, 0.0):
            return stored.astype(self.dtype)
        return np.asarray((stored * np.float64(self.scale) + np.float64(self.offset)).astype(self.dtype))


class ImageStack(BackendArray):
    """(T, C, H, W) of a file for each date, whose bands are opened by their numbers from 1."""

    def __init__(
        self, paths: Sequence[Path], numbers: Sequence[int], grid: tuple[int, int], decoding: Decoding
    ) -> None:
        self._paths, self._numbers, self._decoding = tuple(paths), np.asarray(numbers), decoding
        self.shape = (len(paths), len(numbers), *grid)
        self.dtype = np.dtype(decoding.dtype)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def variable(self, attributes: dict[str, Any], *, banded: bool) -> Variable:
        """Returns a lazy variable on (time, band, y, x), or on (time, y, x) where it is of one band alone."""
        lazy = Variable(
            ("time", "band", "y", "x"),
            indexing.LazilyIndexedArray(self),
            attributes,
            {"preferred_chunks": {**_CHUNKS, **({"band": len(self._numbers)} if banded else {})}},
        )
        return lazy if banded else lazy.isel(band=0)

    def _read(self, key: tuple[Any, ...]) -> NDArray[Any]:
        """Axes that are named by one number vanish, as numpy has it."""
        chosen = [np.arange(length)[part] for length, part in zip(self.shape, key, strict=True)]
        single = tuple(axis for axis, each in enumerate(chosen) if each.ndim == 0)
        dates, bands, rows, columns = map(np.atleast_1d, chosen)
        values = np.empty((len(dates), len(bands), len(rows), len(columns)), dtype=self.dtype)
        if values.size:
            for index, t in enumerate(dates):
                values[index] = self._read_date(self._paths[t], self._numbers[bands], rows, columns)
        return values.squeeze(single)

    def _read_date(self, path: Path, numbers: NDArray[Any], rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[Any]:
        """(C, h, w) of the smallest window that holds all rows and columns."""
        top, left = int(rows.min()), int(columns.min())
        window = Window(left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1)
        with rasterio.open(path) as image:
            stored = image.read(numbers.tolist(), window=window)
        return self._decoding.apply(stored[:, rows - top][:, :, columns - left])
