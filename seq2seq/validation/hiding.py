"""Hiding of further clear pixels in the shapes of the sequence's own clouds, whole dates too.

It is the one trick of the method, used twice: what is hidden trains the fit (the task is then the one that will be
asked of it), and what is hidden from the fit proves it.
"""

from dataclasses import dataclass

import numpy as np

from seq2seq.sequence import Bool

# A mask that hides next to nothing or next to everything has no shape worth borrowing.
_SHAPED = (0.02, 0.98)


@dataclass(frozen=True, eq=False)
class CloudShapes:
    """Masks to borrow: (N, H, W), True = hidden. N may be 0: clear and fully clouded dates have no shapes."""

    masks: Bool

    @classmethod
    def of(cls, observed: Bool) -> "CloudShapes":
        """Takes the shapes of what is not observed in (T, H, W) `observed`."""
        share = (~observed).mean(axis=(1, 2))
        return cls(~observed[(share > _SHAPED[0]) & (share < _SHAPED[1])])

    def draw(self, rng: np.random.Generator, shape: tuple[int, int]) -> Bool:
        """Draws (h, w) a window of a random mask, moved, rotated and flipped; a rectangle where there are no masks."""
        if not len(self.masks):
            return _rectangle(rng, shape)
        mask = self.masks[rng.integers(len(self.masks))]
        if rng.random() < 0.5:
            mask = mask.T
        rows, columns = (
            (rng.integers(size) + np.arange(length)[:: rng.choice((-1, 1))]) % size
            for size, length in zip(mask.shape, shape, strict=True)
        )
        window: Bool = mask[np.ix_(rows, columns)]
        return window


def hide(
    observed: Bool, shapes: CloudShapes, rng: np.random.Generator, *, shaped: float = 0.5, whole: float = 0.12
) -> Bool:
    """Chooses (T, H, W) observed pixels to hide: each date whole, or in a cloud's shape, or not at all.

    shaped, whole: the chances of a date for either. At least one date that shows anything keeps its pixels.
    """
    dates, height, width = observed.shape
    chance = rng.random((dates,))
    shown = np.flatnonzero(observed.any(axis=(1, 2)))
    if len(shown):
        chance[shown[int(rng.integers(len(shown)))]] = 1.0
    hidden = np.zeros_like(observed)
    for t in np.flatnonzero(chance < whole + shaped):
        hidden[t] = True if chance[t] < whole else shapes.draw(rng, (height, width))
    return hidden & observed


def _rectangle(rng: np.random.Generator, shape: tuple[int, int]) -> Bool:
    mask = np.full(shape, False)
    spans = []
    for length in shape:
        size = max(1, int(length * rng.uniform(0.2, 0.7)))
        start = int(rng.integers(length - size + 1))
        spans.append(slice(start, start + size))
    mask[spans[0], spans[1]] = True
    return mask
