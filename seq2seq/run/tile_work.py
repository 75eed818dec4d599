"""The work on one tile, wherever it is done: from its observations to its arrays and its mark in the workspace."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

from seq2seq.config import ReconstructionConfig
from seq2seq.nn.vgg import Perceptual
from seq2seq.progress import OnProgress, ShouldStop, ignore
from seq2seq.report.run_report import TileFacts
from seq2seq.run.reconstruction import reconstruct
from seq2seq.run.tile_arrays import TileArrays
from seq2seq.sequence import Float32, Observations
from seq2seq.tiling import Tile


@dataclass(frozen=True, eq=False)
class TileWork:
    """What the work on any tile of a run needs beside its observations. It can be sent to another process."""

    store: TileArrays
    config: ReconstructionConfig

    def do(
        self,
        tile: Tile,
        observations: Observations,
        *,
        perceptual: Perceptual,
        budget_s: float | None,
        on_progress: OnProgress,
        should_stop: ShouldStop,
        on_prediction: Callable[[Float32], None] = ignore,
    ) -> None:
        """Reconstructs a tile of which something is observed, saves its arrays and marks it as done.

        It goes on from the tile's checkpoint. Raises what `reconstruct` raises, and `OutputError`.
        """
        result = reconstruct(
            observations,
            self.config,
            on_progress=on_progress,
            should_stop=should_stop,
            checkpoint=self.store.fit_folder(tile),
            budget_s=budget_s,
            perceptual=perceptual,
            on_prediction=on_prediction,
        )
        self.store.save(tile, observations, result.s2.pixels, result.sigma)
        facts = TileFacts(
            assessment=None if result.assessment is None else asdict(result.assessment),
            curve=[asdict(point) for point in result.curve],
            device=result.device,
            seconds=result.seconds,
            suspected=float(result.suspected.sum() / observations.s2.observed.sum()),
            notes=result.notes,
            contradictions=[asdict(one) for one in result.contradictions],
        )
        self.store.finish(tile, facts)
