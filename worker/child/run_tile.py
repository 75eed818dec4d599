"""One tile of another worker's job, in a process of its own: `python -m worker.child.run_tile FOLDER`.

FOLDER/tile holds task.json and the arrays of the tile's observations; the arrays of the result appear in the workspace
of FOLDER/out, which never becomes a result. Ends and exit codes are those of a job's process, whose confinement it
shares: it knows neither the database nor the storage.
"""

import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.child.beginning import begin
from worker.child.ending import Report, ShouldStop, concluded, leave, reporter
from worker.running.job_folder import SHARED_TILES, TASK, workspace_of

if TYPE_CHECKING:
    from seq2seq.progress import Progress
    from seq2seq.tiling import Tile

# Makes the arrays of the tile that a task names.
DoTile = Callable[[dict[str, Any], Report, ShouldStop], None]


def main(do: DoTile | None = None) -> int:
    """Works in the folder that the command line names; returns the exit code. do: None: `do_tile`."""
    should_stop = begin(Path(sys.argv[1]))
    task = json.loads((Path(SHARED_TILES) / TASK).read_text())
    return concluded(lambda: (do or do_tile)(task, reporter(), should_stop))


def do_tile(task: dict[str, Any], report: Report, should_stop: ShouldStop) -> None:
    """Does the tile with the engine. Raises `ConfigError` for a task of another release."""
    from seq2seq.config import ReconstructionConfig
    from seq2seq.errors import ConfigError
    from seq2seq.nn.devices import choose_device
    from seq2seq.nn.vgg import resolve_perceptual
    from seq2seq.run.tile_arrays import TileArrays
    from seq2seq.run.tile_work import TileWork
    from seq2seq.shared_observations import SharedObservations

    def on_progress(progress: "Progress") -> None:
        report("progress", **vars(progress))

    if task["version"] != version("decloud"):
        raise ConfigError(f"the tile is of decloud {task['version']}, this is {version('decloud')}")
    config = ReconstructionConfig.from_dict(task["config"])
    bands = tuple(task["bands"])
    TileWork(TileArrays(bands, workspace_of(Path())), config).do(
        tile_of(task),
        SharedObservations.from_dict(Path(SHARED_TILES), task["observations"]).read(),
        perceptual=resolve_perceptual(config, bands, choose_device(config.device)),
        budget_s=task["budget_s"],
        on_progress=on_progress,
        should_stop=should_stop,
    )


def tile_of(task: dict[str, Any]) -> "Tile":
    """The tile that a task names."""
    from seq2seq.tiling import Tile

    index, top, bottom, left, right = task["tile"]
    return Tile(index, slice(top, bottom), slice(left, right))


if __name__ == "__main__":
    leave(main())
