"""Pairs of a data set: of a sample, an image with its clouds and radar, and the image of a clear date, as published."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seq2seq.errors import MissingDataError
from seq2seq.methods.image_pairs import Crop
from seq2seq.sequence import Bool, Float32

if TYPE_CHECKING:
    from seq2seq.datasets.base import Sample

RADAR = ("VV", "VH")


def is_whole_series(sample: "Sample") -> bool:
    """Tells whether a sample shows all that it asks for, and nothing of it is scored until something is hidden."""
    return len(sample.dates) > 1 and np.array_equal(sample.asked, sample.dates) and not sample.scored.any()


def radar_of(sample: "Sample") -> Float32:
    """(T, 2, H, W) dB of a sample, for networks that see radar; NaN where it has none."""
    if sample.s1 is not None:
        return sample.s1
    dates, _, height, width = sample.s2.shape
    return np.full((dates, len(RADAR), height, width), np.nan, dtype=np.float32)


@dataclass(frozen=True)
class DataSetPairs:
    """How a method makes pairs of samples.

    optical: reflectance -> the network's units; radar: (T, S, H, W) dB and where it is, (T, H, W) -> the network's
    units. changed: rotates and flips a crop. clouds_shown: the network sees clouds as they are, else 0 in their place.
    """

    method: str
    optical: Callable[[Float32], Float32]
    radar: Callable[[Float32, Bool], Float32]
    changed: Callable[[np.random.Generator, Crop], Crop]
    with_sar: bool
    clouds_shown: bool
    crop_px: int

    def check(self, sample: "Sample") -> "Sample":
        """Returns the sample. Raises `MissingDataError` where it is none of a cloudy image and a clear one."""
        if is_whole_series(sample):
            raise MissingDataError(
                f"{sample.name}: is a whole series of {len(sample.dates)} dates; method {self.method} learns from "
                "pairs, a cloudy image and a clear one: take a data set that has them, such as sen12mscr, or method "
                "seq2point"
            )
        return sample

    def draw(self, sample: "Sample", rng: np.random.Generator) -> Crop:
        """A crop at a random place of one of the images that the sample shows."""
        asked = int(rng.integers(len(sample.asked)))
        date = int(rng.choice(_dates(sample, asked)))
        image, sar, clear = self._shown(sample, date)
        target, known = self.optical(sample.truth[asked]), sample.scored[asked]
        height, width = clear.shape
        side = min(self.crop_px, height, width)
        row, column = (int(rng.integers(length - side + 1)) for length in (height, width))
        window = np.s_[..., row : row + side, column : column + side]
        return self.changed(rng, (image[window], sar[window], target[window], clear[window], known[window]))

    def predict(self, sample: "Sample", network: Callable[[Float32, Float32 | None], Float32]) -> Float32:
        """(N, C, H, W) in 0..1, each date from the image of that date, else from the nearest one.

        network: (1, C, H, W) and (1, S, H, W), or None, in its units -> (1, C, H, W) reflectance.
        """
        predicted = np.empty_like(sample.truth, np.float32)
        for asked, day in enumerate(sample.asked):
            dates = _dates(sample, asked)
            image, sar, _ = self._shown(sample, int(dates[np.abs(sample.dates[dates] - day).argmin()]))
            predicted[asked] = np.clip(network(image[None], sar[None] if len(sar) else None)[0], 0, 1)
        return predicted

    def _shown(self, sample: "Sample", date: int) -> tuple[Float32, Float32, Bool]:
        """What the network sees of a date: image, sar, and where the image shows the ground."""
        clear = sample.valid[date] & ~sample.cloud[date]
        seen = sample.valid[date] if self.clouds_shown else clear
        image = np.where(seen, self.optical(sample.s2[date]), np.float32(0))
        if not self.with_sar:
            return image, np.empty((0, *clear.shape), np.float32), clear
        db = radar_of(sample)[date][None]
        return image, self.radar(db, np.isfinite(db).all(axis=1))[0], clear


def _dates(sample: "Sample", asked: int) -> np.ndarray:
    """Of the date that is asked for, its own image where it is seen; else all that are."""
    own = np.flatnonzero(sample.dates == sample.asked[asked])
    return own if len(own) else np.arange(len(sample.dates))
