"""Which pixels stand for many: of each square of `step` pixels the one in the middle, or at the scene's edge."""

import numpy as np
from affine import Affine
from numpy.typing import NDArray


def sampled_places(length: int, step: int) -> NDArray[np.intp]:
    """Where the pixels lie that stand for each `step` of `length`."""
    return np.minimum(np.arange(-(-length // step)) * step + step // 2, length - 1)


def sampled_affine(affine: Affine, step: int) -> Affine:
    """Of the grid whose pixels have their middle where those of the sample have theirs."""
    shift = step // 2 + 0.5 - step / 2
    return affine * Affine.translation(shift, shift) * Affine.scale(step)
