"""A worker without a job does one tile of another's: a folder, a process of its own, its arrays in the storage."""

import logging
import os
import shutil
import threading
from contextvars import copy_context
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from worker import clock, logs
from worker.database.connections import Database
from worker.errors import NotFound, ServiceError
from worker.jobs import tiles
from worker.jobs.tiles import TakenTile
from worker.processes.child_process import ChildProcess, ProcessExit, Stop
from worker.running.attempt import CANCELLED, LOST, STOPPING, child_environment
from worker.running.attempt_context import AttemptContext
from worker.running.job_folder import DONE, LOG, SHARED_TILES, STOPPED, log_tail, workspace_of
from worker.running.tile_folders import get_folder, put_folder
from worker.settings import Settings

_log = logging.getLogger(__name__)

# The tile's row is looked at no less often, so that cancelling takes effect at once.
_QUIET_S = 2.0


class TileLease:
    """Keeps a tile's lease in a thread, and learns of loss and cancellation."""

    def __init__(self, database: Database, taken: TakenTile, settings: Settings) -> None:
        self.lost, self.cancelled = threading.Event(), threading.Event()
        self._database, self._taken, self._settings = database, taken, settings
        self._over = threading.Event()
        self._thread = threading.Thread(target=copy_context().run, args=(self._run,), name="tile-lease", daemon=True)

    def keep(self) -> bool:
        """Keeps it once, now. Returns whether it is still ours; True as well where the database did not answer."""
        try:
            beat = tiles.keep(self._database, self._taken, lease_s=self._settings.lease_s)
        except ServiceError as error:
            _log.warning("heartbeat of a tile failed: %s", error.detail)
            return not self.lost.is_set()
        if not beat.kept:
            self.lost.set()
        if beat.cancelled:
            self.cancelled.set()
        return beat.kept

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(min(self._settings.heartbeat_s, _QUIET_S)) and not self.lost.is_set():
            self.keep()


class TileHelper:
    """Does one tile at a time of jobs that other workers lead."""

    def __init__(self, context: AttemptContext, worker_id: str, classes: tuple[str, ...]) -> None:
        self._context, self._worker_id, self._classes = context, worker_id, classes

    def take(self) -> TakenTile | None:
        """Takes a tile that anybody may do; None where there is none. Raises `DatabaseUnavailable`."""
        settings = self._context.settings
        if not settings.share_tiles_from:
            return None
        return tiles.take(
            self._context.database, worker_id=self._worker_id, classes=self._classes, lease_s=settings.lease_s
        )

    def see_through(self, taken: TakenTile) -> None:
        """Does the tile, whatever its end; what goes wrong is the lead's to say."""
        folder = self._context.settings.work_dir / taken.job_id / f"tile-{taken.tile}-{taken.attempt}"
        fields = {"tile": taken.tile}
        with logs.bound(job_id=taken.job_id, attempt=taken.job_attempt, worker_id=self._worker_id):
            _log.info("tile taken", extra=fields)
            try:
                with TileLease(self._context.database, taken, self._context.settings) as lease:
                    how = self._do(taken, folder, lease)
            except ServiceError as error:  # it passes; meanwhile another may be luckier
                how = f"has to wait: {error.detail}"
                self._end(lambda: tiles.give_back(self._context.database, taken))
            except Exception:
                _log.exception("helping failed")
                how = "failed"
                self._refuse(taken, "the worker failed")
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            _log.info("tile over", extra={**fields, "outcome": how})

    def _do(self, taken: TakenTile, folder: Path, lease: TileLease) -> str:
        began = clock.elapsed()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            get_folder(self._context.storage, taken.input_prefix, folder / SHARED_TILES)
        except NotFound:
            lease.keep()
            self._refuse(taken, "its input is gone")
            return "input gone"
        ended = self._run_child(taken, folder, lease)
        if ended.stopped in (LOST, CANCELLED):
            return ended.stopped
        if ended.stopped == STOPPING or ended.status == STOPPED:
            self._end(lambda: tiles.give_back(self._context.database, taken))
            return STOPPING
        if ended.status != DONE:
            fields = {"exit_status": ended.status, "output": log_tail(folder)}
            _log.warning("process of a tile failed", extra=fields)
            self._refuse(taken, f"its process ended with status {ended.status}")
            return "failed"
        return self._deliver(taken, folder, lease, clock.elapsed() - began)

    def _deliver(self, taken: TakenTile, folder: Path, lease: TileLease, seconds: float) -> str:
        """The arrays first, then the word that they are there; late ones are nobody's and go."""
        storage, prefix = self._context.storage, taken.result_prefix
        if not lease.keep():
            return LOST
        try:
            put_folder(storage, prefix, workspace_of(folder).tile(taken.tile).path)
        except BaseException:
            storage.delete_prefix(prefix)
            raise
        message = f"Tile {taken.tile + 1} is done, in {seconds:.0f} s, by worker {self._worker_id}."
        done = self._context.insist(lambda: tiles.done(self._context.database, taken, prefix=prefix, message=message))
        if done is False:
            storage.delete_prefix(prefix)
        return "done" if done else LOST

    def _run_child(self, taken: TakenTile, folder: Path, lease: TileLease) -> ProcessExit:
        context = self._context
        grace_s = context.settings.cancel_grace_s

        def why_to_stop() -> Stop | None:
            if lease.lost.is_set():
                return Stop(LOST)
            if lease.cancelled.is_set():
                return Stop(CANCELLED, grace_s)
            return Stop(STOPPING, grace_s) if context.stopping.is_set() else None

        temporary = folder / "tmp"
        temporary.mkdir()
        with (
            (folder / LOG).open("ab") as log,
            ChildProcess(
                [*context.tile_command, str(folder)],
                folder=folder,
                environment={**child_environment(os.environ, context.device), "TMPDIR": str(temporary)},
                output=log.fileno(),
                on_message=_ignore,
            ) as child,
        ):
            return child.supervise(why_to_stop, within_s=taken.max_run_s or context.settings.max_run_s, grace_s=grace_s)

    def _refuse(self, taken: TakenTile, why: str) -> None:
        message = (
            f"Tile {taken.tile + 1} was not done by worker {self._worker_id}: {why}. The job's own worker does it."
        )
        self._end(lambda: tiles.refuse(self._context.database, taken, message))

    def _end(self, call: Any) -> None:
        """Where the database does not answer, the lease runs out, which says the same."""
        try:
            call()
        except ServiceError as error:
            _log.warning("database does not take the end of a tile: %s", error.detail)


def _ignore(_: dict[str, Any]) -> None:
    """The lead counts tiles; what happens within one is not shown."""
