"""The vegetation index of a few typical pixels over time, with its interval and beside interpolation.

A picture shows where a result is good; a series shows when. Scenes arrive window by window, of which a lattice of
pixels is kept, so that a large scene costs no more than a small one.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

from seq2seq.interpolation import linear_interpolation
from seq2seq.sequence import Bool, Float32

RED = "B04"
NEAR_INFRARED = ("B08", "B8A")  # the wider band of 10 m first
TYPICAL = 3
LATTICE_PX = 48  # pixels looked at along each side
MIN_SUM = 1e-3  # reflectance of red and near infrared together, below which their ratio is noise


@dataclass(frozen=True, eq=False)
class PixelSeries:
    """NDVI of one pixel, (T,) each: of the result, its sigma, whether the date observed the pixel, and interpolated.

    observation: what was observed, NaN elsewhere. share: of the scene's pixels, those whose series are most like this.
    """

    row: int
    column: int
    share: float
    values: Float32
    sigma: Float32
    observation: Float32
    linear: Float32


def ndvi_bands(bands: Sequence[str]) -> tuple[str, str] | None:
    """Red and near infrared, None where either is missing."""
    infrared = next((band for band in NEAR_INFRARED if band in bands), None)
    return (RED, infrared) if RED in bands and infrared else None


def ndvi(red: Float32, infrared: Float32) -> Float32:
    """(n - r) / (n + r), reflectance in, unitless in [-1, 1]."""
    index: Float32 = np.clip((infrared - red) / np.maximum(infrared + red, MIN_SUM), -1, 1).astype(np.float32)
    return index


def ndvi_sigma(red: Float32, infrared: Float32, red_sigma: Float32, infrared_sigma: Float32) -> Float32:
    """One sigma of the index, to first order, errors of the two bands taken as independent; at most 1.

    2 / (n + r)^2 sqrt(r^2 sn^2 + n^2 sr^2)
    """
    total = np.maximum(infrared + red, MIN_SUM)
    sigma = 2 / total**2 * np.sqrt((red * infrared_sigma) ** 2 + (infrared * red_sigma) ** 2)
    return np.asarray(np.minimum(sigma, 1), dtype=np.float32)


class SeriesLattice:
    """Collects the two bands of a lattice of pixels from windows of a sequence; rows arrive in strips, once a date."""

    def __init__(self, days: NDArray[np.int64], shape: tuple[int, int]) -> None:
        self._days = days
        self._rows, self._columns = (
            np.unique(np.linspace(0, length - 1, min(length, LATTICE_PX)).round().astype(int)) for length in shape
        )
        size = (len(days), 2, len(self._rows), len(self._columns))
        self._before, self._after, self._sigma = (np.zeros(size, np.float32) for _ in range(3))
        self._observed = np.zeros((len(days), *size[2:]), bool)

    def add(self, date: int, rows: slice, *, before: Float32, after: Float32, sigma: Float32, cloud_mask: Bool) -> None:
        """Rows of one date over the whole width: before, after, sigma (2, h, w), red and near infrared; cloud_mask
        (h, w)."""
        inside = (self._rows >= rows.start) & (self._rows < rows.stop)
        if not inside.any():
            return
        picked = np.ix_(self._rows[inside] - rows.start, self._columns)
        for kept, given in ((self._before, before), (self._after, after), (self._sigma, sigma)):
            kept[date][:, inside] = np.nan_to_num(given[:, picked[0], picked[1]])
        self._observed[date, inside] = ~cloud_mask[picked]

    def typical(self, count: int = TYPICAL) -> list[PixelSeries]:
        """The pixels nearest to the means of `count` groups of like series, the largest group first.

        Fewer where there are fewer kinds; only pixels that were observed once and hidden once have anything to show.
        """
        curves = ndvi(self._after[:, 0], self._after[:, 1])  # (T, rows, columns)
        telling = self._observed.any(axis=0) & ~self._observed.all(axis=0)
        places = np.argwhere(telling)
        if not len(places):
            return []
        points = curves[:, telling].T  # (N, T)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of an empty group, which is left out below
            centres, group = kmeans2(points.astype(np.float64), min(count, len(points)), minit="++", seed=0)
        sizes = np.bincount(group, minlength=len(centres))
        nearest = [
            (k, np.flatnonzero(group == k)[((points[group == k] - centres[k]) ** 2).sum(axis=1).argmin()])
            for k in np.argsort(-sizes, kind="stable")
            if sizes[k]
        ]
        return [self._series(*places[index], share=float(sizes[k] / len(points))) for k, index in nearest]

    def _series(self, i: int, j: int, *, share: float) -> PixelSeries:
        before, after, sigma = (kept[:, :, i, j] for kept in (self._before, self._after, self._sigma))
        observed = self._observed[:, i, j]
        line = linear_interpolation(before[:, :, None, None], observed[:, None, None], self._days)[:, :, 0, 0]
        return PixelSeries(
            row=int(self._rows[i]),
            column=int(self._columns[j]),
            share=share,
            values=ndvi(after[:, 0], after[:, 1]),
            sigma=ndvi_sigma(after[:, 0], after[:, 1], sigma[:, 0], sigma[:, 1]),
            observation=np.where(observed, ndvi(before[:, 0], before[:, 1]), np.float32(np.nan)),
            linear=ndvi(line[:, 0], line[:, 1]),
        )
