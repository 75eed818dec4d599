"""The tiles of a job that other workers help with, seen from the job's own process, which knows no worker but its own.

Its supervisor decides (`worker.running.tile_sharing`). This process says, through the pipe, what there is to do
("tiles"), that it wants a tile, and has done the one before ("turn"), and whose input lies ready ("laid"). The
supervisor answers with files in `tiles/` of the attempt's folder:

    turn-N      the index of the tile that answers the Nth wish; empty: all tiles are done
    lay-I       the input of tile I is wanted
    laid-I/     it is there: task.json, and the arrays of its observations; the supervisor takes it away

Tiles that others have done appear in the workspace, whole.
"""

import json
import shutil
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from worker.child.ending import Report
from worker.running.job_folder import SHARED_TILES, TASK

if TYPE_CHECKING:
    from seq2seq.progress import Progress
    from seq2seq.run.tile_turns import TileRun
    from seq2seq.tiling import Tile

_LOOK_S = 0.1


class SharedTurns:
    """Does tiles as the supervisor says, and lays those that others ask for; see `seq2seq.run.tile_turns.TileTurns`.

    share_from: fewer tiles are done here, one after the other.
    """

    def __init__(self, report: Report, share_from: int) -> None:
        self._report, self._share_from = report, share_from
        self._folder = Path(SHARED_TILES)
        self._over = threading.Event()
        self._failure: Exception | None = None
        self._at_once = 1.0  # tiles, by those that were done

    def do(self, run: "TileRun") -> float:
        """See `TileTurns`."""
        tiles = run.to_do()
        if len(run.store.tiles) < self._share_from:
            from seq2seq.run.tile_turns import Alone

            return Alone().do(run)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        self._report("tiles", key=run.key, to_do=[tile.index for tile in tiles])
        laying = threading.Thread(target=self._lay_all, args=(run,), name="laying-tiles", daemon=True)
        laying.start()
        try:
            self._do_turns(run)
        finally:
            self._over.set()
            laying.join()
        return 0.0

    def _do_turns(self, run: "TileRun") -> None:
        began, done, number = time.monotonic(), None, 0
        waiting_before, mine = len(run.to_do()), 0
        while (tile := self._turn(run, number, done)) is not None:
            waiting = len(run.to_do())
            if mine:
                self._at_once = max(1.0, (waiting_before - waiting) / mine)
            self._do(run, tile, max(1, round(waiting / self._at_once)))
            done, number, mine = tile.index, number + 1, mine + 1
        for tile in run.to_do():  # a supervisor that lost the job meanwhile knows less than the workspace
            self._do(run, tile, len(run.to_do()))
        run.on_progress(_all_done(run, time.monotonic() - began))

    def _do(self, run: "TileRun", tile: "Tile", waiting: int) -> None:
        from seq2seq.run.tile_turns import do_here

        do_here(run, tile, waiting)

    def _turn(self, run: "TileRun", number: int, done: int | None) -> "Tile | None":
        """Waits for a tile; None when all are done."""
        from seq2seq.errors import Stopped

        self._report("turn", number=number, done=done)
        answer, told = self._folder / f"turn-{number}", 0.0
        while not answer.exists():
            if self._failure is not None:
                raise self._failure
            if run.should_stop():
                raise Stopped("between two tiles")
            if time.monotonic() - told > 1.0:
                told = time.monotonic()
                run.on_progress(_waiting(run))
            time.sleep(_LOOK_S)
        text = answer.read_text()
        return run.store.tiles[int(text)] if text else None

    def _lay_all(self, run: "TileRun") -> None:
        try:
            while not self._over.wait(_LOOK_S):
                for wish in sorted(self._folder.glob("lay-*")):
                    if not self._over.is_set():
                        self._lay(run, run.store.tiles[int(wish.name.removeprefix("lay-"))])
                        wish.unlink()
        except Exception as error:
            self._failure = error

    def _lay(self, run: "TileRun", tile: "Tile") -> None:
        from seq2seq.shared_observations import SharedObservations

        observations = run.read(tile)
        if observations is None:
            self._report("laid", tile=tile.index, filled=True)
            return
        shared = SharedObservations.write(observations, self._folder, without="share_tiles_from 0 needs no such files")
        task = {
            "tile": [tile.index, tile.rows.start, tile.rows.stop, tile.columns.start, tile.columns.stop],
            "count": len(run.store.tiles),
            "config": run.config.to_dict(),
            "bands": list(run.store.bands),
            "budget_s": run.budget_s(len(run.to_do()), round(self._at_once)),
            "observations": shared.to_dict(),
            "version": version("decloud"),
        }
        (shared.folder / TASK).write_text(json.dumps(task))
        shared.folder.rename(self._folder / f"laid-{tile.index}")
        self._report("laid", tile=tile.index, filled=False)


def _waiting(run: "TileRun") -> "Progress":
    from seq2seq.progress import Progress

    count = len(run.store.tiles)
    return Progress("tiles", count - len(run.to_do()), count)


def _all_done(run: "TileRun", seconds: float) -> "Progress":
    from seq2seq.progress import Progress, format_duration

    count = len(run.store.tiles)
    return Progress("tiles", count, count, message=f"All {count} tiles are done, in {format_duration(seconds)}.")
