"""One pass over all pixels before anything else happens: values are checked and clouds found, block by block."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2seq.errors import MissingDataError
from seq2seq.progress import OnProgress, Progress, ignore
from seq2seq.readers.acquisitions import OpticalAcquisition
from seq2seq.readers.checks import SequenceStatistics
from seq2seq.readers.clouds.labels import is_masked
from seq2seq.readers.clouds.recording import MaskedBy, MaskLog, Recorded
from seq2seq.readers.contents import CloudMask, Window
from seq2seq.readers.masking import Masking, MaskSource
from seq2seq.readers.packed import PackedMask
from seq2seq.readers.radar import RadarPairing
from seq2seq.readers.scl import ClassMask
from seq2seq.sequence import Bool, Float32

# Float32 planes that a detection needs beside the bands of its block: ranked copies, rises, levels, masks.
_WORK_PLANES = 10
_SMALLEST_BLOCK_PX = 64
# Blocks in which masks are finished, a date at a time: with a halo of 600 px they take 50 MB.
_FINISHING_PX = 1024


@dataclass(frozen=True, eq=False)
class Scan:
    """The findings of the pass. cloud_mask: (T, H, W), True = cloud, shadow or no data.

    Fractions: (T,) of the scene that is masked, that holds no data, in which the paired S1 has data; the last on all
    dates, also on those asked for. masked_by: who masked what.
    """

    cloud_mask: PackedMask
    cloud_fractions: NDArray[np.float64]
    no_data_fractions: NDArray[np.float64]
    s1_fractions: NDArray[np.float64]
    masked_by: MaskedBy


def scan(
    s2: Sequence[OpticalAcquisition],
    radar: RadarPairing,
    masking: Masking,
    *,
    shape: tuple[int, int],
    side: int,
    on_progress: OnProgress = ignore,
) -> Scan:
    """Reads every pixel of every acquisition once, of radar those paired to the dates and those of the series.

    Raises `InvalidPixelsError` for values that cannot be, `UnreadableFileError` for what cannot be decoded,
    `MissingDataError` where nothing has data. Works in blocks of about
    `side` x `side` pixels; the result does not depend on it.
    """
    statistics, recorded = SequenceStatistics(s2), Recorded((len(s2), *shape))
    empty, known = (np.zeros(count, dtype=np.int64) for count in (len(s2), len(radar.acquisitions)))
    blocks = list(plan_blocks(shape, side=side, chunk=s2[0].raster.header.chunk))
    for number, block in enumerate(blocks):
        on_progress(Progress("reading", number, len(blocks)))
        has_data = _record_block(s2, masking, block, shape=shape, statistics=statistics, recorded=recorded)
        empty += (~has_data).sum(axis=(1, 2))
        known += _check_radar(radar, block)
    on_progress(Progress("reading", len(blocks), len(blocks)))
    statistics.check()
    pixels = shape[0] * shape[1]
    cloud_mask, cloudy, masked_by = _finish(recorded, masking, (len(s2), *shape))
    return Scan(cloud_mask, cloudy / pixels, empty / pixels, known / pixels, masked_by)


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
    dates, bands = len(masking.casts), len(masking.bands)
    bytes_per_pixel = 4 * dates * (bands + _WORK_PLANES) + 256
    if shape[0] * shape[1] * bytes_per_pixel <= budget_bytes:
        return max(shape)
    grown = int((budget_bytes / bytes_per_pixel) ** 0.5)
    return min(max(grown - 2 * masking.margin_px, _SMALLEST_BLOCK_PX), max(shape))


def _record_block(
    s2: Sequence[OpticalAcquisition],
    masking: Masking,
    block: Window,
    *,
    shape: tuple[int, int],
    statistics: SequenceStatistics,
    recorded: Recorded,
) -> Bool:
    """(T, h, w) has data. Adds the block to the statistics, and what masks and detectors say of it to what is kept."""
    halo = block.grown(masking.margin_px, cell_px=masking.cell_px, shape=shape)
    core = block.within(halo)
    chosen = [s2[0].bands.index(band) for band in masking.bands]
    kept: Float32 = np.empty((len(s2), len(chosen), *halo.shape), dtype=np.float32)
    has_data = np.empty((len(s2), *halo.shape), dtype=bool)
    for index, acquisition in enumerate(s2):
        reflectance, has_data[index] = acquisition.read(halo)
        kept[index] = reflectance[chosen]
        statistics.add(index, reflectance[:, *core], has_data[index][core])
    cloudy = _record_given(masking, block, halo, recorded, dates=len(s2))
    # what the user calls cloud is no reference for what is clear
    _record_detected(masking, block, halo, recorded, reflectance=kept, usable=has_data & ~cloudy)
    recorded.write(block, "no_data", "", ~has_data[:, *core])
    return has_data[:, *core]


def _record_given(masking: Masking, block: Window, halo: Window, recorded: Recorded, *, dates: int) -> Bool:
    """(T, h, w) of the halo, True where a mask that came with the images says so."""
    cloudy = np.zeros((dates, *halo.shape), dtype=bool)
    core = block.within(halo)
    for given in masking.given:
        cloud, shadow = np.zeros((2, dates, *halo.shape), dtype=bool)
        for date, mask in enumerate(given.masks):
            if mask is not None:
                cloud[date], shadow[date] = _parts(mask, halo)
        recorded.write(block, "cloud", given.name, cloud[:, *core])
        recorded.write(block, "shadow", given.name, shadow[:, *core])
        cloudy |= cloud | shadow
    return cloudy


def _parts(mask: CloudMask, window: Window) -> tuple[Bool, Bool]:
    """(h, w) cloud and shadow, as far as the mask tells them apart."""
    if isinstance(mask, ClassMask):
        return mask.read_parts(window)
    cloud = mask.read(window)
    return cloud, np.zeros_like(cloud)


def _record_detected(
    masking: Masking, block: Window, halo: Window, recorded: Recorded, *, reflectance: Float32, usable: Bool
) -> None:
    """Asks every detector, and keeps what it finds on the dates on which it counts."""
    rows, columns = block.within(halo)
    core = (slice(None), rows, columns)
    dark, dim = np.zeros((2, len(usable), *block.shape), dtype=bool)
    for each in masking.detecting:
        planes = [masking.bands.index(band) for band in each.detector.bands]
        same = len(planes) == reflectance.shape[1] and planes == sorted(planes)
        found = each.detector.find(reflectance if same else reflectance[:, planes], usable)
        counts = np.array(each.dates)[:, None, None]
        recorded.write(block, "cloud", each.name, found.cloud[core] & counts)
        if found.shadow is not None:
            recorded.write(block, "shadow", each.name, found.shadow[core] & counts)
        dark |= found.dark[core] & counts
        dim |= found.dim[core] & counts
    recorded.write(block, "dark", "", dark)
    if any(masking.casts):
        recorded.write(block, "dim", "", dim)


def _finish(
    recorded: Recorded, masking: Masking, shape: tuple[int, int, int]
) -> tuple[PackedMask, NDArray[np.int64], MaskedBy]:
    """The masks, how many pixels they mask on each date, and who masked them: a date and a block at a time."""
    dates, *plane = shape
    size, reach_px = (plane[0], plane[1]), masking.reach_px
    cloud_mask, log = PackedMask(shape), MaskLog(dates, size)
    cloudy = np.zeros(dates, dtype=np.int64)
    for block in plan_blocks(size, side=_FINISHING_PX, chunk=(1, 1)):
        halo = block.grown(reach_px, cell_px=1, shape=size)
        for date in range(dates):
            codes = masking.finishing.finish(recorded.read(halo, date), masking.casts[date])[block.within(halo)]
            masked = is_masked(codes)
            cloud_mask.write(block, masked, date)
            cloudy[date] += int(masked.sum())
            log.add(block, date, codes)
    return cloud_mask, cloudy, log.result(masking.sun)


def _check_radar(radar: RadarPairing, block: Window) -> NDArray[np.int64]:
    """(T,) pixels of the block in which the paired acquisition has data; each acquisition is read once."""
    counts: dict[str, int] = {}
    for acquisition in (*radar.acquisitions, *radar.series):
        if acquisition is not None and acquisition.raster.header.name not in counts:
            counts[acquisition.raster.header.name] = int(acquisition.read(block)[1].sum())
    paired = (None if each is None else each.raster.header.name for each in radar.acquisitions)
    return np.array([0 if name is None else counts[name] for name in paired])
