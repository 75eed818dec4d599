"""What a prediction misses on the visible pixels of a date, brought to its hidden ones.

First the date as a whole, which may lie beside its prediction or be sharper (`registration`), then what is left of it.

A prediction from other dates errs alike for neighbours: a season that is early, a haze, a field that grew. So the
visible pixels of a date tell how wrong it is beside them. Residuals are spread from coarse to fine by normalised
convolution (Knutsson and Westin, "Normalized and differential convolution", CVPR 1993):

    u_k = U u_{k+1} + G(w_k (r_k - U u_{k+1})) / (G(w_k) + DOUBT),    u_K = 0

r_k are means of the residuals in blocks of 2^k px, w_k the share of each block that is visible, U doubles a grid, G is
a Gaussian of one cell. DOUBT pulls towards 0 where little is visible: far from everything seen the prediction stays as
it is, as simple kriging would have it.
"""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from seq2seq.methods.registration import registered
from seq2seq.sequence import Bool, Float32

DOUBT = 0.1  # visible pixels' worth, of a cell's neighbourhood
LEAST_VISIBLE = 0.02  # of a date: fewer pixels tell their own noise
_COARSEST_CELLS = 4  # along the shorter side
_MOST_LEVELS = 7


def spread_residuals(predicted: Float32, pixels: Float32, visible: Bool, check_stop: Callable[[], None]) -> Float32:
    """Corrects (T, C, H, W) `predicted` reflectance by what it misses where `visible`, (T, H, W), shows `pixels`.

    predicted must not know a date's own pixels, or there is nothing left to spread. Dates that show next to nothing
    stay as predicted.
    """
    corrected: Float32 = np.clip(predicted + missed_residuals(predicted, pixels, visible, check_stop), 0, 1)
    return corrected


def missed_residuals(predicted: Float32, pixels: Float32, visible: Bool, check_stop: Callable[[], None]) -> Float32:
    """Estimates (T, C, H, W) reflectance that `predicted` misses; as `spread_residuals`, which adds it."""
    missed = np.zeros_like(predicted)
    for date, seen in enumerate(visible):
        check_stop()
        if LEAST_VISIBLE <= seen.mean() < 1:
            lying = registered(predicted[date], pixels[date], seen)
            left = np.where(seen, pixels[date] - lying, np.float32(0))
            missed[date] = lying - predicted[date] + spread(left, seen)
    return missed


def spread(values: Float32, visible: Bool) -> Float32:
    """Spreads (C, H, W) values, 0 where not `visible`, (H, W), over all pixels."""
    levels = [(values.astype(np.float32), visible.astype(np.float32))]  # sums of what is seen, and its share
    while len(levels) < _MOST_LEVELS and min(levels[-1][1].shape) >= 2 * _COARSEST_CELLS:
        levels.append((_halved(levels[-1][0]), _halved(levels[-1][1])))
    found = np.zeros_like(levels[-1][0])
    for total, share in reversed(levels):
        found = _doubled(found, share.shape)
        around = _blurred(share) + np.float32(DOUBT)
        found = found + _blurred(total - share * found) / around
    return found.astype(np.float32)


def _halved(values: Float32) -> Float32:
    """Means of 2 x 2 of the last two axes; cells beyond the edge show nothing."""
    *_, height, width = values.shape
    padded = np.pad(values, [(0, 0)] * (values.ndim - 2) + [(0, height % 2), (0, width % 2)])
    rows = padded[..., ::2, :] + padded[..., 1::2, :]
    return np.asarray((rows[..., ::2] + rows[..., 1::2]) / 4, np.float32)


def _doubled(values: Float32, shape: tuple[int, ...]) -> Float32:
    """(C, h, w) read bilinearly on the grid `shape` of half its cells' side, or as it is."""
    height, width = shape
    if values.shape[1:] == (height, width):
        return values
    finer = ndimage.zoom(values, (1, 2, 2), order=1, mode="nearest", grid_mode=True)
    return finer[:, :height, :width]  # type: ignore[no-any-return]


def _blurred(values: Float32) -> Float32:
    """Each of the last two axes with a Gaussian of one cell; nothing lies beyond the edge."""
    sigma = (0.0,) * (values.ndim - 2) + (1.0, 1.0)
    return ndimage.gaussian_filter(values, sigma, mode="constant", truncate=3)  # type: ignore[no-any-return]
