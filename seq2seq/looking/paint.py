"""From values to colours: one stretch for all dates, fitted to clear pixels, and ramps with a scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import TypeVar

import numpy as np
from scipy import ndimage

from seq2seq.looking.views import View
from seq2seq.report.quicklook import Stretch, UInt8
from seq2seq.report.thumbnails import sigma_colours
from seq2seq.sequence import Bool, Float32

# Fewer clear cells than this say too little about brightness; then all cells with data count.
_MIN_CLEAR = 64
_INDEX_STEP = 0.1
# From bare ground to dense vegetation; lightness falls all the way, so that all eyes can read it.
INDEX_COLOURS = ("#f6efd8", "#dbe6a1", "#a3cc7a", "#5aa75a", "#1f7a45", "#0b4a2e")
Pixels = TypeVar("Pixels", UInt8, Bool)
_EMPTY = np.full((1, 1, 1), np.nan, dtype=np.float32)


def no_data_colour() -> tuple[int, int, int]:
    """The grey of cells without data, the same in every picture of decloud."""
    red, green, blue = Stretch(np.zeros(1, np.float32), np.ones(1, np.float32)).apply(_EMPTY)[0, 0]
    return int(red), int(green), int(blue)


@dataclass(frozen=True)
class Ramp:
    """Colours for values from `low` to `high`; values beyond get the colours of the ends. colours: #rrggbb."""

    colours: tuple[str, ...]
    low: float
    high: float

    def apply(self, values: Float32) -> UInt8:
        """(1, h, w) -> (h, w, 3); NaN becomes the grey of no data."""
        table = np.array([[int(text[k : k + 2], 16) for k in (1, 3, 5)] for text in self.colours], dtype=np.float64)
        place = np.clip((values[0] - self.low) / ((self.high - self.low) or 1), 0, 1) * (len(table) - 1)
        channels = [np.interp(np.nan_to_num(place), np.arange(len(table)), table[:, channel]) for channel in range(3)]
        painted = np.stack(channels, axis=-1).round()
        return np.where(np.isnan(values[0])[..., None], np.array(no_data_colour()), painted).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Paint:
    """How a view is painted on all dates. scale: a `Stretch`, or the `Ramp` of an index. clear: fitted to clear pixels,
    of radar to all; False where too few were."""

    view: View
    scale: Stretch | Ramp
    clear: bool

    def __call__(self, channels: Float32) -> UInt8:
        """(C, h, w) of the view -> (h, w, 3)."""
        return self.scale.apply(channels)

    @property
    def ramp(self) -> Ramp | None:
        """The scale where it is one of colours, for a legend."""
        return self.scale if isinstance(self.scale, Ramp) else None

    def caption(self, of: str = "for all dates") -> str:
        """One sentence: what is shown in which stretch."""
        title = self.view.title[0].upper() + self.view.title[1:]
        fitted = "the clear pixels" if self.clear else "all pixels, as hardly any is clear"
        fitted = "all pixels" if self.view.radar else fitted
        if isinstance(self.scale, Ramp):
            return f"{title}, in one scale {of}, {self.scale.low:g} to {self.scale.high:g}, by {fitted}."
        digits = 1 if self.view.radar else 3
        ends = zip(self.view.shown, self.scale.low, self.scale.high, strict=True)
        ranges = ", ".join(f"{name} {low:.{digits}f} to {high:.{digits}f}" for name, low, high in ends)
        return f"{title}, in one stretch {of}: {ranges} {self.view.unit}, 1st to 99th percentile of {fitted}."


def fit_paint(view: View, channels: Float32, clear: Bool) -> Paint:
    """Fits the scale of a view. channels: (T, C, h, w); clear: (T, h, w), cells that show the ground."""
    has_data = np.isfinite(channels).all(axis=1)
    counted = has_data if view.radar else clear & has_data  # radar sees through clouds
    enough = int(counted.sum()) >= min(_MIN_CLEAR, clear.size)
    values = np.moveaxis(channels, 1, 0)[:, counted if enough else has_data]
    if not values.size:
        values = np.array([[0.0, 0.3]] * channels.shape[1], dtype=np.float32)
    stretch = Stretch.of(values)
    if view.kind != "index":
        return Paint(view, stretch, enough)
    return Paint(view, Ramp(INDEX_COLOURS, *index_limits(stretch)), enough)


def index_limits(stretch: Stretch) -> tuple[float, float]:
    """Rounds the range of an index outwards, to tenths."""
    low = floor(float(stretch.low[0]) / _INDEX_STEP) * _INDEX_STEP
    high = ceil(float(stretch.high[0]) / _INDEX_STEP) * _INDEX_STEP
    return round(low, 1), round(high, 1)


def sigma_ramp(sigma: Float32, percentile: float = 98.0) -> Ramp:
    """The scale of uncertainty, from 0 to where nearly all uncertain cells lie below."""
    uncertain = sigma[np.isfinite(sigma) & (sigma > 0)]
    return Ramp(tuple(sigma_colours()), 0.0, float(np.percentile(uncertain, percentile)) if uncertain.size else 0.01)


def with_mask(image: UInt8, mask: Bool, style: str, colour: Sequence[int], *, width: int = 1) -> UInt8:
    """The image (H, W, 3) with its mask (H, W) outlined or hatched in one colour; any other style leaves it alone."""
    if style == "outline":
        drawn = mask & ~ndimage.binary_erosion(mask, iterations=width)
    elif style == "hatch":
        rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
        drawn = mask & ((rows + columns) % 7 == 0)
    else:
        return image
    return np.where(drawn[..., None], np.array(colour, dtype=np.uint8), image)


def enlarged(image: Pixels, zoom: int) -> Pixels:
    """(h, w, ...) with every pixel as a square of `zoom` pixels: what was measured stays to be seen."""
    return image.repeat(zoom, axis=0).repeat(zoom, axis=1)
