"""Pictures of a scene of any size: cells of one size at each halving, and the whole at the last.

The scene is visited cell by cell in an order in which the four quarters of a larger cell follow one another, so that
memory holds a few cells of all dates, whatever the size of the scene.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2seq.readers.contents import Window
from seq2seq.report.quicklook import UInt8

CELL_PX, WHOLE_PX = 256, 1024


@dataclass(frozen=True)
class Levels:
    """The halvings of a scene. count: that may have cells; those before `finest` have none; the whole comes after."""

    height: int
    width: int
    cell_px: int = CELL_PX
    whole_px: int = WHOLE_PX
    finest: int = 0

    @property
    def count(self) -> int:
        """0 where the scene itself is small enough to be one picture."""
        level = 0
        while max(self.size(level)) > self.whole_px:
            level += 1
        return level

    def size(self, level: int) -> tuple[int, int]:
        """(H, W) after so many halvings, each rounded up."""
        return -(-self.height // 2**level), -(-self.width // 2**level)

    def cells(self, level: int) -> tuple[int, int]:
        """Rows and columns of cells."""
        height, width = self.size(level)
        return -(-height // self.cell_px), -(-width // self.cell_px)

    def window(self, row: int, column: int) -> Window:
        """Of the scene, that a cell at full resolution shows."""
        top, left = row * self.cell_px, column * self.cell_px
        return Window(top, min(top + self.cell_px, self.height), left, min(left + self.cell_px, self.width))


class Pyramid:
    """Visits a scene. paint: a window -> (P, h, w, 4), P pictures; take: is given each cell, level, row and column."""

    def __init__(
        self, levels: Levels, paint: Callable[[Window], UInt8], take: Callable[[UInt8, int, int, int], None]
    ) -> None:
        self._levels, self._paint, self._take = levels, paint, take

    def visit(self, place: Callable[[UInt8, int, int], None]) -> None:
        """All of it. place: is given the cells of the last level, of which the whole is made, with row and column."""
        last = self._levels.count
        rows, columns = self._levels.cells(last)
        for row in range(rows):
            for column in range(columns):
                place(self._cell(last, row, column), row, column)

    def _cell(self, level: int, row: int, column: int) -> UInt8:
        painted = self._paint(self._levels.window(row, column)) if level == 0 else self._of_quarters(level, row, column)
        if self._levels.finest <= level < self._levels.count:
            self._take(painted, level, row, column)
        return painted

    def _of_quarters(self, level: int, row: int, column: int) -> UInt8:
        """Halves each quarter as soon as it is there."""
        rows, columns = self._levels.cells(level - 1)
        strips = []
        for r in range(2 * row, min(2 * row + 2, rows)):
            quarters = [halved(self._cell(level - 1, r, c)) for c in range(2 * column, min(2 * column + 2, columns))]
            strips.append(np.concatenate(quarters, axis=2))
        return np.concatenate(strips, axis=1)


def halved(pictures: UInt8) -> UInt8:
    """(P, h, w, 4) -> half of h and w, rounded up: the mean of four pixels, colours weighted by their opacity."""
    _, height, width, _ = pictures.shape
    if height % 2 or width % 2:
        pictures = np.pad(pictures, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    quarters = [pictures[:, r::2, c::2] for r in (0, 1) for c in (0, 1)]
    alpha: NDArray[np.uint16] = np.stack([quarter[..., 3] for quarter in quarters]).sum(axis=0, dtype=np.uint16)
    if (alpha == 4 * 255).all():
        return np.asarray((np.sum(quarters, axis=0, dtype=np.uint16) + 2) >> 2, dtype=np.uint8)
    weighted = np.sum([quarter[..., :3].astype(np.uint32) * quarter[..., 3:] for quarter in quarters], axis=0)
    colours = (weighted + (alpha[..., None] >> 1)) // np.maximum(alpha, 1)[..., None]
    return np.concatenate([colours, (alpha[..., None] + 2) >> 2], axis=-1).astype(np.uint8)
