"""Coarse cells of a block and back, for detectors that look at coarser pixels than the scene's."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.sequence import Bool, Float32


def cell_means(reflectance: Float32, usable: Bool, cell_px: int) -> Float32:
    """(C, H, W), (H, W) -> (C, ceil(H / cell), ceil(W / cell)): means over usable pixels, 0 where there are none."""
    bands, height, width = reflectance.shape
    fill = ((0, -height % cell_px), (0, -width % cell_px))
    weight = np.pad(usable, fill).astype(np.float32)
    values = np.pad(reflectance, ((0, 0), *fill)) * weight
    rows, columns = weight.shape[0] // cell_px, weight.shape[1] // cell_px
    total = values.reshape(bands, rows, cell_px, columns, cell_px).sum(axis=(2, 4))
    count = weight.reshape(rows, cell_px, columns, cell_px).sum(axis=(1, 3))
    return np.asarray(total / np.maximum(count, 1), dtype=np.float32)


def spread(cells: NDArray[Any], cell_px: int, shape: tuple[int, ...]) -> NDArray[Any]:
    """(..., h, w) cells -> (..., H, W): each pixel has its cell's value."""
    fine = cells.repeat(cell_px, axis=-2).repeat(cell_px, axis=-1)
    return np.asarray(fine[..., : shape[0], : shape[1]])
