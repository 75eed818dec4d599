"""One pass over all pixels before anything else happens: values are checked and clouds found, block by block."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2seq.errors import MissingDataError
from seq2seq.progress import OnProgress, Progress, ignore_progress
from seq2seq.readers.acquisitions import OpticalAcquisition, RadarAcquisition
from seq2seq.readers.checks import SequenceStatistics
from seq2seq.readers.cloud_detection import grow
from seq2seq.readers.contents import Window
from seq2seq.readers.masking import Masking, MaskSource
from seq2seq.sequence import Bool, Float32

# Float32 planes that a detection needs beside the bands of its block: ranked copies, rises, levels, masks.
_WORK_PLANES = 10
_SMALLEST_BLOCK_PX = 64


class PackedMask:
    """(T, H, W) bool in one bit per pixel: a full Sentinel-2 tile of 30 dates in 450 MB. Written and read in windows.

    Windows that are written start at columns that are multiples of 8.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        dates, height, self._width = shape
        self._bits = np.zeros((dates, height, -(-self._width // 8)), dtype=np.uint8)

    def write(self, window: Window, values: Bool) -> None:
        """Stores (T, h, w)."""
        assert window.column % 8 == 0, window
        columns = slice(window.column // 8, -(-window.column_end // 8))
        self._bits[:, window.row : window.row_end, columns] = np.packbits(values, axis=-1)

    def read(self, window: Window) -> Bool:
        """(T, h, w)."""
        first = window.column // 8
        bits = self._bits[:, window.row : window.row_end, first : -(-window.column_end // 8)]
        values = np.unpackbits(bits, axis=-1)[..., window.column - 8 * first : window.column_end - 8 * first]
        return values.astype(bool)


@dataclass(frozen=True, eq=False)
class Scan:
    """The findings of the pass. cloud_mask: (T, H, W), True = cloud, shadow or no data.

    Fractions: (T,) of the scene that is masked, that holds no data, in which the paired S1 has data; the last on all
    dates, also on those asked for.
    """

    cloud_mask: PackedMask
    cloud_fractions: NDArray[np.float64]
    no_data_fractions: NDArray[np.float64]
    s1_fractions: NDArray[np.float64]


def scan(
    s2: Sequence[OpticalAcquisition],
    s1: Sequence[RadarAcquisition | None],
    masking: Masking,
    *,
    shape: tuple[int, int],
    side: int,
    on_progress: OnProgress = ignore_progress,
) -> Scan:
    """Reads every pixel of every acquisition once. `s1`: that paired to each date, also to those asked for.

    Raises `InvalidPixelsError` for values that cannot be, `UnreadableFileError` for what cannot be decoded,
    `MissingDataError` where nothing has data. Works in blocks of about
    `side` x `side` pixels; the result does not depend on it.
    """
    statistics = SequenceStatistics(s2)
    cloud_mask = PackedMask((len(s2), *shape))
    cloudy, empty, radar = (np.zeros(count, dtype=np.int64) for count in (len(s2), len(s2), len(s1)))
    blocks = list(plan_blocks(shape, side=side, chunk=s2[0].raster.header.chunk))
    for number, block in enumerate(blocks):
        on_progress(Progress("reading", number, len(blocks)))
        mask, has_data = _mask_block(s2, masking, block, shape=shape, statistics=statistics)
        cloud_mask.write(block, mask)
        cloudy += mask.sum(axis=(1, 2))
        empty += (~has_data).sum(axis=(1, 2))
        radar += _check_radar(s1, block)
    on_progress(Progress("reading", len(blocks), len(blocks)))
    statistics.check()
    pixels = shape[0] * shape[1]
    return Scan(cloud_mask, cloudy / pixels, empty / pixels, radar / pixels)


def check_clear(scanned: Scan, s2: Sequence[OpticalAcquisition], source: MaskSource) -> None:
    """Raises `MissingDataError` where no pixel of any date is clear."""
    if scanned.cloud_fractions.min() < 1:
        return
    first, last = s2[0].raster.header.date, s2[-1].raster.header.date
    raise MissingDataError(
        f"S2 {first} to {last}: no clear pixel on any of {len(s2)} dates (masks: {source}; "
        f"{scanned.no_data_fractions.mean():.0%} of the pixels hold no data, the others are cloud or shadow)"
    )


def plan_blocks(shape: tuple[int, int], *, side: int, chunk: tuple[int, int]) -> Iterator[Window]:
    """Blocks of about `side` x `side` pixels: whole rows where the files are stored in strips, squares otherwise.

    Columns start at multiples of 8.
    """
    height, width = shape
    in_strips = chunk[1] >= width
    columns = width if in_strips else max(8, side // 8 * 8)
    rows = max(1, side * side // width) if in_strips else columns
    for row in range(0, height, rows):
        for column in range(0, width, columns):
            yield Window(row, min(height, row + rows), column, min(width, column + columns))


def block_side(shape: tuple[int, int], masking: Masking, *, budget_bytes: int) -> int:
    """Side of a square block that, grown by the masking's margin, is processed in `budget_bytes` of memory."""
    dates, bands = len(masking.masks), len(masking.detector.bands) if masking.detector else 0
    bytes_per_pixel = 4 * dates * (bands + _WORK_PLANES) + 256
    if shape[0] * shape[1] * bytes_per_pixel <= budget_bytes:
        return max(shape)
    grown = int((budget_bytes / bytes_per_pixel) ** 0.5)
    return min(max(grown - 2 * masking.margin_px, _SMALLEST_BLOCK_PX), max(shape))


def _mask_block(
    s2: Sequence[OpticalAcquisition],
    masking: Masking,
    block: Window,
    *,
    shape: tuple[int, int],
    statistics: SequenceStatistics,
) -> tuple[Bool, Bool]:
    """(T, h, w) cloud, shadow or no data; (T, h, w) has data. Adds the block to the statistics."""
    detector = masking.detector
    halo = block.grown(masking.margin_px, cell_px=detector.cell_px if detector else 1, shape=shape)
    core = block.within(halo)
    chosen = [s2[0].bands.index(band) for band in detector.bands] if detector else []
    kept: Float32 = np.empty((len(s2), len(chosen), *halo.shape), dtype=np.float32)
    has_data = np.empty((len(s2), *halo.shape), dtype=bool)
    for index, acquisition in enumerate(s2):
        reflectance, has_data[index] = acquisition.read(halo)
        kept[index] = reflectance[chosen]
        statistics.add(index, reflectance[:, *core], has_data[index][core])
    cloud = _clouds(kept, has_data, masking, halo)[:, *core]
    has_data = has_data[:, *core]
    return cloud | ~has_data, has_data


def _clouds(reflectance: Float32, has_data: Bool, masking: Masking, window: Window) -> Bool:
    """(T, C, h, w), (T, h, w) -> (T, h, w): the user's masks, and on the other dates what is detected; grown."""
    own = [index for index, mask in enumerate(masking.masks) if mask is not None]
    cloud = np.zeros(has_data.shape, dtype=bool)
    for index, mask in enumerate(masking.masks):
        if mask is not None:
            cloud[index] = mask.read(window)
    if masking.detector is not None:
        # what the user calls cloud is no reference for what is clear
        detected = masking.detector(reflectance, has_data & ~cloud)
        others = [index for index in range(len(cloud)) if index not in own]
        cloud[others] = grow(detected[others], masking.detected_buffer_px)
    cloud[own] = grow(cloud[own], masking.user_buffer_px)
    return cloud


def _check_radar(s1: Sequence[RadarAcquisition | None], block: Window) -> NDArray[np.int64]:
    """(T,) pixels of the block in which the paired acquisition has data; each acquisition is read once."""
    counts: dict[str, int] = {}
    for acquisition in s1:
        if acquisition is not None and acquisition.raster.header.name not in counts:
            counts[acquisition.raster.header.name] = int(acquisition.read(block)[1].sum())
    return np.array([0 if acquisition is None else counts[acquisition.raster.header.name] for acquisition in s1])
