"""The tiles of one run: planned, saved tile by tile, read blended, a strip of one date at a time."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from seq2seq.config import ReconstructionConfig
from seq2seq.estimate import tile_size
from seq2seq.readers import SequenceInfo
from seq2seq.run.tile_arrays import TileArrays
from seq2seq.tiling import Tile, blend_window, plan_tiles
from seq2seq.workspace import Workspace

STRIP_PX = 256  # rows blended and written at a time


class TileStore(TileArrays):
    """The plan of a run's tiles, and the arrays of those that are done.

    processes: that do tiles at once, and share the memory.
    """

    def __init__(
        self, info: SequenceInfo, config: ReconstructionConfig, workspace: Workspace, processes: int = 1
    ) -> None:
        super().__init__(info.bands, workspace)
        self.info = info
        self.height, self.width = info.shape[2:]
        tile_px = config.tile_px or tile_size(info.shape, config, processes)
        self._overlap_px = min(config.overlap_px, tile_px // 2)
        self.tiles = plan_tiles(self.height, self.width, tile_px=tile_px, overlap_px=self._overlap_px)

    @property
    def least_bytes(self) -> int:
        """Bytes of the arrays of all tiles on the disk, images and checkpoints not counted."""
        bands, kept = len(self.info.bands), len(self.kept_bands)
        pixels = len(self.info.dates) * sum(math.prod(tile.shape) for tile in self.tiles)
        return pixels * (4 * (2 * bands + kept) + 1)

    def strips(self) -> Iterator[slice]:
        """Yields the rows to be read at a time, from top to bottom."""
        for top in range(0, self.height, STRIP_PX):
            yield slice(top, min(top + STRIP_PX, self.height))

    def blended(self, name: str, t: int | slice, rows: slice, columns: slice | None = None) -> NDArray[np.floating]:
        """Blends (C, h, w) one date of one array of all tiles, or (T, C, h, w) several; all columns by default."""

        def part(tile: Tile, tile_rows: slice, tile_columns: slice) -> NDArray[np.floating]:
            array = np.load(self.workspace.tile(tile.index).array(name), mmap_mode="r")
            return np.asarray(array[t, :, tile_rows, tile_columns], dtype=np.float32)

        return blend_window(self.tiles, rows, columns or slice(0, self.width), part, overlap_px=self._overlap_px)
