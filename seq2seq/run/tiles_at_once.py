"""Several processes of this machine do the tiles of a run at once; this one reads for them and watches over them."""

import time
from collections import Counter
from multiprocessing.connection import wait
from pathlib import Path

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import DecloudError, Stopped
from seq2seq.estimate import estimate
from seq2seq.machine import auto_count, share_devices, share_threads
from seq2seq.methods.base import Shape
from seq2seq.nn.devices import available_cores, available_devices
from seq2seq.progress import Progress
from seq2seq.run.tile_child import TileDone, TileFailed, TileRunner, TileTask
from seq2seq.run.tile_turns import TileRun
from seq2seq.shared_observations import SharedObservations, shared_folder
from seq2seq.subprocesses import STOP, Pool, Subprocess
from seq2seq.tiling import Tile

_LOOK_S = 0.2
# So often the same tile may end its process: once may be chance.
_MOST_ENDS = 2
_MEMORY = "fewer processes, or a smaller max_memory_gb, need less"
_WITHOUT = "processes 1 needs no such files"


class TileProcessError(DecloudError):
    """The processes that had one tile have ended, each in the middle of it."""

    code = "process-ended"


def choose_processes(asked: int | None, shape: Shape, config: ReconstructionConfig) -> int:
    """Returns how many processes do tiles: as asked for, or None: as many as the machine has room for.

    By itself it never is so many that tiles would have to be smaller than those of one process.
    """
    if asked is not None:
        return asked
    room = int(config.max_memory_gb / estimate(shape, config).memory_gb)
    return max(1, min(room, auto_count(config.device, available_devices(), available_cores())))


class TilesAtOnce:
    """Has `processes` processes do the tiles of a run, each with its share of the cores, on GPUs in turn.

    A tile whose process is killed is done by another, from its checkpoint on.
    """

    def __init__(self, processes: int, runner: type[TileRunner] = TileRunner) -> None:
        self._processes, self._runner = processes, runner

    def do(self, run: TileRun) -> float:
        """See `TileTurns`."""
        tiles = run.to_do()
        if not tiles:
            return 0.0
        count = min(self._processes, len(tiles))
        devices = share_devices(run.config.device, available_devices(), count)
        threads = share_threads(available_cores(), count)
        pool = Pool(
            devices,
            lambda device: _TileProcess(self._runner, run, device, threads),
            what="tiles",
            without="processes 1 needs none",
        )
        with shared_folder(run.store.folder) as folder, pool:
            return _Watch(run, pool, folder, tiles, count).run()


class _TileProcess(Subprocess):
    """One process, and the tile that it has. eta_s: of the tile, as it says. peak_gb: of its memory."""

    task: TileTask | None

    def __init__(self, runner: type[TileRunner], run: TileRun, device: str, threads: int) -> None:
        self.eta_s: float | None = None
        self.began = self.peak_gb = 0.0
        super().__init__(TileRunner.__module__, device, threads, (runner, run.work, device))

    def begin(self, task: TileTask) -> None:
        """Gives it a tile."""
        self.task, self.eta_s, self.began = task, None, time.monotonic()
        self.send(task)


