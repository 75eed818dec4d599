"""Small pictures of a sequence as it came: a few of its dates, in one stretch, before anything is made of it."""

from collections.abc import Iterator

import numpy as np

from seq2seq.errors import Stopped
from seq2seq.progress import ShouldStop, never_stop
from seq2seq.readers import SequenceSource
from seq2seq.report.quicklook import AreaMean, Stretch, display_bands
from seq2seq.sequence import Float32
from seq2seq.viewing.pictures import encode_webp
from seq2seq.viewing.previews import Preview

MOST_DATES, MOST_PX = 12, 96
# Read at a time, whole tiles of a working copy: 27 MB of 13 bands, as reflectance.
_ROWS, _COLUMNS = 256, 2048
# Whose darkest observations say what the ground looks like: clouds are bright, and in other places on other dates.
_CLEAREST_SHARE = 0.5


def input_previews(source: SequenceSource, *, should_stop: ShouldStop = never_stop) -> Iterator[Preview]:
    """Draws up to `MOST_DATES` acquired dates, evenly spaced, the first and the last among them, on `MOST_PX` or less a
    side. Memory: one window of one date, and the pictures. Raises `Stopped`, and as `SequenceSource.read` does."""
    positions = shown_dates(source)
    means = np.stack([_means(source, position, should_stop) for position in positions])  # (N, C, h, w)
    stretch = _stretch(means, source.cloud_fractions[positions])
    for position, pixels in zip(positions, means, strict=True):
        painted = stretch.apply(pixels)
        opaque = np.full((*painted.shape[:2], 1), 255, dtype=np.uint8)
        yield Preview(str(source.info.dates[position]), encode_webp(np.concatenate([painted, opaque], axis=-1)))


def shown_dates(source: SequenceSource) -> list[int]:
    """Positions among the source's dates of those that are shown."""
    acquired = np.flatnonzero(source.info.acquired)
    chosen = np.linspace(0, len(acquired) - 1, min(len(acquired), MOST_DATES)).round().astype(int)
    return [int(position) for position in acquired[chosen]]


def _means(source: SequenceSource, position: int, should_stop: ShouldStop) -> Float32:
    """(C, h, w) of the displayed bands of one date, means of square cells, NaN without data."""
    bands, (height, width) = source.info.bands, source.info.geobox.shape
    shown = [bands.index(band) for band in display_bands(bands)]
    cells = AreaMean(len(shown), (height, width), MOST_PX)
    for row in range(0, height, _ROWS):
        for column in range(0, width, _COLUMNS):
            if should_stop():
                raise Stopped("while pictures of the input were made")
            rows, columns = slice(row, min(row + _ROWS, height)), slice(column, min(column + _COLUMNS, width))
            pixels, has_data = source.read_date(position, rows, columns)
            cells.add(rows, columns, pixels[shown], has_data)
    return cells.mean()


def _stretch(means: Float32, clouds: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Stretch:
    """Of the darkest observation of each cell among the clearer dates. means: (N, C, h, w). clouds: (N,)."""
    clearer = np.argsort(clouds, kind="stable")[: max(1, round(_CLEAREST_SHARE * len(clouds)))]
    darkest = np.fmin.reduce(means[clearer], axis=0).reshape(means.shape[1], -1)
    values = darkest[:, np.isfinite(darkest).all(axis=0)]
    return Stretch.of(values if values.size else np.array([[0.0, 0.3]] * means.shape[1], dtype=np.float32))
