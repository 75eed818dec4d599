"""Tiles of the simulated method: of a few pixels, done by sleeping, whoever does them."""

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from simulated import Simulation
from simulated_result import GEOBOX

from seq2seq.errors import Stopped
from seq2seq.progress import OnProgress, Progress, ShouldStop
from seq2seq.sequence import ImageSequence, Observations
from seq2seq.tiling import Tile, plan_tiles
from seq2seq.workspace import Workspace
from seq2seq.writers import write_file
from worker.child.ending import Report
from worker.child.shared_tiles import SharedTurns

ARRAY = "pixels"


def do(tile: Tile, config: dict[str, Any], workspace: Workspace, should_stop: ShouldStop) -> None:
    """Sleeps, says so in the log, and leaves an array and the mark."""
    note(config, tile, "begin")
    end = time.monotonic() + config["seconds"]
    while time.monotonic() < end:
        if should_stop():
            raise Stopped(f"tile {tile.index}")
        time.sleep(min(0.02, config["seconds"]))
    folder = workspace.tile(tile.index)
    folder.path.mkdir(parents=True, exist_ok=True)
    np.save(folder.array(ARRAY), np.full((2, 2), tile.index))
    write_file(folder.facts, json.dumps({"process": os.getpid()}).encode())
    note(config, tile, "end")


def note(config: dict[str, Any], tile: Tile, what: str) -> None:
    if config["log"] is not None:
        with Path(config["log"]).open("a") as log:
            log.write(f"{tile.index} {os.getpid()} {config['attempt']} {what}\n")


class SimulatedRun:
    """What `SharedTurns` needs of a run."""

    key = "simulated"

    def __init__(
        self,
        simulation: Simulation,
        attempt: int,
        workspace: Workspace,
        on_progress: OnProgress,
        should_stop: ShouldStop,
    ) -> None:
        tiles = plan_tiles(4, 4 * simulation.tiles, tile_px=4, overlap_px=0)
        self.values = {"seconds": simulation.seconds, "log": simulation.tile_log, "attempt": attempt}
        self.store = SimpleNamespace(tiles=tiles, bands=("B02",))
        self.config = SimpleNamespace(to_dict=lambda: self.values)
        self.workspace, self.on_progress, self.should_stop = workspace, on_progress, should_stop

    def to_do(self) -> list[Tile]:
        return [tile for tile in self.store.tiles if not self.workspace.tile(tile.index).facts.exists()]

    def read(self, tile: Tile) -> Observations:
        pixels = np.full((1, 1, 4, 4), tile.index, dtype=np.float32)
        dates = np.array(["2021-05-01"], dtype="datetime64[D]")
        s2 = ImageSequence(pixels, dates, ("B02",), GEOBOX[:4, :4], np.ones((1, 4, 4), dtype=bool))
        return Observations(s2=s2, s1=None, cloud_mask=np.zeros((1, 4, 4), dtype=bool), s1_dates=dates)

    def budget_s(self, waiting: int, at_once: int = 1) -> None:
        return None


class SimulatedTurns(SharedTurns):
    """Its own tiles are simulated as well."""

    def _do(self, run: Any, tile: Tile, waiting: int) -> None:
        run.on_progress(Progress(f"tile {tile.index + 1} of {len(run.store.tiles)}: sleeping"))
        do(tile, run.values, run.workspace, run.should_stop)


def run_tiles(
    simulation: Simulation, attempt: int, workspace: Workspace, report: Report, should_stop: ShouldStop, share_from: int
) -> dict[str, Any]:
    """All tiles; who did which, by the number of its process."""

    def on_progress(progress: Progress) -> None:
        report("progress", **vars(progress))

    workspace.checkpoint.mkdir(parents=True, exist_ok=True)
    run = SimulatedRun(simulation, attempt, workspace, on_progress, should_stop)
    SimulatedTurns(report, share_from).do(run)  # type: ignore[arg-type]  all that it needs
    assert not run.to_do()
    folders = {tile.index: workspace.tile(tile.index) for tile in run.store.tiles}
    for index, folder in folders.items():
        assert (np.load(folder.array(ARRAY)) == index).all()
    return {str(index): json.loads(folder.facts.read_text())["process"] for index, folder in folders.items()}
