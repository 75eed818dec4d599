"""The blocks of a cube, made of the same arrays and by the same encoders as the rasters of a date."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.products.base import DateArrays, DateRaster, Product
from seq2seq.readers import SequenceInfo
from seq2seq.run.tiles import TileStore
from seq2seq.writers.cubes import CubeLayout
from seq2seq.writers.cubes.base import Block, variables_of
from seq2seq.writers.rasters import Provenance


class CubeBlocks:
    """The cube of a run: its layout, and its values block by block."""

    def __init__(self, store: TileStore, info: SequenceInfo, rasters: Sequence[Product]) -> None:
        self._store, self._info = store, info
        self._rasters: list[tuple[Product, DateRaster]] = [(each, each.raster) for each in rasters if each.raster]

    def layout(self, provenance: Provenance) -> CubeLayout:
        """Says what the cube holds."""
        info = self._info
        variables = [v for product, raster in self._rasters for v in variables_of(product, raster.profile(info), info)]
        attributes = {"Conventions": "CF-1.11", "title": "Cloud-free Sentinel-2 sequence", **provenance.attributes}
        return CubeLayout(info.written, info.bands, info.geobox, tuple(variables), attributes)

    def read(self, rows: slice, columns: slice) -> Block:
        """Makes the values of all variables on a window, as they are stored."""

        @cache
        def blended(name: str) -> NDArray[np.floating]:
            return self._store.blended(name, slice(None), rows, columns)  # (T, C, h, w)

        def of_date(t: int) -> DateArrays:
            return DateArrays(lambda name: blended(name)[t])

        dates = [of_date(int(t)) for t in np.flatnonzero(np.isin(self._info.dates, self._info.written))]
        block: dict[str, NDArray[Any]] = {}
        for product, raster in self._rasters:
            variables = variables_of(product, raster.profile(self._info), self._info)
            encoded = np.stack([raster.encode(arrays, self._info) for arrays in dates])
            banded = variables[0].banded
            block |= {v.name: encoded if banded else encoded[:, index] for index, v in enumerate(variables)}
        return block
