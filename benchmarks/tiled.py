"""A scene that takes many tiles: its memory, and whether the result steps where tiles end.

The step between neighbouring pixels, |x(i + 1) - x(i)|, is averaged over filled pixels where a tile begins or ends, and
over those elsewhere. Their ratio is held against that of the truth at the same places, which may have edges of its own
there; 1 where no border shows.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import rasterio
from measuring import DECLOUD, measure
from numpy.typing import NDArray
from parts import Bench, Row, read_report

from seq2seq.bands import BAND_SETS
from seq2seq.config import ReconstructionConfig
from seq2seq.estimate import tile_size
from seq2seq.interpolation import linear_interpolation
from seq2seq.readers import open_sequence
from seq2seq.sequence import Bool, Float32
from seq2seq.tiling import Tile, plan_tiles

DATES, SIZE, BANDS, MINUTES = 12, 2048, "L1C", 60.0
FAR_PX = 8  # from a border: elsewhere
DN = 10_000  # of reflectance 1


def tiled(bench: Bench) -> Iterator[Row]:
    """One scene of 2048 x 2048 x 13 x 12, within a limit of time; a small one of four tiles where it must be quick."""
    dates, size, minutes = (bench.scale_dates, 48, 0.2) if bench.quick else (DATES, SIZE, MINUTES)
    options = ("--tile-px", "32", "--overlap-px", "8") if bench.quick else ()
    source = bench.work / f"tiled-{dates}-{size}"
    if not source.exists():
        measure([DECLOUD, "simulate", source, "--dates", str(dates), "--size", str(size), "--bands", BANDS])
    measured, out = bench.run(source, f"out-{source.name}", "--max-minutes", str(minutes), *options)
    report = read_report(out)
    settings, shape = report["config"], (dates, len(BAND_SETS[BANDS]), size, size)
    tile_px = settings["tile_px"] or tile_size(shape, ReconstructionConfig())
    tiles = plan_tiles(size, size, tile_px=tile_px, overlap_px=settings["overlap_px"])
    truth = np.load(source / "truth.npz")
    images = {date: truth["s2"][t] for t, date in enumerate(truth["dates"].astype(str))}
    filled = dict(zip(images, truth["evaluate"], strict=True))
    yield {
        "key": f"{dates} x 13 x {size} x {size}",
        "limit_s": 60 * minutes,
        "wall_s": measured.wall_s,
        "peak_gb": measured.peak_gb,
        "tiles": report["training"]["tiles"],
        "gain_db": gain_db(out, source, images, filled),
        "seam_ratio": seam_ratio(partial(_read, out / "declouded"), filled, tiles)
        / seam_ratio(lambda date: images[date].astype(np.float32), filled, tiles),
    }


def gain_db(out: Path, source: Path, truth: Mapping[str, NDArray[np.uint16]], filled: Mapping[str, Bool]) -> float:
    """PSNR of the result over linear interpolation, dB, on filled pixels; the judge's own takes half an hour here."""
    with open_sequence(source / "input", ReconstructionConfig()) as sequence:
        rows, columns = (slice(0, size) for size in sequence.info.shape[2:])
        s2 = sequence.read(rows, columns).s2
    squares = np.zeros(2)
    for band in range(s2.pixels.shape[1]):
        line = linear_interpolation(s2.pixels[:, band : band + 1], s2.observed, s2.days)[:, 0]
        for t, (date, there) in enumerate(filled.items()):
            right = truth[date][band][there].clip(0, DN) / DN
            result = _read(out / "declouded", date, band + 1)[0][there] / DN
            squares += [((image - right) ** 2).sum(dtype=np.float64) for image in (line[t][there], result)]
    return float(10 * np.log10(squares[0] / squares[1]))


def seam_ratio(read: Callable[[str], Float32], filled: Mapping[str, Bool], tiles: Sequence[Tile]) -> float:
    """Mean step at borders of `tiles` over the mean step far from them, of filled pixels of all dates and bands.

    read: (C, H, W) of a date.
    """
    at, elsewhere = np.zeros(2), np.zeros(2)  # sum, count
    for date, there in filled.items():
        image = read(date)
        for axis in (0, 1):
            step = np.abs(np.diff(image, axis=axis + 1)).mean(axis=0)
            both = there.take(range(1, there.shape[axis]), axis) & there.take(range(there.shape[axis] - 1), axis)
            near = _distance(borders(tiles, axis), step.shape[axis])
            at += _sum(step, both, near == 0, axis)
            elsewhere += _sum(step, both, near >= FAR_PX, axis)
    return float((at[0] / at[1]) / (elsewhere[0] / elsewhere[1]))


def _read(folder: Path, date: str, band: int | None = None) -> Float32:
    """(C, H, W) DN of a date, or of one of its bands."""
    (file,) = folder.glob(f"{date}*.tif")
    with rasterio.open(file) as dataset:
        values: Float32 = dataset.read(band if band is None else [band]).astype(np.float32)
    return values


def borders(tiles: Sequence[Tile], axis: int) -> list[int]:
    """Positions at which a tile begins or ends inside the scene, of the pixel before."""
    spans = [(tile.rows, tile.columns)[axis] for tile in tiles]
    end = max(span.stop for span in spans)
    return sorted({edge - 1 for span in spans for edge in (span.start, span.stop) if 0 < edge < end})


def _distance(positions: Sequence[int], length: int) -> NDArray[np.intp]:
    return np.abs(np.arange(length)[:, None] - np.array(positions)[None]).min(axis=1)


def _sum(step: NDArray[np.floating], there: Bool, where: Bool, axis: int) -> NDArray[np.float64]:
    chosen = there & (where[:, None] if axis == 0 else where[None])
    return np.array([step[chosen].sum(dtype=np.float64), chosen.sum()])
