"""The tiles of a job that other workers help with, seen from its supervisor: `worker.child.shared_tiles` is its other
side.

A thread beside the job's process takes tiles for it, has the inputs of tiles laid ahead of those who help and puts them
into the storage, and fetches what others have done. Inputs and arrays lie below tiles/JOB/RUN, until the job ends.
"""

import logging
import queue
import shutil
import threading
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from worker import clock
from worker.errors import ServiceError
from worker.jobs import Job, tiles
from worker.jobs.tiles import TakenTile, TileState
from worker.running.attempt_context import AttemptContext
from worker.running.job_folder import SHARED_TILES, STORED, workspace_of
from worker.running.tile_folders import get_folder, put_folder

_log = logging.getLogger(__name__)

# Tiles whose inputs lie in the storage at a time, for those who help.
_MOST_LAID = 64
# Messages of the job's process that begin with a plan, and that this is about.
TILES, TURN, LAID = "tiles", "turn", "laid"


class TileSharing:
    """Shares the tiles of one attempt. `receive` may be called from any thread; `with` ends its own.

    failure: what it cannot go on after; the attempt must end then.
    """

    def __init__(self, context: AttemptContext, job: Job, folder: Path) -> None:
        self._context, self._job, self._folder = context, job, folder
        self._messages: queue.SimpleQueue[tuple[str, dict[str, Any]] | None] = queue.SimpleQueue()
        self._plan: _Plan | None = None
        self._over = False
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=copy_context().run, args=(self._run,), name="job-tiles", daemon=True)

    def receive(self, kind: str, values: dict[str, Any]) -> None:
        """Takes a message of the job's process."""
        self._messages.put((kind, values))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        self._messages.put(None)
        self._thread.join()
        if self._plan is not None:
            _without_service(self._plan.give_back)

    def _run(self) -> None:
        try:
            while not self._over:
                self._listen()
                if self._plan is not None and not self._over:
                    _without_service(self._plan.look)
        except Exception as error:
            _log.exception("tiles are not shared any more")
            self.failure = error

    def _listen(self) -> None:
        """Waits for a message, no longer than until the next look."""
        try:
            message = self._messages.get(timeout=None if self._plan is None else self._context.settings.poll_s)
        except queue.Empty:
            return
        if message is None:
            return
        kind, values = message
        if kind == TILES:
            self._plan = _Plan(self._context, self._job, self._folder, values["key"], values["to_do"])
        elif kind == TURN and self._plan is not None:
            self._plan.wish = values
        elif kind == LAID and self._plan is not None:
            self._plan.laid.append(values)


class _Plan:
    """The tiles of a run, and what was said of them. wish: for another tile, not yet answered. laid: not yet stored.

    Whatever cannot be done at one look, as database or storage are away, is done at a later one.
    """

    def __init__(self, context: AttemptContext, job: Job, folder: Path, key: str, to_do: list[int]) -> None:
        self._context, self._job, self._folder, self._key, self._to_do = context, job, folder, key, to_do
        self._exchange = folder / SHARED_TILES
        self._is_known = False
        self._own: TakenTile | None = None
        self._kept_at = self._rung_at = 0.0
        self._fetched: set[int] = set()
        self.wish: dict[str, Any] | None = None
        self.laid: list[dict[str, Any]] = []

    def look(self) -> None:
        """Does what is to be done now. Raises `ServiceError`."""
        database = self._context.database
        if not self._is_known:
            self._is_known = tiles.plan(database, self._job, self._key, self._to_do)
        while self.laid:
            self._store(self.laid[0])
            del self.laid[0]
        self._keep()
        self._note_done()
        states = tiles.states(database, self._job)
        self._fetch(states)
        if self.wish is not None:
            self._answer(self.wish, states)
        self._ask_for_inputs(states)

    def give_back(self) -> None:
        """Lets others have the tile that the job's process has not done. Raises `ServiceError`."""
        if self._own is not None:
            tiles.give_back(self._context.database, self._own)

    def _store(self, laid: dict[str, Any]) -> None:
        """The input of a tile, into the storage; then others hear of it."""
        tile, database = int(laid["tile"]), self._context.database
        if laid["filled"]:
            tiles.filled(database, self._job, tile)
            return
        source = self._exchange / f"laid-{tile}"
        if source.exists():
            put_folder(self._context.storage, tiles.tile_input_prefix(self._job.id, self._key, tile), source)
            shutil.rmtree(source, ignore_errors=True)
        if tiles.lay(database, self._job, tile):
            self._ring()

    def _ring(self) -> None:
        self._context.ring(self._job.resource_class)
        self._rung_at = clock.elapsed()

    def _keep(self) -> None:
        """The lease of the tile that the job's process has, which goes with the job's own."""
        now, settings = clock.elapsed(), self._context.settings
        if self._own is not None and now - self._kept_at >= settings.heartbeat_s:
            tiles.keep(self._context.database, self._own, lease_s=settings.lease_s)
            self._kept_at = now

    def _note_done(self) -> None:
        """The job's process wants another tile: it has done the one before."""
        if self.wish is not None and self._own is not None and self.wish["done"] == self._own.tile:
            tiles.done_own(self._context.database, self._job, self._own)
            self._own = None

    def _fetch(self, states: list[TileState]) -> None:
        """What others have done, into the workspace, whole."""
        for state in states:
            if state.prefix is None or state.state != "done" or state.tile in self._fetched:
                continue
            home = workspace_of(self._folder).tile(state.tile)
            if not home.facts.exists():
                fresh = self._exchange / f"got-{state.tile}"
                shutil.rmtree(fresh, ignore_errors=True)
                get_folder(self._context.storage, state.prefix, fresh)
                shutil.rmtree(home.path, ignore_errors=True)
                home.path.parent.mkdir(parents=True, exist_ok=True)
                (fresh / STORED).touch()
                fresh.rename(home.path)
            self._fetched.add(state.tile)

    def _answer(self, wish: dict[str, Any], states: list[TileState]) -> None:
        """A tile for the job's process; none where all are done, and no answer yet where others still are at theirs."""
        context = self._context
        self._own = tiles.take_own(context.database, self._job, self._key, lease_s=context.settings.lease_s)
        self._kept_at = clock.elapsed()
        if self._own is None and not all(state.state == "done" for state in states):
            return
        answer = self._exchange / f"turn-{wish['number']}"
        new = answer.with_name(f".{answer.name}")
        new.write_text("" if self._own is None else str(self._own.tile))
        new.replace(answer)
        self.wish = None

    def _ask_for_inputs(self, states: list[TileState]) -> None:
        """One is laid for whoever may come, and as many again as others are at work: they ask for the next one soon."""
        lead = self._job.lease_owner
        helping = sum(state.state == "taken" and not state.is_open and state.owner != lead for state in states)
        ready = sum(state.is_open and state.laid and not state.own for state in states)
        if ready and clock.elapsed() - self._rung_at >= self._context.settings.ring_again_s:
            self._ring()  # who was busy, or not there yet
        asked = len(list(self._exchange.glob("lay-*"))) + len(self.laid)
        wanted = min(2 * helping + 1, _MOST_LAID) - ready - asked
        # from the end: the job's own process begins at the beginning
        could = [state.tile for state in reversed(states) if state.is_open and not state.laid and not state.own]
        for tile in could[: max(0, wanted)]:
            if not (self._exchange / f"laid-{tile}").exists():
                (self._exchange / f"lay-{tile}").touch()


def _without_service(call: Callable[[], object]) -> None:
    """Database and storage may be away for a while."""
    try:
        call()
    except ServiceError as error:
        _log.warning("tiles have to wait: %s", error.detail)
