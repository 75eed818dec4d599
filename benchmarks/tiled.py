"""A scene that takes many tiles: its memory, and whether the result steps where tiles end.

The step between neighbouring pixels, |x(i + 1) - x(i)|, is averaged over filled pixels where a tile begins or ends, and
over those elsewhere; their ratio is 1 where no border shows.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import rasterio
from measuring import DECLOUD, measure
from numpy.typing import NDArray
from parts import JUDGE, Bench, Row, judge, read_report

from seq2seq.bands import BAND_SETS
from seq2seq.config import ReconstructionConfig
from seq2seq.estimate import tile_size
from seq2seq.sequence import Bool
from seq2seq.tiling import Tile, plan_tiles

DATES, SIZE, BANDS, MINUTES = 12, 2048, "L1C", 60.0
FAR_PX = 8  # from a border: elsewhere


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
    yield {
        "key": f"{dates} x 13 x {size} x {size}",
        "limit_s": 60 * minutes,
        "wall_s": measured.wall_s,
        "peak_gb": measured.peak_gb,
        "tiles": report["training"]["tiles"],
        "gain_db": judge(source, out)["gain_db"] if JUDGE.is_file() else None,
        "seam_ratio": seam_ratio(out, source, tiles),
    }


def seam_ratio(out: Path, source: Path, tiles: Sequence[Tile]) -> float:
    """Mean step at borders of `tiles` over the mean step far from them, of filled pixels of all dates and bands."""
    at, elsewhere = np.zeros(2), np.zeros(2)  # sum, count
    for file in sorted((out / "declouded").glob("*.tif")):
        with rasterio.open(file) as dataset:
            image = dataset.read().astype(np.float32)
        with rasterio.open(source / "input" / "MASK" / file.name) as dataset:
            filled = dataset.read(1) != 0
        for axis in (0, 1):
            step = np.abs(np.diff(image, axis=axis + 1)).mean(axis=0)
            both = filled.take(range(1, filled.shape[axis]), axis) & filled.take(range(filled.shape[axis] - 1), axis)
            near = _distance(borders(tiles, axis), step.shape[axis])
            at += _sum(step, both, near == 0, axis)
            elsewhere += _sum(step, both, near >= FAR_PX, axis)
    return float((at[0] / at[1]) / (elsewhere[0] / elsewhere[1]))


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
