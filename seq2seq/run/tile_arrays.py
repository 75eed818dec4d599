"""The files of a run's tiles: arrays and facts of those that are done, wherever they were done."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.errors import OutputError
from seq2seq.report.quicklook import display_bands
from seq2seq.report.run_report import TileFacts
from seq2seq.report.series import ndvi_bands
from seq2seq.sequence import Float32, Observations
from seq2seq.tiling import Tile
from seq2seq.workspace import Workspace
from seq2seq.writers import write_file

ARRAYS = ("pixels", "sigma", "cloud_mask", "before")


class TileArrays:
    """What is kept of the tiles of a run with these `bands`. It can be sent to another process.

    Arrays by name: pixels and sigma (T, C, H, W) reflectance, cloud_mask (T, 1, H, W), before (T, K, H, W) the bands of
    the input that pictures and series need.
    """

    def __init__(self, bands: tuple[str, ...], workspace: Workspace) -> None:
        self.bands, self.workspace = bands, workspace

    @property
    def kept_bands(self) -> tuple[str, ...]:
        """The bands of the input that pictures and series need: those shown first."""
        return tuple(dict.fromkeys((*display_bands(self.bands), *(ndvi_bands(self.bands) or ()))))

    @property
    def folder(self) -> Path:
        """The folder of all that another start goes on from."""
        return self.workspace.checkpoint

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
        return np.take(pixels, [self.bands.index(band) for band in bands], axis=-3)


def _save_array(path: Path, array: NDArray[Any]) -> None:
    """Numpy's own format, because windows of it can be mapped. A full disk is one line."""
    try:
        np.save(path, array)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
