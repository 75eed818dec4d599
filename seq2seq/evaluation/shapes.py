"""Shapes of clouds to lay over clear dates: a sample's own, or drawn where it has too few."""

import numpy as np
from scipy.ndimage import gaussian_filter

from seq2seq.evaluation.base import Rng
from seq2seq.sequence import Bool

# Dates with less cloud lend no shape, nor those that would leave nothing to tell a shape.
LEAST_COVER, MOST_COVER = 0.1, 0.95
_DRAWN_COVER = 0.3
_SMOOTH_SHARE = 0.08  # of the shorter side


def draw_shapes(clouded: Bool, count: int, rng: Rng) -> Bool:
    """Draws (count, H, W) shapes of the clouds of (T, H, W), mirrored at random; a smooth field's where it has none."""
    cover = clouded.mean(axis=(1, 2))
    lenders = np.flatnonzero((cover >= LEAST_COVER) & (cover <= MOST_COVER))
    shapes = np.zeros((count, *clouded.shape[1:]), dtype=bool)
    for position in range(count):
        if lenders.size:
            rows, columns = (1 if side else -1 for side in rng.integers(0, 2, 2))
            shapes[position] = clouded[rng.choice(lenders)][::rows, ::columns]
        else:
            height, width = clouded.shape[1:]
            field = gaussian_filter(rng.standard_normal((height, width)), max(1.0, _SMOOTH_SHARE * min(height, width)))
            shapes[position] = field > np.quantile(field, 1 - _DRAWN_COVER)
    return shapes
