"""Processes of a run that end in the middle of a tile, for tests. As a program it is the command line with `Slow`."""

import os
import signal
import time
from pathlib import Path

from seq2seq.run.tile_child import TileRunner

# A folder in which each process leaves a file for each tile that it begins: TILE-PROCESS.
BEGUN = "TEST_BEGUN"


def begun(folder: Path) -> list[tuple[int, int]]:
    """(tile, process), of all that were begun."""
    return sorted(tuple(map(int, path.name.split("-"))) for path in folder.iterdir())


class Noting(TileRunner):
    """Leaves a note of each tile."""

    def run(self, task, on_progress, should_stop):
        """See `TileRunner`."""
        (Path(os.environ[BEGUN]) / f"{task.tile.index}-{os.getpid()}").touch()
        return super().run(task, on_progress, should_stop)


class KilledOnce(Noting):
    """The first process that begins the second tile is killed, as the system does where memory ends."""

    def run(self, task, on_progress, should_stop):
        """See `TileRunner`."""
        if task.tile.index == 1 and not any(Path(os.environ[BEGUN]).glob("1-*")):
            (Path(os.environ[BEGUN]) / f"1-{os.getpid()}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run(task, on_progress, should_stop)


class Slow(Noting):
    """Takes its time for each tile but the first, and does not listen."""

    def run(self, task, on_progress, should_stop):
        """See `TileRunner`."""
        done = super().run(task, on_progress, should_stop)
        if task.tile.index:
            time.sleep(600)
        return done


def main() -> None:
    """The command line."""
    import unruly_tiles  # by a name that another process can find

    from seq2seq.commands.main import main as command_line
    from seq2seq.run import pipeline, tiles_at_once

    pipeline.TilesAtOnce = lambda processes: tiles_at_once.TilesAtOnce(processes, unruly_tiles.Slow)
    command_line()


if __name__ == "__main__":
    main()
