"""One scene on many workers: processes of one machine that do its tiles, and 32 workers of a service that share a job.

The 32 workers are threads of one process whose tiles only sleep: what is measured is what coordinating them costs. All
else is the service's own: claims, leases, the database, inputs and arrays on their way through the storage.
"""

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
from affine import Affine
from busy import processors_busy_s
from measuring import DECLOUD, measure
from odc.geo.geobox import GeoBox
from parts import Bench, Row

from seq2seq.sequence import ImageSequence, Observations
from seq2seq.tiling import Tile, plan_tiles
from seq2seq.workspace import Workspace
from worker import jobs
from worker.child.shared_tiles import SharedTurns
from worker.database.connections import Database
from worker.database.migrate import migrate
from worker.jobs import Job, tiles
from worker.processes.child_process import ProcessExit
from worker.running.job_folder import DONE, SHARED_TILES, workspace_of
from worker.running.supervisor import Supervisor
from worker.running.tile_helping import TileHelper
from worker.running.tile_sharing import TileSharing
from worker.settings import Settings
from worker.storage import open_storage

# 16 tiles: with 9, as before, one of two had to do five.
METHOD, SIZE, DATES, TILE_PX, OVERLAP_PX, REPEATS = "trees", 208, 8, 64, 16, 3
WORKERS, TILES_EACH, TILE_S = 32, 7, 10.0
QUICK = {"workers": 4, "tiles_each": 2, "tile_s": 0.5}
# What the coordinator does in the database.
CALLS = ("plan", "states", "lay", "take_own", "take", "keep", "done", "done_own")
_GEOBOX = GeoBox((4, 4), Affine(10, 0, 600_000, 0, -10, 5_600_000), "EPSG:32631")


def workers(bench: Bench) -> Iterator[Row]:
    """Two single-thread processes beside one, alternating; then simulated workers."""
    yield processes(bench)
    yield simulated(bench.work, **(QUICK if bench.quick else {}))


def processes(bench: Bench) -> Row:
    """Medians of runs by one and by two processes, of one thread each, in turn: other work meets both."""
    dates, size = (bench.scale_dates, 48) if bench.quick else (DATES, SIZE)
    source = bench.work / f"tiles-{dates}-{size}"
    if not source.exists():
        words = ("--dates", str(dates), "--size", str(size), "--bands", "10m", "--cloud", "0.5")
        measure([DECLOUD, "simulate", source, *words])
    tile = ("--tile-px", "32", "--overlap-px", "8") if bench.quick else ("--tile-px", str(TILE_PX))
    options = ("--method", METHOD, *tile, "--overlap-px", str(OVERLAP_PX if not bench.quick else 8), "--device", "cpu")
    seconds: dict[int, list[float]] = {1: [], 2: []}
    cpu_s: dict[int, list[float]] = {1: [], 2: []}
    others: list[float] = []
    for _ in range(1 if bench.quick else REPEATS):
        for count in (1, 2):
            with mock.patch.dict(os.environ, OMP_NUM_THREADS=str(count)):  # shared among them: one each
                before = processors_busy_s()
                measured, _ = bench.run(source, f"out-{source.name}", *options, "--processes", str(count))
            others.append((processors_busy_s() - before - measured.cpu_s) / measured.wall_s)
            seconds[count].append(measured.wall_s)
            cpu_s[count].append(measured.cpu_s)
    one, two = (statistics.median(seconds[count]) for count in (1, 2))
    return {
        "key": f"2 processes of one machine: {METHOD}, {dates} x 4 x {size} x {size}",
        "workers": 2,
        "one_s": one,
        "together_s": two,
        "speed_up": one / two,
        "cpu_ratio": statistics.median(cpu_s[2]) / statistics.median(cpu_s[1]),
        "strangers": max(0.0, *others),
        "coordinator_ms": None,
    }


def simulated(work: Path, *, workers: int = WORKERS, tiles_each: int = TILES_EACH, tile_s: float = TILE_S) -> Row:
    """A job of sleeping tiles, its lead and helpers; the time of one worker is that of all sleeps."""
    count = workers * tiles_each
    with ExitStack() as stack:
        calls = stack.enter_context(_timed())
        service = _Service(work / f"workers-{time.monotonic_ns()}", tile_s)
        stack.callback(service.database.close)
        cpu_s, began = time.process_time(), time.monotonic()
        service.run(workers, count)
        wall_s, cpu_s = time.monotonic() - began, time.process_time() - cpu_s
    return {
        "key": f"{workers} workers of a service, SIMULATED: {count} tiles of {tile_s:g} s",
        "workers": workers,
        "one_s": count * tile_s,
        "together_s": wall_s,
        "speed_up": count * tile_s / wall_s,
        "cpu_ratio": None,
        "strangers": None,
        "coordinator_ms": 1000 * sum(calls) / count,
        "cpu_ms": 1000 * cpu_s / count,
    }


