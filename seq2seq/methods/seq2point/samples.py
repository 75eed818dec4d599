"""What the network sees of a sequence: of each date its nearest others; and the samples that it learns from.

The date itself is no input: where it is known, it is the target.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.methods.image_pairs import Inputs
from seq2seq.sequence import Bool, Float32, Observations

# A channel of days holds months, of a year at most: small numbers, as all others are.
DAYS_UNIT, MOST_DAYS = 30.0, 365.0


def channels(bands: int, sar_channels: int, *, verbatim: bool) -> int:
    """Of an input date: its bands and radar; then the radar of the date that is wanted, and the days between."""
    return bands + sar_channels if verbatim else bands + 2 * sar_channels + 1


def nearest_dates(
    days: NDArray[np.int64], visible_share: NDArray[np.float64], target: int, count: int, *, least: float
) -> list[int]:
    """The `count` dates nearest to `target` in time, in order, the earlier of two; itself is none of them.

    Dates that show less than the share `least` come last.
    """
    others = [date for date in range(len(days)) if date != target]
    others.sort(key=lambda date: (visible_share[date] < least, abs(int(days[date] - days[target])), date))
    return sorted(others[:count])


# images (T, I, h, w), target (C, h, w), known (h, w)
Example = tuple[Float32, Float32, Bool]


@dataclass(frozen=True, eq=False)
class Batch:
    """images: (B, T, I, h, w), target: (B, C, h, w) in 0..5, known: (B, h, w), where the target is."""

    images: Float32
    target: Float32
    known: Bool

    @classmethod
    def of(cls, examples: Sequence[Example]) -> "Batch":
        """Of examples of one size."""
        images, target, known = (np.stack(each) for each in zip(*examples, strict=True))
        return cls(images, target, known)

    def parts(self, size: int) -> Iterator["Batch"]:
        """The same in batches of at most `size`."""
        for start in range(0, len(self.images), size):
            part = slice(start, start + size)
            yield Batch(self.images[part], self.target[part], self.known[part])


@dataclass(frozen=True, eq=False)
class Samples:
    """Of what is visible: for each date (T of them) the `count` others that it is made from."""

    inputs: Inputs
    observed: Bool
    days: NDArray[np.int64]
    others: tuple[list[int], ...]
    verbatim: bool

    @classmethod
    def of(cls, visible: Observations, *, count: int, least: float, with_sar: bool, verbatim: bool) -> "Samples":
        """Chooses the others of each date."""
        s2 = visible.s2
        share = s2.observed.mean(axis=(1, 2))
        others = tuple(nearest_dates(s2.days, share, date, count, least=least) for date in range(len(s2.days)))
        return cls(Inputs.of(visible, with_sar=with_sar), s2.observed, s2.days, others, verbatim)

    def images(self, target: int, window: tuple[slice, slice] = np.s_[:, :]) -> Float32:
        """(T, I, h, w): a window of the inputs that the date `target` is made from."""
        rows, columns = window
        return np.stack([self._image(date, target, rows, columns) for date in self.others[target]])

    def draw(self, rng: np.random.Generator, *, batch: int, crop_px: int, rotated: bool) -> Batch:
        """Crops whose targets are dates in proportion to what is known of them."""
        weights = self.observed.sum(axis=(1, 2), dtype=np.float64)
        dates = rng.choice(len(weights), size=batch, p=weights / weights.sum())
        return Batch.of([self.crop(rng, int(date), crop_px, rotated=rotated) for date in dates])

    def crop(self, rng: np.random.Generator, date: int, crop_px: int, *, rotated: bool) -> Example:
        """At a random place, of the date and of those that it is made from."""
        side = min(crop_px, *self.observed.shape[1:])
        row, column = (int(rng.integers(length - side + 1)) for length in self.observed.shape[1:])
        rows, columns = slice(row, row + side), slice(column, column + side)
        images = self.images(date, (rows, columns))
        target, known = self.inputs.optical[date][:, rows, columns], self.observed[date][rows, columns]
        if not rotated:
            return images, target, known
        quarters, flip = int(rng.integers(4)), (None, -2, -1)[int(rng.integers(3))]
        images, target, known = (_rotated(part, quarters, flip) for part in (images, target, known))
        return images, target, known

    def _image(self, date: int, target: int, rows: slice, columns: slice) -> Float32:
        optical, sar = self.inputs.optical, self.inputs.sar
        parts = [optical[date][:, rows, columns]]
        if sar is not None:
            parts.append(sar[date][:, rows, columns])
        if not self.verbatim:
            if sar is not None:
                parts.append(sar[target][:, rows, columns])
            days = np.clip(float(self.days[date] - self.days[target]), -MOST_DAYS, MOST_DAYS)
            parts.append(np.full((1, *parts[0].shape[1:]), days / DAYS_UNIT, np.float32))
        return np.concatenate(parts)


def _rotated(part: NDArray[Any], quarters: int, flip: int | None) -> NDArray[Any]:
    """(..., h, w), both sides alike."""
    turned = np.rot90(part, quarters, axes=(-2, -1))
    return turned if flip is None else np.flip(turned, flip)
