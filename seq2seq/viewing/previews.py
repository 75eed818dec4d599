"""Small pictures of the cloudiest dates while a result is in the making: each is nearer to it than the one before."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from seq2seq.report.quicklook import AreaMean, Stretch, display_bands
from seq2seq.sequence import Float32, Observations
from seq2seq.viewing.pictures import encode_webp

_DATES, _MOST_PX = 3, 256
# Fewer clear pixels than this say too little about brightness.
_MIN_CLEAR = 64


@dataclass(frozen=True)
class Preview:
    """One date. image: WebP, in the stretch of the observed pixels, the same for all previews of a tile."""

    date: str
    image: bytes


def previews(observations: Observations, prediction: Float32) -> Iterator[Preview]:
    """Draws the acquired dates of `prediction` (T, C, H, W) reflectance that were cloudiest, observed pixels as they
    are."""
    s2 = observations.s2
    shown = [s2.bands.index(band) for band in display_bands(s2.bands)]
    stretch = _stretch(s2.pixels[:, shown], s2.observed)
    cloud = np.where(observations.acquired, 1 - s2.observed.mean(axis=(1, 2)), -1.0)
    for t in np.argsort(-cloud, kind="stable")[:_DATES]:
        pixels = np.where(s2.observed[t], s2.pixels[t, shown], prediction[t, shown])
        small = AreaMean(len(shown), pixels.shape[1:], _MOST_PX)
        small.add(slice(0, pixels.shape[1]), slice(0, pixels.shape[2]), pixels)
        painted = stretch.apply(small.mean())
        opaque = np.full((*painted.shape[:2], 1), 255, dtype=np.uint8)
        yield Preview(str(s2.dates[t]), encode_webp(np.concatenate([painted, opaque], axis=-1)))


def _stretch(pixels: Float32, observed: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Stretch:
    """Of every nth pixel: a preview may take no time."""
    step = max(1, max(observed.shape[1:]) // 64)
    values = np.moveaxis(pixels[..., ::step, ::step], 1, 0)[:, observed[:, ::step, ::step]]
    enough = values.shape[1] >= _MIN_CLEAR
    return Stretch.of(values if enough else np.array([[0.0, 0.3]] * pixels.shape[1], dtype=np.float32))
