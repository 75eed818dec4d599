"""Who does which tile of a run: the seam between a run and the processes that work on it, and the run that works alone.

Whoever does them, a tile is made of the same observations with the same seed, and done once: its mark lies in the
workspace.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import MissingDataError
from seq2seq.nn.vgg import Perceptual
from seq2seq.progress import OnProgress, Progress, ShouldStop
from seq2seq.readers import SequenceSource
from seq2seq.report.run_report import TileFacts
from seq2seq.run.tile_work import TileWork
from seq2seq.run.tiles import TileStore
from seq2seq.sequence import Float32, Observations
from seq2seq.tiling import Tile

# Is shown what is predicted of a tile meanwhile, (T, C, h, w) reflectance, to be read at once and left as it is.
OnPrediction = Callable[[Tile, Observations, Float32], None]


@dataclass(frozen=True, eq=False)
class TileRun:
    """A run whose tiles are to be done.

    key: the same for the very same tiles of the very same run. until: when its time for tiles ends, by
    `time.monotonic`; None: never.
    """

    source: SequenceSource
    store: TileStore
    work: TileWork
    key: str
    perceptual: Perceptual
    on_progress: OnProgress
    should_stop: ShouldStop
    until: float | None = None
    on_prediction: OnPrediction | None = None

    @property
    def config(self) -> ReconstructionConfig:
        """The settings of the run."""
        return self.work.config

    def to_do(self) -> list[Tile]:
        """Lists the tiles that have no mark, in their order."""
        return [tile for tile in self.store.tiles if not self.store.is_done(tile)]

    def read(self, tile: Tile) -> Observations | None:
        """Reads what a tile is made of; None: no date shows it, and it is done now, with the scene's mean spectrum."""
        observations = self.source.read(tile.rows, tile.columns)
        if observations.s2.observed.any():
            return observations
        shape = observations.s2.pixels.shape
        mean, std = (np.broadcast_to(v[:, None, None], shape) for v in self._scene_spectrum())
        self.store.save(tile, observations, mean, std)
        self.store.finish(tile, TileFacts(None, [], self.config.device, {}))
        return None

    def budget_s(self, waiting: int, at_once: int = 1) -> float | None:
        """Returns an equal share of the time that remains for a tile, of so many that wait and are done `at_once`."""
        return None if self.until is None else max(self.until - time.monotonic(), 0.0) / -(-waiting // at_once)

    def name_of(self, tile: Tile) -> str:
        """Words which tile it is."""
        return f"tile {tile.index + 1} of {len(self.store.tiles)}"

    def _scene_spectrum(self) -> tuple[Float32, Float32]:
        """(C,) mean and standard deviation of all observed pixels, tile by tile."""
        count, total, squares = 0, 0.0, 0.0
        for tile in self.store.tiles:
            s2 = self.source.read(tile.rows, tile.columns).s2
            values = np.moveaxis(s2.pixels, 1, -1)[s2.observed].astype(np.float64)
            count, total, squares = count + len(values), total + values.sum(axis=0), squares + (values**2).sum(axis=0)
        if not count:
            info = self.source.info
            raise MissingDataError(f"{info.path}: no pixel of {len(info.dates)} dates is observed")
        mean = total / count
        std = np.sqrt(np.maximum(squares / count - mean**2, 0))
        return np.asarray(mean, dtype=np.float32), np.asarray(std, dtype=np.float32)


class TileTurns(Protocol):
    """Has all tiles of a run done that have no mark."""

    def do(self, run: TileRun) -> float:
        """Returns when all have theirs: the peak memory of the processes that helped, together, GiB.

        Raises what the work on a tile raises, and `Stopped` after checkpoints where `run.should_stop` said so.
        """


class Alone:
    """Does all tiles in this process, one after the other."""

    def do(self, run: TileRun) -> float:
        """See `TileTurns`."""
        tiles = run.to_do()
        for number, tile in enumerate(tiles):
            do_here(run, tile, len(tiles) - number)
        return 0.0


def do_here(run: TileRun, tile: Tile, waiting: int) -> None:
    """Does a tile in this process. waiting: how many it has to do, this one among them."""
    observations = run.read(tile)
    if observations is None:
        return
    show = run.on_prediction
    run.work.do(
        tile,
        observations,
        perceptual=run.perceptual,
        budget_s=run.budget_s(waiting),
        on_progress=_reporting(run, tile, waiting),
        should_stop=run.should_stop,
        **({} if show is None else {"on_prediction": lambda pixels: show(tile, observations, pixels)}),
    )


def _reporting(run: TileRun, tile: Tile, waiting: int) -> OnProgress:
    """Progress of a tile as progress of the run."""
    if len(run.store.tiles) == 1:
        return run.on_progress
    began = time.monotonic()

    def report(progress: Progress) -> None:
        spent = time.monotonic() - began
        remaining_s = None
        if progress.eta_s is not None:
            remaining_s = progress.eta_s + (spent + progress.eta_s) * (waiting - 1)
        run.on_progress(replace(progress, phase=f"{run.name_of(tile)}: {progress.phase}", eta_s=remaining_s))

    return report
