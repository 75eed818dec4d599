"""The values of a scene on their way into chunks of the cube: all of them, or of large scenes every nth pixel."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.readers.contents import Window
from seq2seq.viewing.blocks import Block
from seq2seq.viewing.cube import CubeArray
from seq2seq.viewing.sampling import sampled_places

# Is given the array, the row and column of a chunk, and its values (T, B, h, w).
GiveChunk = Callable[[CubeArray, int, int, NDArray[Any]], None]


class CellValues:
    """The values of one cell, which comes in parts. cell: its window, at a multiple of every chunk.

    Without a step, each part goes on as it is; with one, the sample waits until all of the cell is there.
    """

    def __init__(self, arrays: tuple[CubeArray, ...], cell: Window, step: int, give: GiveChunk) -> None:
        self._arrays, self._cell, self._step, self._give = arrays, cell, step, give
        self._sampled: dict[str, NDArray[Any]] = {}

    def add(self, block: Block, part: Window) -> None:
        """A part, whose edges are those of steps but at the end of the scene."""
        step = self._step
        for array in self._arrays:
            values: NDArray[Any] = getattr(block, array.name)
            if step == 1:
                self._chunks(array, values, part.row, part.column)
                continue
            rows, columns = (sampled_places(length, step) for length in part.shape)
            top, left = (part.row - self._cell.row) // step, (part.column - self._cell.column) // step
            kept = self._kept(array, values)
            kept[:, :, top : top + len(rows), left : left + len(columns)] = values[:, :, rows[:, None], columns]

    def finish(self) -> None:
        """Gives what waited."""
        for array in self._arrays:
            if array.name in self._sampled:
                at = self._cell.row // self._step, self._cell.column // self._step
                self._chunks(array, self._sampled[array.name], *at)

    def _kept(self, array: CubeArray, values: NDArray[Any]) -> NDArray[Any]:
        if array.name not in self._sampled:
            height, width = (-(-length // self._step) for length in self._cell.shape)
            self._sampled[array.name] = np.empty((*values.shape[:2], height, width), values.dtype)
        return self._sampled[array.name]

    def _chunks(self, array: CubeArray, values: NDArray[Any], row: int, column: int) -> None:
        """row, column: of the first value, among those that are kept."""
        side = array.chunk_px
        for top in range(0, values.shape[2], side):
            for left in range(0, values.shape[3], side):
                chunk = values[:, :, top : top + side, left : left + side]
                self._give(array, (row + top) // side, (column + left) // side, chunk)
