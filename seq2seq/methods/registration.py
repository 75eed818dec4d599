"""How a date lies on its prediction: shifted by a part of a pixel, and sharper or softer than it.

Acquisitions of one place lie some tenths of a pixel apart, and differ in sharpness by haze and resampling. A prediction
from other dates lies where those do on average. To first order, for small shifts (Lucas and Kanade, "An iterative image
registration technique", IJCAI 1981), the visible pixels z of band c miss their prediction p by

    z_c - p_c = o_c + a dp_c/dy + b dp_c/dx + s laplace(p_c) + noise_c

with a shift (a, b) in pixels and a sharpness s that all bands share. Three figures from all visible pixels of a date,
found by iteratively reweighted least squares with Huber's weights (Huber, "Robust estimation of a location parameter",
1964), so that a missed cloud does not move the date; and drawn to 0, as neighbours err alike and few pixels prove
little. The offsets o_c are nobody's business here: `spreading` finds them, place by place.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seq2seq.sequence import Bool, Float32

# What is believed of a date before it is seen: the standard deviation of a shift, pixels, and of the sharpness.
SHIFT_PX, SHARPNESS = 0.3, 0.1
ALIKE_PX = 25  # visible pixels that count as one, as neighbours err alike
_MOST_PX = 20_000  # of a date, evenly spread: three figures need no more
_FEWEST_PX = 50
_HUBER = 2.0  # residuals beyond so many standard deviations count less
_ITERATIONS = 5
_LEAST_STD = 1e-4  # reflectance

Float64 = NDArray[np.float64]


def registered(predicted: Float32, pixels: Float32, visible: Bool) -> Float32:
    """Moves and sharpens `predicted`, (C, H, W) reflectance of one date, to lie as its `visible` (H, W) `pixels` do."""
    places = np.flatnonzero(visible)
    if len(places) < _FEWEST_PX or min(visible.shape) < 2:
        return predicted
    derivatives = _derivatives(predicted)
    figures = _estimate(derivatives, pixels - predicted, places[:: -(-len(places) // _MOST_PX)])
    return predicted + sum(np.float32(figure) * part for figure, part in zip(figures, derivatives, strict=True))


def _estimate(derivatives: list[Float32], missed: Float32, places: NDArray[np.intp]) -> Float64:
    """(a, b, s) of one date: see the module. missed: (C, H, W), read at flat `places` alone."""

    def taken(images: Float32) -> Float64:
        return images.reshape(len(images), -1)[:, places].astype(np.float64)

    there = taken(missed)
    there -= np.median(there, axis=1, keepdims=True)
    parts = np.stack([taken(part) for part in derivatives], axis=-1)  # (C, N, 3)
    parts -= parts.mean(axis=1, keepdims=True)
    std = np.maximum(1.4826 * np.median(np.abs(there), axis=1, keepdims=True), _LEAST_STD)
    return _huber_regression(parts / std[..., None], there / std)


def _huber_regression(parts: Float64, missed: Float64) -> Float64:
    """(K,) the ridge regression of `missed` (C, N), of variance 1, on `parts` (C, N, K)."""
    doubt = ALIKE_PX * np.diag([SHIFT_PX**-2, SHIFT_PX**-2, SHARPNESS**-2])
    found = np.zeros(parts.shape[-1])
    for _ in range(_ITERATIONS):
        weight = np.minimum(1, _HUBER / np.maximum(np.abs(missed - parts @ found), 1e-9))
        weighted = (parts * weight[..., None]).reshape(-1, len(found))
        square = weighted.T @ parts.reshape(-1, len(found))
        found = np.linalg.solve(square + doubt, weighted.T @ missed.reshape(-1))
    return found


def _derivatives(image: Float32) -> list[Float32]:
    """Of (C, H, W) along rows, along columns, and the Laplacian."""
    by_row, by_column = np.gradient(image, axis=(1, 2))
    curved = np.stack([ndimage.laplace(band, mode="nearest") for band in image])
    return [np.asarray(part, np.float32) for part in (by_row, by_column, curved)]
