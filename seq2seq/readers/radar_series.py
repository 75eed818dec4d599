"""Radar as it comes: orbits told apart and levelled, speckle filtered over time, the series brought to other dates.

All arrays (N, C, H, W) over N acquisitions, backscatter in dB; observed: (N, H, W) True = has data. No pixel looks
farther than `SPECKLE_RADIUS_PX` aside.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from seq2seq.radiometry import to_db, to_linear
from seq2seq.sequence import Bool, Float32

# Half the side, without the centre, of the window over which speckle is averaged: 5 x 5 pixels (Quegan and Yu 2001).
SPECKLE_RADIUS_PX = 2
# Both Sentinel-1 satellites repeat their orbits in 12 days, half a cycle apart.
CYCLE_DAYS = 6
# Weights of acquisitions around a date fall to 1/e in so many days.
TIME_SCALE_DAYS = 8.0


def orbit_classes(days: NDArray[np.int64], orbits: Sequence[str]) -> NDArray[np.intp]:
    """(N,) a number for each acquisition, the same for those of one orbit.

    By the stated orbits where all are stated, else by the day in the cycle of 6 days, after which a Sentinel-1 passes
    on the same orbit again. days: (N,) since any day.
    """
    marks = list(orbits) if all(orbits) else [str(day % CYCLE_DAYS) for day in days]
    known = {mark: index for index, mark in enumerate(dict.fromkeys(marks))}
    return np.array([known[mark] for mark in marks], dtype=np.intp)


def despeckled(db: Float32, observed: Bool, classes: NDArray[np.intp]) -> Float32:
    """Multitemporal speckle filter of Quegan and Yu (2001), each orbit by itself: what a pixel has beyond its
    surroundings is averaged over the dates of the orbit, what the surroundings do is kept.

    J_k = m_k * mean_i(I_i / m_i) in linear power, m = mean over 5 x 5 pixels. Source: Quegan and Yu, Filtering of
    multichannel SAR images, IEEE TGRS 39 (11), 2001, their equation for uncorrelated channels of equal looks.
    """
    out = np.zeros_like(db)
    for mark in np.unique(classes):
        at = classes == mark
        seen = observed[at][:, None]
        power = np.where(seen, to_linear(db[at]), np.float32(0))
        local = _local_mean(power, observed[at])
        ratio = np.where(seen & (local > 0), power / np.where(local > 0, local, 1), 0)
        mean_ratio = ratio.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
        out[at] = np.where(seen, to_db(np.maximum(local * mean_ratio, np.float32(1e-6))), 0)
    return out


def levelled(db: Float32, observed: Bool, classes: NDArray[np.intp]) -> Float32:
    """Each pixel's series with one mean over time for all orbits: what an orbit's incidence angle adds is taken out.

    out = db - mean of the pixel on its orbit + mean of the pixel on all; 0 where not observed.
    """
    seen = observed[:, None]
    overall = _mean(db, seen)
    out = np.zeros_like(db)
    for mark in np.unique(classes):
        at = classes == mark
        out[at] = np.where(seen[at], db[at] - _mean(db[at], seen[at]) + overall, 0)
    return out


def at_days(
    db: Float32, observed: Bool, days: NDArray[np.int64], wanted: NDArray[np.int64]
) -> tuple[Float32, Float32, Bool]:
    """(T, C, H, W) value on each wanted day, (T, C, H, W) slope in dB per 12 days, (T, H, W) True where any is there.

    Local means with weights exp(-|days| / 8); slope: between those of 12 days after and 12 days before, halved.
    """
    value = _around(db, observed, days, wanted)
    slope = (_around(db, observed, days, wanted + 12) - _around(db, observed, days, wanted - 12)) / 2
    there = np.broadcast_to(observed.any(axis=0), (len(wanted), *observed.shape[1:])).copy()
    return value, slope.astype(np.float32), there


def _around(db: Float32, observed: Bool, days: NDArray[np.int64], wanted: NDArray[np.int64]) -> Float32:
    apart = np.abs(wanted[:, None] - days[None]).astype(np.float64)  # (T, N)
    weights = np.exp(-(apart - apart.min(axis=1, keepdims=True)) / TIME_SCALE_DAYS).astype(np.float32)
    seen = observed.astype(np.float32)
    total = np.einsum("tn,nchw,nhw->tchw", weights, db, seen, optimize=True)
    weight = np.einsum("tn,nhw->thw", weights, seen, optimize=True)[:, None]
    return np.asarray(total / np.maximum(weight, 1e-12), dtype=np.float32)


def _local_mean(power: Float32, observed: Bool) -> Float32:
    """Over the observed pixels of the window."""
    size = 2 * SPECKLE_RADIUS_PX + 1
    weight = uniform_filter(observed.astype(np.float32), size=(1, size, size), mode="constant")
    total = uniform_filter(power, size=(1, 1, size, size), mode="constant")
    return np.asarray(total / np.maximum(weight, 1e-6)[:, None], dtype=np.float32)


def _mean(db: Float32, seen: Bool) -> Float32:
    """(C, H, W) over the dates on which it is seen."""
    return np.asarray((db * seen).sum(axis=0) / np.maximum(seen.sum(axis=0), 1), dtype=np.float32)
