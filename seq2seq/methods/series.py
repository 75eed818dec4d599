"""Methods that fill each pixel's own series in time, block by block of pixels, so that memory is bounded."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from seq2seq.interpolation import mean_spectrum
from seq2seq.methods.base import RunContext
from seq2seq.methods.closed_form import ClosedFit
from seq2seq.sequence import Bool, Float32, ImageSequence, Observations

Float64 = NDArray[np.float64]
# (T, C, N) values, 0 where not observed, and (T, N) observed -> (T, C, N) filled: N pixels, each by itself.
Fill = Callable[[Float32, Bool], NDArray[Any]]

_BLOCK_VALUES = 2**20  # of (T, C, N): 8 MB in float64


class SeriesMethod:
    """A closed form whose pixels are filled independently once `prepare` has looked at the whole scene.

    candidate: what it predicts. needs_a_clear_date: pixels that are never clear are the scene's mean spectrum on every
    date, and `Fill` gets them as such; False: `Fill` has an answer of its own.
    """

    candidate: ClassVar[str]
    needs_a_clear_date: ClassVar[bool] = True

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    def prepare(self, s2: ImageSequence, seed: int) -> Fill:
        """What is the same for all pixels, as the function of a block."""
        raise NotImplementedError

    def start(self, visible: Observations, context: RunContext, warm: Any) -> ClosedFit:
        """There is nothing to fit; predictions stop between two blocks where they are asked to."""
        context.check_stop()

        def predict(shown: Observations) -> dict[str, Float32]:
            fallback = mean_spectrum(shown.s2.pixels, shown.s2.observed) if self.needs_a_clear_date else None
            return {
                self.candidate: in_blocks(shown.s2, self.prepare(shown.s2, context.seed), context.check_stop, fallback)
            }

        return ClosedFit(predict)


def in_blocks(s2: ImageSequence, fill: Fill, check_stop: Callable[[], None], fallback: Float32 | None) -> Float32:
    """(T, C, H, W) `fill` of a few rows at a time. fallback: (C,) spectrum of pixels that are never clear."""
    dates, bands, height, width = s2.shape
    filled = np.empty_like(s2.pixels)
    rows = max(1, _BLOCK_VALUES // (dates * bands * width))
    for top in range(0, height, rows):
        check_stop()
        values, observed = flattened(s2.pixels[:, :, top : top + rows], s2.observed[:, top : top + rows])
        if fallback is not None:
            never = ~observed.any(axis=0)
            values[:, :, never] = fallback[:, None]
            observed[:, never] = True
        filled[:, :, top : top + rows] = fill(values, observed).reshape(dates, bands, -1, width)
    return filled


def flattened(pixels: Float32, observed: Bool) -> tuple[Float32, Bool]:
    """Copies of (T, C, H, W) and (T, H, W) as (T, C, N) and (T, N), 0 where not observed."""
    dates, bands = pixels.shape[:2]
    flat = observed.reshape(dates, -1).copy()
    return np.where(flat[:, None], pixels.reshape(dates, bands, -1), np.float32(0)), flat


def some_of(where: Bool, s2: ImageSequence, values: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of pixels where (H, W), spread over the scene, as many as have about `values` together."""
    rows, columns = np.nonzero(where)
    dates, bands = s2.shape[:2]
    step = max(1, round(len(rows) * dates * bands / values))
    return rows[::step], columns[::step]
