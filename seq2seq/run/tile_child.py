"""A process that does one tile of a run after another, as `tiles_at_once` sends them; started by it alone."""

import traceback
from dataclasses import dataclass, replace

from seq2seq.errors import DecloudError
from seq2seq.extras import naming_extra
from seq2seq.nn.devices import choose_device, peak_memory_gb
from seq2seq.nn.vgg import resolve_perceptual
from seq2seq.progress import OnProgress, ShouldStop
from seq2seq.run.tile_work import TileWork
from seq2seq.shared_observations import SharedObservations
from seq2seq.subprocesses import READY, Parent, now_and_then
from seq2seq.tiling import Tile


@dataclass(frozen=True, eq=False)
class TileTask:
    """One tile, and its observations as they lie on the disk."""

    tile: Tile
    shared: SharedObservations
    budget_s: float | None


@dataclass(frozen=True)
class TileDone:
    """A tile has its mark. peak_gb: the most memory that the process has taken so far, GiB."""

    peak_gb: float


@dataclass(frozen=True)
class TileFailed:
    """The work on a tile has raised `error`. trace: of a bug, for people."""

    error: Exception
    trace: str


class TileRunner:
    """Does tiles of one run on one device."""

    def __init__(self, work: TileWork, device: str) -> None:
        self._work = replace(work, config=work.config.replace(device=device))
        self._perceptual = resolve_perceptual(work.config, work.store.bands, choose_device(device))

    def run(self, task: TileTask, on_progress: OnProgress, should_stop: ShouldStop) -> TileDone | TileFailed:
        """Does a tile; what goes wrong is told, not raised."""
        try:
            with naming_extra():
                self._work.do(
                    task.tile,
                    task.shared.read(),
                    perceptual=self._perceptual,
                    budget_s=task.budget_s,
                    on_progress=on_progress,
                    should_stop=should_stop,
                )
        except DecloudError as error:
            return TileFailed(error, "")
        except Exception as error:
            return TileFailed(_portable(error), traceback.format_exc())
        return TileDone(peak_memory_gb())


def _portable(error: Exception) -> Exception:
    """Errors of libraries need not survive being sent; those of Python do, and are told apart where memory is short."""
    known = next(kind for kind in type(error).__mro__ if kind.__module__ == "builtins")
    portable = known(f"{type(error).__name__}: {error}" if known is not type(error) else str(error))
    assert isinstance(portable, Exception)
    return portable


def main() -> None:
    """Runs until the connection, whose descriptor is the only argument, ends."""
    parent = Parent()
    kind, work, device = parent.receive()
    runner: TileRunner = kind(work, device)
    parent.send(READY)
    while True:
        parent.send(runner.run(parent.receive(), now_and_then(parent.send), parent.stopping.is_set))


if __name__ == "__main__":
    main()
