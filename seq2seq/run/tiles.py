"""The tiles of one run, and their arrays on disk: saved tile by tile, read blended, a strip of one date at a time."""

import json
import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import OutputError
from seq2seq.estimate import tile_size
from seq2seq.readers import SequenceInfo
from seq2seq.report.quicklook import display_bands
from seq2seq.report.run_report import TileFacts
from seq2seq.report.series import ndvi_bands
from seq2seq.sequence import Float32, Observations
from seq2seq.tiling import Tile, blend_window, plan_tiles
from seq2seq.workspace import Workspace
from seq2seq.writers import write_file

STRIP_PX = 256  # rows blended and written at a time
ARRAYS = ("pixels", "sigma", "cloud_mask", "before")


class TileStore:
    """The plan of a run's tiles, and the arrays of those that are done.

    Arrays by name: pixels and sigma (T, C, H, W) reflectance, cloud_mask (T, 1, H, W), before (T, K, H, W) the bands of
    the input that pictures and series need. processes: that do tiles at once, and share the memory. It can be sent to
    another process.
    """

    def __init__(
        self, info: SequenceInfo, config: ReconstructionConfig, workspace: Workspace, processes: int = 1
    ) -> None:
        self.info, self.workspace = info, workspace
        self.height, self.width = info.shape[2:]
        tile_px = config.tile_px or tile_size(info.shape, config, processes)
        self._overlap_px = min(config.overlap_px, tile_px // 2)
        self.tiles = plan_tiles(self.height, self.width, tile_px=tile_px, overlap_px=self._overlap_px)

    @property
    def least_bytes(self) -> int:
        """Bytes of the arrays of all tiles on the disk, images and checkpoints not counted."""
        bands, kept = len(self.info.bands), len(self.kept_bands)
        pixels = len(self.info.dates) * sum(math.prod(tile.shape) for tile in self.tiles)
        return pixels * (4 * (2 * bands + kept) + 1)

    @property
    def kept_bands(self) -> tuple[str, ...]:
        """The bands of the input that pictures and series need: those shown first."""
        return tuple(dict.fromkeys((*display_bands(self.info.bands), *(ndvi_bands(self.info.bands) or ()))))

    def is_done(self, tile: Tile) -> bool:
        """Tells whether a tile has its mark, and so its arrays."""
        return self.workspace.tile(tile.index).facts.exists()

    def finish(self, tile: Tile, facts: TileFacts) -> None:
        """Marks a tile whose arrays are saved, with its facts. Raises `OutputError`."""
        folder = self.workspace.tile(tile.index)
        write_file(folder.facts, json.dumps(asdict(facts)).encode())
        shutil.rmtree(folder.fit, ignore_errors=True)

    def facts(self, tile: Tile) -> TileFacts:
        """Reads the facts of a tile that is done."""
        return TileFacts(**json.loads(self.workspace.tile(tile.index).facts.read_text()))

    @property
    def folder(self) -> Path:
        """The folder of all that another start goes on from."""
        return self.workspace.checkpoint

    def fit_folder(self, tile: Tile) -> Path:
        """Returns the folder that the fit of a tile goes on from."""
        return self.workspace.tile(tile.index).fit

    def save(self, tile: Tile, observations: Observations, pixels: Float32, sigma: Float32) -> None:
        """Saves the arrays of a tile. Raises `OutputError`."""
        folder = self.workspace.tile(tile.index)
        folder.path.mkdir(parents=True, exist_ok=True)
        before = self.picked(observations.s2.pixels, self.kept_bands)
        arrays = {"pixels": pixels, "sigma": sigma, "cloud_mask": observations.cloud_mask[:, None], "before": before}
        for name in ARRAYS:
            _save_array(folder.array(name), np.ascontiguousarray(arrays[name]))

    def picked(self, pixels: Float32, bands: Sequence[str]) -> Float32:
        """Picks (..., those bands, H, W)."""
        return np.take(pixels, [self.info.bands.index(band) for band in bands], axis=-3)

    def strips(self) -> Iterator[slice]:
        """Yields the rows to be read at a time, from top to bottom."""
        for top in range(0, self.height, STRIP_PX):
            yield slice(top, min(top + STRIP_PX, self.height))

    def blended(self, name: str, t: int | slice, rows: slice, columns: slice | None = None) -> NDArray[np.floating]:
        """Blends (C, h, w) one date of one array of all tiles, or (T, C, h, w) several; all columns by default."""

        def part(tile: Tile, tile_rows: slice, tile_columns: slice) -> NDArray[np.floating]:
            array = np.load(self.workspace.tile(tile.index).array(name), mmap_mode="r")
            return np.asarray(array[t, :, tile_rows, tile_columns], dtype=np.float32)

        return blend_window(self.tiles, rows, columns or slice(0, self.width), part, overlap_px=self._overlap_px)


def _save_array(path: Path, array: NDArray[Any]) -> None:
    """Numpy's own format, because windows of it can be mapped. A full disk is one line."""
    try:
        np.save(path, array)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
