"""A sequence at a glance, for pictures of it: all dates in one fixed stretch.

Scenes arrive window by window and are kept as small area means only, so a picture of a large scene costs little memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.bands import FALSE_COLOURS, NATURAL_COLOUR, S2_BANDS
from seq2seq.sequence import Bool, Dates, Float32

UInt8 = NDArray[np.uint8]

# Percentiles of the observed pixels that become black and white. Wider ones let single bright roofs dim the fields.
_PERCENTILES = (1.0, 99.0)
# Lifts the middle: reflectance of land is skewed towards dark.
_GAMMA = 1.25
# Fewer clear cells than this say too little about a scene's brightness.
_MIN_CLEAR_CELLS = 64
# Of the cells with uncertainty, the share that its scale spans: a few cells on one date may not dim all others.
_SIGMA_PERCENTILE = 98.0
# More dates than these get smaller pictures, so that all together take no more memory, nor a larger page.
_LARGE_DATES = 200
# The grey of cells without data.
_NO_DATA = (58, 64, 70)


def display_bands(bands: Sequence[str]) -> tuple[str, ...]:
    """The bands to show as red, green, blue: natural colour, else a false colour, else one band alone as grey.

    False colours are the usual ones, else the longest, the middle and the shortest wavelength that see the ground.
    """
    for triple in (NATURAL_COLOUR, *FALSE_COLOURS):
        if set(triple) <= set(bands):
            return triple
    ground = [name for name, band in S2_BANDS.items() if name in bands and not band.atmospheric]
    if len(ground) < 3:
        return (ground[0] if ground else bands[0],)
    return ground[-1], ground[len(ground) // 2], ground[0]


@dataclass(frozen=True, eq=False)
class Stretch:
    """What becomes black (`low`) and white (`high`), reflectance, one value for each displayed band: (C,) each."""

    low: Float32
    high: Float32

    @classmethod
    def of(cls, values: Float32) -> "Stretch":
        """Fits the percentiles of `values` (C, N); a constant band gets a range of 0.01 reflectance."""
        low, high = np.percentile(values, _PERCENTILES, axis=1).astype(np.float32)
        return cls(low, np.maximum(high, low + np.float32(0.01)))

    def apply(self, pixels: Float32) -> UInt8:
        """(C, h, w) reflectance -> (h, w, 3) for the screen. NaN becomes the grey of no data."""
        span = (self.high - self.low)[:, None, None]
        shown = np.clip((pixels - self.low[:, None, None]) / span, 0, 1) ** (1 / _GAMMA)
        image = np.moveaxis(np.broadcast_to(shown, (3, *shown.shape[1:])), 0, -1)
        empty = np.isnan(image).any(-1, keepdims=True)
        return np.where(empty, np.array(_NO_DATA), np.nan_to_num(image) * 255 + 0.5).astype(np.uint8)


class AreaMean:
    """The mean over square cells of an image (C, H, W) that arrives in windows, each pixel once.

    A cell is the smallest whole number of pixels that brings the longer side to `max_px` or less. Pixels that are not
    `counted` are left out.
    """

    def __init__(self, channels: int, shape: tuple[int, int], max_px: int) -> None:
        self.cell_px = -(-max(shape) // max_px)
        cells = tuple(-(-length // self.cell_px) for length in shape)
        self._sum = np.zeros((channels, *cells))
        self._count = np.zeros(cells)

    def add(self, rows: slice, columns: slice, pixels: NDArray[Any], counted: Bool | None = None) -> None:
        """Adds a window: pixels (C, h, w), counted (h, w)."""
        counted = np.ones(pixels.shape[1:], dtype=bool) if counted is None else counted
        cells = (
            slice(rows.start // self.cell_px, (rows.stop - 1) // self.cell_px + 1),
            slice(columns.start // self.cell_px, (columns.stop - 1) // self.cell_px + 1),
        )
        self._sum[:, *cells] += self._add_up(np.where(counted, pixels, 0), rows, columns)
        self._count[cells] += self._add_up(counted.astype(np.float64), rows, columns)

    def mean(self) -> Float32:
        """(C, h, w) means so far, NaN where nothing was counted."""
        with np.errstate(invalid="ignore"):
            return (self._sum / np.where(self._count > 0, self._count, np.nan)).astype(np.float32)

    def _add_up(self, pixels: NDArray[Any], rows: slice, columns: slice) -> NDArray[np.float64]:
        """(..., h, w) -> (..., cells, cells): sums of the pixels in each cell that the window touches."""
        by_rows = np.add.reduceat(pixels, self._starts(rows), axis=-2, dtype=np.float64)
        return np.add.reduceat(by_rows, self._starts(columns), axis=-1)

    def _starts(self, span: slice) -> NDArray[np.intp]:
        """Offsets inside the window at which a cell begins."""
        first = -(-(span.start + 1) // self.cell_px) * self.cell_px
        return np.concatenate([[0], np.arange(first, span.stop, self.cell_px) - span.start]).astype(np.intp)


@dataclass(frozen=True, eq=False)
class Pictures:
    """A sequence at a glance, on every date.

    before, after: (T, C, h, w) reflectance of the displayed `bands`, NaN where there is no data. cloud: (T, h, w), the
    share of each cell that is cloud, shadow or no data. sigma: (T, h, w) reflectance, mean over all bands.
    """

    dates: tuple[str, ...]
    bands: tuple[str, ...]
    before: Float32
    after: Float32
    cloud: Float32
    sigma: Float32

    @property
    def sigma_limit(self) -> float:
        """Where the scale of the uncertainty pictures ends, reflectance: nearly all uncertain cells lie below."""
        uncertain = self.sigma[self.sigma > 0]
        return float(np.percentile(uncertain, _SIGMA_PERCENTILE)) if uncertain.size else 0.0

    @property
    def stretch(self) -> Stretch:
        """One for all dates and for before and after, from the clear cells; from the result where too few are clear."""
        clear = (self.cloud == 0) & np.isfinite(self.before).all(1)
        values = np.moveaxis(self.before, 1, 0)[:, clear]
        if values.shape[1] < _MIN_CLEAR_CELLS:
            values = np.moveaxis(self.after, 1, 0).reshape(len(self.bands), -1)
            values = values[:, np.isfinite(values).all(0)]
        return Stretch.of(values if values.size else np.array([[0.0, 0.3]] * len(self.bands), dtype=np.float32))


class Miniatures:
    """Collects `Pictures` from windows of a sequence of any size."""

    def __init__(self, dates: Dates, bands: Sequence[str], shape: tuple[int, int], *, max_px: int = 256) -> None:
        self.dates = tuple(str(date) for date in dates)
        max_px = max(1, round(max_px * min(1.0, _LARGE_DATES / len(self.dates)) ** 0.5))
        self.bands = display_bands(bands)
        self._shown = [list(bands).index(band) for band in self.bands]
        channels = len(self.bands)
        self._before = [AreaMean(channels, shape, max_px) for _ in self.dates]
        self._after = [AreaMean(channels, shape, max_px) for _ in self.dates]
        self._cloud = [AreaMean(1, shape, max_px) for _ in self.dates]
        self._sigma = [AreaMean(1, shape, max_px) for _ in self.dates]

    def add(
        self,
        date: int,
        rows: slice,
        columns: slice,
        *,
        before: Float32,
        after: Float32,
        sigma: Float32,
        cloud_mask: Bool,
    ) -> None:
        """Adds one window of one date, once: before and after (C, h, w) with all of `bands`, cloud_mask (h, w), sigma
        of any bands (B, h, w), of which the mean is kept.

        Pixels of `before` that are 0 or not finite in all bands have no data.
        """
        has_data = (np.nan_to_num(before) != 0).any(0)
        self._before[date].add(rows, columns, np.nan_to_num(before[self._shown]), has_data)
        self._after[date].add(rows, columns, after[self._shown])
        self._cloud[date].add(rows, columns, cloud_mask[None])
        self._sigma[date].add(rows, columns, sigma.mean(axis=0, keepdims=True))

    def pictures(self) -> Pictures:
        """What has been collected."""
        return Pictures(
            dates=self.dates,
            bands=self.bands,
            before=np.stack([date.mean() for date in self._before]),
            after=np.stack([date.mean() for date in self._after]),
            cloud=np.nan_to_num(np.stack([date.mean()[0] for date in self._cloud]), nan=1.0),
            sigma=np.nan_to_num(np.stack([date.mean()[0] for date in self._sigma])),
        )
