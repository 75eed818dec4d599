"""A median over a moving window of days."""

from functools import partial

import numpy as np

from seq2seq.methods.median import MedianSettings
from seq2seq.methods.series import Fill, Float64, SeriesMethod
from seq2seq.sequence import Bool, Float32, ImageSequence


class Median(SeriesMethod):
    """Each pixel and date: the median of what is clear within r days, the date itself included.

    r: `window_days`, doubled until a clear date is inside.
    """

    candidate = "median"
    settings: MedianSettings

    def prepare(self, s2: ImageSequence, seed: int) -> Fill:
        """Every pixel has its own window."""
        return partial(window_medians, days=s2.days.astype(np.float64), window_days=self.settings.window_days)


def window_medians(values: Float32, observed: Bool, *, days: Float64, window_days: float) -> Float32:
    """(T, C, N) medians of values (T, C, N) where observed (T, N), at least one date of each pixel."""
    series = np.ascontiguousarray(values.transpose(2, 1, 0))  # (N, C, T)
    filled = np.empty_like(values)
    for t, day in enumerate(days):
        apart = np.abs(days - day)
        nearest = np.where(observed, apart[:, None], np.inf).min(axis=0)  # (N,) days
        doublings = np.ceil(np.log2(np.maximum(nearest / window_days, 1.0)))
        for count in np.unique(doublings):
            inside = apart <= window_days * 2**count
            at = np.flatnonzero(doublings == count)
            clear = observed[np.ix_(inside, at)].T[:, None]  # (n, 1, K)
            filled[t][:, at] = _medians(series[at][:, :, inside], clear).T
    return filled


def _medians(values: Float32, where: Bool) -> Float32:
    """(n, C) medians over the last axis of (n, C, K) where (n, 1, K), which has one True at least."""
    ordered = np.sort(np.where(where, values, np.float32(np.inf)), axis=-1)
    count = where.sum(axis=-1, keepdims=True)  # (n, 1, 1)
    low, high = (
        np.take_along_axis(ordered, np.broadcast_to(middle, (*values.shape[:2], 1)), axis=-1)[..., 0]
        for middle in ((count - 1) // 2, count // 2)
    )
    medians: Float32 = (low + high) / 2
    return medians
