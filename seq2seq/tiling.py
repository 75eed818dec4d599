"""Tiles of a large scene: it is cut into overlapping ones, and their results blend without seams, a window at a time.

Tiles know positions only, so the same plan serves pixels of any number of dates and bands: images are (..., H, W).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2seq.errors import ConfigError
from seq2seq.sequence import Float32

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Tile:
    """A processing window of the scene: its position in the plan, its rows and columns."""

    index: int
    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int]:
        """The size (h, w) in pixels."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start


# Part of one tile's result: (tile, rows, columns) -> (..., h, w); rows and columns count from the tile's own corner.
GetTilePart = Callable[[Tile, slice, slice], NDArray[np.floating]]


def plan_tiles(height: int, width: int, *, tile_px: int, overlap_px: int) -> tuple[Tile, ...]:
    """Plans tiles of one common size that cover the scene, row by row.

    As few as possible, each at most tile_px high and wide, evenly spread: neighbours share at least overlap_px and none
    is a sliver. One tile where the scene fits. Raises ConfigError where tile_px or overlap_px cannot be.
    """
    if tile_px < 1 or not 0 <= 2 * overlap_px <= tile_px:
        raise ConfigError(f"overlap_px {overlap_px} must be from 0 to half of tile_px {tile_px}")
    all_rows, all_columns = (_cut(length, tile_px, overlap_px) for length in (height, width))
    windows = [(rows, columns) for rows in all_rows for columns in all_columns]
    return tuple(Tile(index, rows, columns) for index, (rows, columns) in enumerate(windows))


def blend_weights(tile: Tile, height: int, width: int, overlap_px: int) -> Float32:
    """Weighs (h, w) a tile's pixels in (0, 1]: 1 inside, a ramp sin^2 over overlap_px at edges inside the scene.

    Weights of overlapping tiles do not add up to 1 by themselves; a blend divides by their sum.
    """
    ramps = (_ramp(tile.rows, height, overlap_px), _ramp(tile.columns, width, overlap_px))
    return np.outer(*ramps).astype(np.float32)


def blend_window(
    tiles: Sequence[Tile], rows: slice, columns: slice, get_tile_part: GetTilePart, *, overlap_px: int
) -> NDArray[np.floating]:
    """Blends (..., h, w) any window of the scene from the tiles that touch it: sum(weight x value) / sum(weight).

    tiles: a whole plan. get_tile_part is asked only for the parts that lie in the window, so neither the scene nor a
    whole tile need be in memory. Where all tiles agree the result is exactly their value. Raises ValueError where the
    window reaches beyond the plan.
    """
    height, width = (max(getattr(tile, axis).stop for tile in tiles) for axis in ("rows", "columns"))
    if not (0 <= rows.start < rows.stop <= height and 0 <= columns.start < columns.stop <= width):
        raise ValueError(f"window {rows}, {columns} is empty or not inside the plan of {height} x {width} px")
    weight_sum = np.zeros((rows.stop - rows.start, columns.stop - columns.start))
    weighted: Float64 | None = None
    dtype: np.dtype[np.floating] = np.dtype(np.float32)
    for tile in tiles:
        tile_rows, window_rows = _shared(tile.rows, rows)
        tile_columns, window_columns = _shared(tile.columns, columns)
        if window_rows.start >= window_rows.stop or window_columns.start >= window_columns.stop:
            continue
        part = get_tile_part(tile, tile_rows, tile_columns)
        weights = blend_weights(tile, height, width, overlap_px)[tile_rows, tile_columns]
        if weighted is None:
            # float64, so that dividing by the sum gives back the very float32 that all tiles agree on
            weighted, dtype = np.zeros((*part.shape[:-2], *weight_sum.shape)), part.dtype
        weighted[..., window_rows, window_columns] += part * weights.astype(np.float64)
        weight_sum[window_rows, window_columns] += weights
    assert weighted is not None, "a plan covers its scene"
    weighted /= weight_sum
    return weighted.astype(dtype)


def _cut(length: int, tile_px: int, overlap_px: int) -> list[slice]:
    """Windows of equal size along one axis."""
    if length <= tile_px:
        return [slice(0, length)]
    count = -(-(length - overlap_px) // (tile_px - overlap_px))
    size = -(-(length + (count - 1) * overlap_px) // count)
    starts = [i * (length - size) // (count - 1) for i in range(count)]
    return [slice(start, start + size) for start in starts]


def _ramp(window: slice, length: int, overlap_px: int) -> Float64:
    """Weights along one axis: sin^2 from the edge inwards where the edge lies inside the scene."""
    rise = np.sin(np.pi / 2 * (np.arange(overlap_px) + 0.5) / max(overlap_px, 1)) ** 2
    weights = np.ones(window.stop - window.start)
    rise = rise[: weights.size]
    if window.start > 0:
        weights[: rise.size] *= rise
    if window.stop < length:
        weights[weights.size - rise.size :] *= rise[::-1]
    return weights


def _shared(tile: slice, window: slice) -> tuple[slice, slice]:
    """The part that a tile and a window share along one axis, counted from the start of each."""
    start, stop = max(tile.start, window.start), min(tile.stop, window.stop)
    return slice(start - tile.start, stop - tile.start), slice(start - window.start, stop - window.start)