@contextmanager
def _timed() -> Iterator[list[float]]:
    """Processor seconds of all calls into the database that are about tiles: on a busy machine waits say nothing."""
    seconds: list[float] = []

    def timed(call: Callable[..., Any], *arguments: Any, **values: Any) -> Any:
        began = time.thread_time()
        try:
            return call(*arguments, **values)
        finally:
            seconds.append(time.thread_time() - began)

    with ExitStack() as stack:
        for name in CALLS:
            stack.enter_context(mock.patch.object(tiles, name, partial(timed, getattr(tiles, name))))
        yield seconds


class _Service:
    """A database and a storage of their own, with workers as threads."""

    def __init__(self, folder: Path, tile_s: float) -> None:
        self.tile_s = tile_s
        self.settings = Settings(data=folder, database_url=f"sqlite:///{folder / 'decloud.db'}")
        folder.mkdir(parents=True)
        self.database = Database(self.settings.database_url)
        migrate(self.database)
        self.storage = open_storage(self.settings.storage_url)
        self.over = threading.Event()

    def run(self, workers: int, count: int) -> None:
        """One job of `count` tiles, from its claim until its lead has them all."""
        jobs.submit(self.database, owner="ann", input_id=None, params={}, limits=self.settings)
        job = jobs.claim(self.database, worker_id="lead", classes=("cpu",), lease_s=3600)
        assert job is not None
        helpers = [threading.Thread(target=self._help, args=(f"helper-{k}",)) for k in range(1, workers)]
        for thread in helpers:
            thread.start()
        try:
            self._lead(job, count)
        finally:
            self.over.set()
            for thread in helpers:
                thread.join()

    def _lead(self, job: Job, count: int) -> None:
        folder = self.settings.work_dir / job.id / "1"
        folder.mkdir(parents=True)
        run = _Run(folder, count)
        with TileSharing(self._supervisor("lead")._context, job, folder) as sharing:
            _Turns(lambda kind, **values: sharing.receive(kind, values), folder, self.tile_s).do(run)  # type: ignore[arg-type]
        assert not run.to_do()

    def _help(self, name: str) -> None:
        supervisor = self._supervisor(name)
        supervisor._helper = _Sleeping(supervisor._context, name, ("cpu",), self.tile_s)
        while not self.over.is_set():
            if not supervisor.work_once():
                self.over.wait(self.settings.poll_s)

    def _supervisor(self, name: str) -> Supervisor:
        return Supervisor(self.database, self.storage, self.settings, worker_id=name)


class _Sleeping(TileHelper):
    """Its tiles' processes only sleep."""

    def __init__(self, *arguments: Any) -> None:
        *given, self._tile_s = arguments
        super().__init__(*given)

    def _run_child(self, taken: tiles.TakenTile, folder: Path, lease: Any) -> ProcessExit:
        time.sleep(self._tile_s)
        _finish(workspace_of(folder), taken.tile)
        return ProcessExit(DONE, self._tile_s, 0.0, 0, 0)


class _Turns(SharedTurns):
    """Its own tiles only sleep, too."""

    def __init__(self, report: Any, folder: Path, tile_s: float) -> None:
        super().__init__(report, 1)
        self._folder, self._home, self._tile_s = folder / SHARED_TILES, folder, tile_s

    def _do(self, run: Any, tile: Tile, waiting: int) -> None:
        time.sleep(self._tile_s)
        _finish(workspace_of(self._home), tile.index)


class _Run:
    """What `SharedTurns` needs of a run."""

    key = "simulated"

    def __init__(self, folder: Path, count: int) -> None:
        self.store = SimpleNamespace(tiles=plan_tiles(4, 4 * count, tile_px=4, overlap_px=0), bands=("B02",))
        self.config = SimpleNamespace(to_dict=dict)
        self._workspace = workspace_of(folder)

    def to_do(self) -> list[Tile]:
        return [tile for tile in self.store.tiles if not self._workspace.tile(tile.index).facts.exists()]

    def read(self, tile: Tile) -> Observations:
        dates = np.array(["2021-05-01"], dtype="datetime64[D]")
        shape = (1, 4, 4)
        s2 = ImageSequence(
            np.zeros((1, *shape), dtype=np.float32), dates, ("B02",), _GEOBOX, np.ones(shape, dtype=bool)
        )
        return Observations(s2=s2, s1=None, cloud_mask=np.zeros(shape, dtype=bool), s1_dates=dates)

    def budget_s(self, waiting: int, at_once: int = 1) -> None:
        return None

    def on_progress(self, progress: object) -> None:
        """Nobody watches."""

    def should_stop(self) -> bool:
        return False


def _finish(workspace: Workspace, tile: int) -> None:
    folder = workspace.tile(tile)
    folder.path.mkdir(parents=True, exist_ok=True)
    np.save(folder.array("pixels"), np.zeros(1))
    folder.facts.write_text("{}")
