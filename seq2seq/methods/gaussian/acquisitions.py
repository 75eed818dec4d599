"""What each sensor acquired, on its own days, and the same as the processes want it: less its mean, in its std."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from seq2seq.methods.gaussian.mean import SceneMean
from seq2seq.methods.gaussian.model import Sensor
from seq2seq.sequence import Bool, Float32, Observations

Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Acquisitions:
    """Of one sensor. pixels: (T, C, H, W); observed: (T, H, W); days: (T,) since the first date of S2."""

    pixels: Float32
    observed: Bool
    days: NDArray[np.int64]


def optical(visible: Observations) -> Acquisitions:
    """S2 as it is."""
    return Acquisitions(visible.s2.pixels, visible.s2.observed, visible.s2.days)


def radar(visible: Observations) -> Acquisitions | None:
    """S1, each acquisition once and on its own day, though several S2 dates may have got it; None where there is none.

    `Observations` hold the acquisitions that were paired with a date of S2, and no others.
    """
    if visible.s1 is None:
        return None
    paired = np.flatnonzero(~np.isnat(visible.s1_dates))
    dates, first = np.unique(visible.s1_dates[paired], return_index=True)
    kept = paired[first]
    if not visible.s1.observed[kept].any():
        return None
    days = (dates - visible.s2.dates[0]).astype(np.int64)
    return Acquisitions(visible.s1.pixels[kept], visible.s1.observed[kept], days)


def sensors_of(
    acquired: Sequence[Acquisitions], means: Sequence[SceneMean], pixels: Indices | None = None
) -> list[Sensor]:
    """Each sensor's values less its mean, in its std, of all pixels or of some (indices of H x W, flattened).

    Outputs are numbered through: the bands of the first sensor, then those of the next.
    """
    sensors, begin = [], 0
    for each, mean in zip(acquired, means, strict=True):
        t, c = each.pixels.shape[:2]
        values, observed = each.pixels.reshape(t, c, -1), each.observed.reshape(t, -1)
        if pixels is not None:
            values, observed = values[:, :, pixels], observed[:, pixels]
        left = (values - mean.at(each.days)[:, :, None]) / mean.scale[:, None]
        left[~np.broadcast_to(observed[:, None], left.shape)] = 0
        sensors.append(
            Sensor(
                values=torch.from_numpy(np.ascontiguousarray(left.transpose(2, 0, 1))),  # (N, T, C)
                observed=torch.from_numpy(np.ascontiguousarray(observed.T)),
                days=torch.from_numpy(each.days.astype(np.float64)),
                outputs=slice(begin, begin + c),
            )
        )
        begin += c
    return sensors


def sample_pixels(observed: Bool, count: int, seed: int) -> Indices:
    """At most `count` indices of H x W, flattened, of pixels with two observed dates or more, else with one."""
    dates = observed.sum(0).ravel()
    enough = np.flatnonzero(dates >= min(2, int(dates.max())))
    rng = np.random.default_rng((seed, 5))
    return np.sort(rng.permutation(enough)[:count])
