"""What the network sees of a sequence, in the paper's units, and the pairs of images that it learns from.

The engine blanks what is hidden, so the network never sees a cloud: where the paper's input shows one, ours is 0. That
is also what it learns from, and what it is asked about: a hidden pixel looks the same in all three.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seq2seq.interpolation import temporal_neighbours
from seq2seq.sequence import Bool, Float32, ImageSequence, Observations
from seq2seq.validation.hiding import CloudShapes

# DN clipped to 0..10000, over 2000: reflectance of 0..1 becomes 0..5 (section 3.1).
OPTICAL_UNITS = 5.0
# dB, clipped, shifted and scaled to 0..2; cross-polarised backscatter is weaker.
SAR_UNITS = 2.0
CO_POLARISED_DB, CROSS_POLARISED_DB = (-25.0, 0.0), (-32.5, 0.0)


def scale_optical(reflectance: Float32) -> Float32:
    """Reflectance, clipped to 0..1, as 0..5."""
    return np.clip(reflectance, 0, 1).astype(np.float32) * np.float32(OPTICAL_UNITS)


def unscale_optical(values: Float32) -> Float32:
    """The inverse of `scale_optical`, within 0..1."""
    return values / np.float32(OPTICAL_UNITS)


def scale_sar(s1: ImageSequence) -> Float32:
    """(T, C, H, W) dB as 0..2; where there is none, the mean of the date's image, else of all dates'."""
    return scale_backscatter(s1.pixels, s1.observed, s1.bands)


def scale_backscatter(db: Float32, observed: Bool, bands: tuple[str, ...]) -> Float32:
    """(T, C, H, W) dB, observed (T, H, W): what `scale_sar` makes of them."""
    limits = [CO_POLARISED_DB if band[0] == band[-1] else CROSS_POLARISED_DB for band in bands]
    low, high = (np.array(side, np.float32)[:, None, None] for side in zip(*limits, strict=True))
    scaled = (np.clip(np.where(observed[:, None], db, low), low, high) - low) / (high - low) * SAR_UNITS
    count = observed.sum(axis=(1, 2))  # (T,)
    total = np.where(observed[:, None], scaled, 0).sum(axis=(2, 3), dtype=np.float64)  # (T, C)
    overall = total.sum(axis=0) / max(1, int(count.sum()))
    means = np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], overall)
    return np.where(observed[:, None], scaled, means[:, :, None, None]).astype(np.float32)


# image (C, h, w), sar (S, h, w) of no channels where there is none, target (C, h, w), clear (h, w), known (h, w)
Crop = tuple[Float32, Float32, Float32, Bool, Bool]


def rotated_and_flipped(rng: np.random.Generator, crop: Crop) -> Crop:
    """A crop in one of four rotations, and in one of three: as it is, upside down, left for right."""
    quarters, flip = int(rng.integers(4)), (None, -2, -1)[int(rng.integers(3))]
    rotated: Iterator[Any] = (np.rot90(part, quarters, axes=(-2, -1)) for part in crop)
    image, sar, target, clear, known = (part if flip is None else np.flip(part, flip) for part in rotated)
    return image, sar, target, clear, known


def flipped(rng: np.random.Generator, crop: Crop) -> Crop:
    """A crop as it is, or left for right."""
    if not rng.integers(2):
        return crop
    parts: Iterator[Any] = (np.flip(part, -1) for part in crop)
    image, sar, target, clear, known = parts
    return image, sar, target, clear, known


@dataclass(frozen=True, eq=False)
class Inputs:
    """optical: (T, C, H, W) in 0..5, 0 where hidden. sar: (T, S, H, W) in 0..2, or None."""

    optical: Float32
    sar: Float32 | None

    @classmethod
    def of(cls, visible: Observations, *, with_sar: bool) -> "Inputs":
        """Of what is visible."""
        s2, s1 = visible.s2, visible.s1
        optical = np.where(s2.observed[:, None], scale_optical(s2.pixels), np.float32(0))
        return cls(optical, scale_sar(s1) if with_sar and s1 is not None else None)


@dataclass(frozen=True, eq=False)
class Batch:
    """image: (B, C, h, w), sar: (B, S, h, w) or None, target: (B, C, h, w); clear, known: (B, h, w), where the image
    shows the ground, and where the target is known."""

    image: Float32
    sar: Float32 | None
    target: Float32
    clear: Bool
    known: Bool

    @classmethod
    def of(cls, crops: Sequence[Crop]) -> "Batch":
        """Of crops of one size."""
        image, sar, target, clear, known = (np.stack(each) for each in zip(*crops, strict=True))
        return cls(image, sar if sar.shape[1] else None, target, clear, known)

    def parts(self, size: int) -> Iterator["Batch"]:
        """The same in batches of at most `size`."""
        for start in range(0, len(self.image), size):
            part = slice(start, start + size)
            sar = None if self.sar is None else self.sar[part]
            yield Batch(self.image[part], sar, self.target[part], self.clear[part], self.known[part])


@dataclass(frozen=True, eq=False)
class Pairs:
    """Crops to learn from.

    `pasted`: a date's clear pixels, some of them hidden in the shapes of the sequence's clouds; the target is the same
    date, so that image and target agree where both are known, and CARL is plain L1 times (1 + its target weight).
    `dates`: the same image, its own clouds too; the target is the nearest clear value of another date, pixel by pixel,
    as the paper's pairs are of two dates, and here the two losses differ.
    """

    inputs: Inputs
    observed: Bool
    target: Float32
    known: Bool
    shapes: CloudShapes
    whole_share: float

    @classmethod
    def of(cls, visible: Observations, inputs: Inputs, *, kind: str, whole_share: float) -> "Pairs":
        """Of what is visible. Sequences that show no pixel on two dates have no pairs of `dates`: `pasted` then."""
        s2 = visible.s2
        target, known = inputs.optical, s2.observed
        if kind == "dates":
            around = temporal_neighbours(inputs.optical, s2.observed, s2.days, exclude_self=True)
            other = around.has_previous | around.has_next
            if other.any():
                target, known = around.nearest(), other
        return cls(inputs, s2.observed, target, known, CloudShapes.of(s2.observed), whole_share)

    def draw(self, rng: np.random.Generator, *, batch: int, crop_px: int) -> Batch:
        """Crops of dates in proportion to what is known of them, rotated and flipped."""
        side = min(crop_px, *self.observed.shape[1:])
        weights = self.known.sum(axis=(1, 2), dtype=np.float64)
        dates = rng.choice(len(weights), size=batch, p=weights / weights.sum())
        return Batch.of([self._crop(rng, int(date), side) for date in dates])

    def _crop(self, rng: np.random.Generator, date: int, side: int) -> Crop:
        height, width = self.observed.shape[1:]
        row, column = (int(rng.integers(length - side + 1)) for length in (height, width))
        window = np.s_[..., row : row + side, column : column + side]
        whole = rng.random() < self.whole_share
        pasted = np.full((side, side), True) if whole else self.shapes.draw(rng, (side, side))
        clear = self.observed[date][window] & ~pasted
        image = np.where(clear, self.inputs.optical[date][window], np.float32(0))
        sar = np.empty((0, side, side), np.float32) if self.inputs.sar is None else self.inputs.sar[date][window]
        return rotated_and_flipped(rng, (image, sar, self.target[date][window], clear, self.known[date][window]))