class _Watch:
    """One look after the other at the processes, until all tiles are done.

    waiting: tiles that nobody has begun, first ones first; laid: of these, the ones whose observations lie on the disk.
    """

    def __init__(self, run: TileRun, pool: Pool[_TileProcess], folder: Path, tiles: list[Tile], count: int) -> None:
        self._run, self._pool, self._folder, self._count = run, pool, folder, count
        self._waiting, self._laid = tiles, dict[int, SharedObservations]()
        self._ends: Counter[int] = Counter()
        self._seconds: list[float] = []
        self._stopping = False

    def run(self) -> float:
        """See `TileTurns.do`."""
        self._report(None)
        while self._waiting or self._pool.busy:
            if self._run.should_stop() and not self._stopping:
                self._stopping = True
                for process in self._pool.members:
                    process.send(STOP)
            if not self._stopping:
                self._hand_out()
                self._lay_next()
            elif not self._pool.busy:
                raise Stopped(f"{self._done} of {len(self._run.store.tiles)} tiles are done")
            wait([process.connection for process in self._pool.members], _LOOK_S)
            for process in list(self._pool.members):
                self._listen(process)
        return sum(process.peak_gb for process in self._pool.members)

    @property
    def _done(self) -> int:
        return len(self._run.store.tiles) - len(self._waiting) - len(self._pool.busy)

    def _hand_out(self) -> None:
        while self._waiting and (process := self._pool.idle()) is not None:
            tile = self._lay_next()
            if tile is None:
                return
            budget_s = self._run.budget_s(len(self._waiting) + len(self._pool.busy), self._count)
            self._waiting.remove(tile)
            process.begin(TileTask(tile, self._laid.pop(tile.index), budget_s))

    def _lay_next(self) -> Tile | None:
        """The first tile that waits, its observations on the disk: one is read ahead, so that nobody waits for it."""
        while self._waiting:
            tile = self._waiting[0]
            if tile.index in self._laid:
                return tile
            observations = self._run.read(tile)
            if observations is not None:
                self._laid[tile.index] = SharedObservations.write(observations, self._folder, without=_WITHOUT)
                return tile
            self._waiting.remove(tile)
            self._report(None)
        return None

    def _listen(self, process: _TileProcess) -> None:
        try:
            for message in process.received():
                if isinstance(message, Progress):
                    process.eta_s = message.eta_s
                    self._report(self._named(process, message.message))
                else:
                    self._finish(process, message)
        except EOFError:
            self._ended(process)

    def _finish(self, process: _TileProcess, outcome: TileDone | TileFailed) -> None:
        """A tile that was stopped has its checkpoint, and the run says so when all others have theirs."""
        task, process.task = process.task, None
        assert task is not None, "nothing ends without a task"
        task.shared.remove()
        if isinstance(outcome, TileDone):
            self._seconds.append(time.monotonic() - process.began)
            process.peak_gb = outcome.peak_gb
            self._report(None)
        elif isinstance(outcome.error, Stopped):
            self._waiting.insert(0, task.tile)
        else:
            if outcome.trace:
                outcome.error.add_note(f"{self._run.name_of(task.tile)}, in its process:\n{outcome.trace}")
            raise outcome.error

    def _ended(self, process: _TileProcess) -> None:
        task = process.task
        if task is not None:
            self._waiting.insert(0, task.tile)
            self._laid[task.tile.index] = task.shared
            self._ends[task.tile.index] += process.is_ready
        how = self._pool.ended(process, _MEMORY)
        if task is None:
            return
        said = f"{self._run.name_of(task.tile)}: {how}"
        if self._ends[task.tile.index] >= _MOST_ENDS:
            raise TileProcessError(f"{said}; so did the one before it, at the same tile")
        self._report(f"{said}; another one goes on")

    def _named(self, process: _TileProcess, message: str | None) -> str | None:
        return None if message is None or process.task is None else f"{self._run.name_of(process.task.tile)}: {message}"

    def _report(self, message: str | None) -> None:
        progress = Progress("tiles", self._done, len(self._run.store.tiles), eta_s=self._eta_s(), message=message)
        self._run.on_progress(progress)

    def _eta_s(self) -> float | None:
        """What those at work still need, and what waits, shared among all; by tiles that are done, or as expected."""
        now, busy = time.monotonic(), self._pool.busy
        remaining = [process.eta_s for process in busy if process.eta_s is not None]
        known = self._seconds or [now - process.began + process.eta_s for process in busy if process.eta_s is not None]
        if not known:
            return None
        usual = sum(known) / len(known)
        unknown = [max(usual - (now - process.began), 0.0) for process in busy if process.eta_s is None]
        running = remaining + unknown
        return max([*running, (sum(running) + usual * len(self._waiting)) / self._count])
