"""Local polynomials on a regular grid of days, as one small matrix.

The line between clear dates bends on dates alone, so its value on any day is a mean of its values on the two dates
around, whatever is clear; and a local polynomial is linear in the days of its window. Both together are a matrix (T, T)
from interpolated dates to filtered ones, the same for every pixel.
"""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from seq2seq.interpolation import linear_interpolation
from seq2seq.methods.savitzky_golay import SavitzkyGolaySettings
from seq2seq.methods.series import Fill, Float64, SeriesMethod
from seq2seq.sequence import Bool, Float32, ImageSequence


class SavitzkyGolay(SeriesMethod):
    """Once, without the repeated fit to an upper envelope of Chen et al. 2004, which is meant for indices that clouds
    can only lower."""

    candidate = "savitzky-golay"
    settings: SavitzkyGolaySettings

    def prepare(self, s2: ImageSequence, seed: int) -> Fill:
        """The matrix."""
        matrix = filter_matrix(s2.days, self.settings.window_days, self.settings.degree)
        return partial(filtered, days=s2.days, matrix=matrix)


def filter_matrix(days: NDArray[np.int64], window_days: int, degree: int) -> Float64:
    """(T, T): filtered values on `days` from the linear interpolation's on the same days.

    A window that would reach beyond the first or last day is moved inside, and the polynomial read off its middle.
    """
    grid = np.arange(days[0], days[-1] + 1)
    lines = np.stack([np.interp(grid, days, each) for each in np.eye(len(days))], axis=1)  # (days, T)
    half = window_days // 2
    width = min(2 * half + 1, len(grid))
    rows = []
    for day in days - days[0]:
        start = int(np.clip(day - half, 0, len(grid) - width))
        position = (np.arange(start, start + width) - day) / max(half, 1)
        powers = np.vander(position, min(degree, width - 1) + 1, increasing=True)
        rows.append(np.linalg.pinv(powers)[0] @ lines[start : start + width])  # the polynomial's value at 0
    return np.stack(rows)


def filtered(values: Float32, observed: Bool, *, days: NDArray[np.int64], matrix: Float64) -> Float64:
    """(T, C, N) of values (T, C, N) where observed (T, N), at least one date of each pixel."""
    dates, bands, count = values.shape
    fallback = np.zeros(bands, np.float32)  # of no pixel
    line = linear_interpolation(values[:, :, None], observed[:, None], days, fallback=fallback)
    return (matrix @ line.reshape(dates, -1)).reshape(dates, bands, count)
