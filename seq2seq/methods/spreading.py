"""What a prediction misses on the visible pixels of a date, brought to its hidden ones.

First the date as a whole, which may lie beside its prediction or be sharper (`registration`), then what is left of it.

A prediction from other dates errs alike for neighbours: a season that is early, a haze, a field that grew. So the
visible pixels of a date tell how wrong it is beside them. Kriging (the mean of a Gaussian process) brings their
residuals r to all pixels,

    u = K_v' (K_vv + NOISE I)^-1 r,    K(d) = LEVEL + sum_l w_l exp(-d / l)

with a covariance K of the distance d in pixels, of variance 1 without the level that a date has as a whole. All visible
pixels take part: K is the same everywhere, so that its products are convolutions, and conjugate gradients need a dozen
of them (Fritz, Neuweiler and Nowak, "Application of FFT-based algorithms for large-scale universal kriging problems",
Mathematical Geosciences 41, 2009). Far from everything visible nothing but a part of the level is left.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from seq2seq.methods.registration import registered
from seq2seq.sequence import Bool, Float32

NOISE, LEVEL = 0.2, 0.5  # variances, as parts of that of what neighbours have in common
LENGTHS = {4.0: 0.5, 20.0: 0.5}  # pixels: their part of that variance
LEAST_VISIBLE = 0.02  # of a date: fewer pixels tell their own noise
_WRAP_PX = 80  # beyond it an edge knows nothing of the opposite one
_MOST_STEPS, _TOLERANCE = 40, 0.03  # of conjugate gradients; of the residuals' norm


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
    covariance = Covariance(visible.shape[1:])
    for date, seen in enumerate(visible):
        check_stop()
        if LEAST_VISIBLE <= seen.mean() < 1:
            lying = registered(predicted[date], pixels[date], seen)
            left = np.where(seen, pixels[date] - lying, np.float32(0))
            missed[date] = lying - predicted[date] + spread(left, seen, covariance)
    return missed


class Covariance:
    """K of all pairs of pixels of an (H, W) image, which is never written down."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._wrapped = tuple(fft.next_fast_len(size + min(size, _WRAP_PX), real=True) for size in shape)
        rows, columns = (np.minimum(np.arange(size), size - np.arange(size)) for size in self._wrapped)
        distance = np.hypot(rows[:, None], columns[None])
        near = sum(part * np.exp(-distance / length) for length, part in LENGTHS.items())
        self._spectrum = fft.rfft2(near).real.astype(np.float32)
        self._inverse = 1 / (np.maximum(self._spectrum, 0) + np.float32(NOISE))  # wrapped, it may be below 0 a little

    def product(self, values: Float32) -> Float32:
        """Returns K times (C, H, W) values."""
        level: Float32 = np.float32(LEVEL) * values.sum(axis=(1, 2), keepdims=True)
        return self._filtered(values, self._spectrum) + level

    def nearly_solved(self, values: Float32) -> Float32:
        """Returns (K + NOISE I)^-1 times (C, H, W) values, as if all pixels were visible and had no level."""
        return self._filtered(values, self._inverse)

    def _filtered(self, values: Float32, spectrum: NDArray[np.float32]) -> Float32:
        height, width = values.shape[1:]
        transformed = fft.rfft2(values, self._wrapped)
        transformed *= spectrum
        filtered: Float32 = fft.irfft2(transformed, self._wrapped)[:, :height, :width]
        return filtered


def spread(values: Float32, visible: Bool, covariance: Covariance | None = None) -> Float32:
    """Spreads (C, H, W) values, 0 where not `visible`, (H, W), over all pixels. covariance: of such an image.

    Preconditioned conjugate gradients (Hestenes and Stiefel, 1952) for all bands at once.
    """
    covariance = covariance or Covariance(visible.shape)
    seen = visible.astype(np.float32)
    left = values.astype(np.float32)
    weights = np.zeros_like(left)
    enough = _TOLERANCE**2 * _dot(left, left)
    step = towards = seen * covariance.nearly_solved(left)
    square = _dot(left, towards)
    for _ in range(_MOST_STEPS):
        product = seen * covariance.product(step) + np.float32(NOISE) * step
        length = _ratio(square, _dot(step, product))
        weights += length * step
        left = left - length * product
        if (_dot(left, left) <= enough).all():
            break
        towards = seen * covariance.nearly_solved(left)
        before, square = square, _dot(left, towards)
        step = towards + _ratio(square, before) * step
    return covariance.product(weights)


def _dot(first: Float32, second: Float32) -> NDArray[np.float64]:
    """(C,) the scalar product of each band."""
    product: NDArray[np.float64] = np.einsum("chw,chw->c", first, second, dtype=np.float64)
    return product


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> Float32:
    """(C, 1, 1); 0 of a band that is solved already."""
    ratio = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    return ratio[:, None, None].astype(np.float32)
