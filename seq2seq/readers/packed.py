"""Masks of a whole scene in one bit per pixel."""

import numpy as np

from seq2seq.readers.contents import Window
from seq2seq.sequence import Bool


class PackedMask:
    """(T, H, W) bool in one bit per pixel: a full Sentinel-2 tile of 30 dates in 450 MB. Written and read in windows.

    Windows that are written start at columns that are multiples of 8, and end there or at the scene's edge.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        dates, height, self._width = shape
        self._bits = np.zeros((dates, height, -(-self._width // 8)), dtype=np.uint8)

    def write(self, window: Window, values: Bool, dates: slice | int = slice(None)) -> None:
        """Stores (T, h, w), or (h, w) of one date."""
        assert window.column % 8 == 0, window
        columns = slice(window.column // 8, -(-window.column_end // 8))
        self._bits[dates, window.row : window.row_end, columns] = np.packbits(values, axis=-1)

    def read(self, window: Window, dates: slice | int = slice(None)) -> Bool:
        """(T, h, w), or (h, w) of one date."""
        first = window.column // 8
        bits = self._bits[dates, window.row : window.row_end, first : -(-window.column_end // 8)]
        values = np.unpackbits(bits, axis=-1)[..., window.column - 8 * first : window.column_end - 8 * first]
        return values.astype(bool)
