"""Keeps a job's lease while its child works, stores its progress, and learns of loss and cancellation."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from types import TracebackType
from typing import Any, Self

from worker import clock, jobs
from worker.database.connections import Database
from worker.errors import ServiceError
from worker.jobs import Job
from worker.running import verdicts
from worker.settings import Settings

_log = logging.getLogger(__name__)

# A quiet child's row is looked at no less often, so that cancelling takes effect at once.
_QUIET_S = 2.0
_MESSAGES = 100
# The kind of the events that hold a small picture of what is in the making; the latest ones are kept for a beat.
PICTURE = "picture"
_PICTURES = 9
# A step is recorded when this share of the time so far has passed since the last one.
_NOTED_SHARE = 0.01


class Heartbeat:
    """Keeps the lease: at least every `heartbeat_s`, once every `poll_s` while there is progress, and when a phase
    begins.

    lost: somebody else has the job, nothing may be written any more. cancel_requested: its owner wants it to end.
    pictures: each of one date, as the job's process sends them, for those who watch; the latest are recorded.
    advanced: the attempt has stored a newer checkpoint than it began with, and the database knows.
    A database that does not answer is asked again; whether the lease was lost meanwhile, it will say.
    """

    def __init__(self, database: Database, job: Job, settings: Settings) -> None:
        self.lost, self.cancel_requested = threading.Event(), threading.Event()
        self.advanced = False
        self._has_advanced: Callable[[], bool] = lambda: False
        self._database, self._job, self._settings = database, job, settings
        self._progress: dict[str, Any] | None = None
        self._messages: deque[str] = deque(maxlen=_MESSAGES)
        self.pictures: deque[dict[str, Any]] = deque(maxlen=_PICTURES)
        self._phase: object = None
        self._began = self._noted = clock.elapsed()
        self._over, self._new_phase = threading.Event(), threading.Event()
        self._beating = threading.Lock()
        self._thread = threading.Thread(target=copy_context().run, args=(self._run,), name="job-heartbeat", daemon=True)

    def report(self, progress: dict[str, Any]) -> None:
        """Takes the latest progress (fields of `seq2seq.progress.Progress`); its message is kept for the user's log."""
        if progress.get("message"):
            self._messages.append(str(progress["message"]))
        if progress.get("phase") != (self._progress or {}).get("phase", self._phase):
            self._new_phase.set()
        self._progress = progress

    def watch(self, has_advanced: Callable[[], bool]) -> None:
        """Has every heartbeat from now on ask `has_advanced`, until it says yes."""
        self._has_advanced = has_advanced

    @property
    def learnt(self) -> dict[str, Any]:
        """Returns what earlier attempts asked this one for, as far as it still holds."""
        before = self._job.retry or {}
        return verdicts.lasting(before) if self.advanced else before

    def beat(self) -> bool:
        """Beats once, now. Returns whether the job is still ours; True as well where the database did not answer."""
        with self._beating:
            try:
                self._beat()
            except ServiceError as error:
                _log.warning("heartbeat failed: %s", error.detail)
            return not self.lost.is_set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._new_phase.set()
        self._thread.join()

    def _run(self) -> None:
        quiet_s = min(self._settings.heartbeat_s, _QUIET_S)
        beaten = clock.elapsed()
        while not self._is_over(min(self._settings.poll_s, quiet_s)):
            if self._progress is not None or clock.elapsed() - beaten >= quiet_s:
                beaten = clock.elapsed()
                if not self.beat():
                    return

    def _is_over(self, within_s: float) -> bool:
        """Waits for the end, or less long for a phase to begin."""
        self._new_phase.wait(within_s)
        self._new_phase.clear()
        return self._over.is_set()

    def _beat(self) -> None:
        progress, self._progress = self._progress, None
        beat = jobs.heartbeat(self._database, self._job, lease_s=self._settings.lease_s, progress=progress)
        if not beat.kept:
            self.lost.set()
            return
        if beat.cancel_requested:
            self.cancel_requested.set()
        if not self.advanced and self._has_advanced():
            self.advanced = jobs.advanced(self._database, self._job, retry=verdicts.lasting(self._job.retry or {}))
        while self._messages:
            self._record("log", {"message": self._messages.popleft()})
        while self.pictures:
            self._record(PICTURE, self.pictures.popleft())
        if progress is not None:
            self._note(progress)

    def _note(self, progress: dict[str, Any]) -> None:
        """For the user's log the beginning of each phase; for the curve steps, ever more seldom: hundreds, not more."""
        if progress.get("phase") != self._phase:
            self._phase = progress.get("phase")
            self._record("phase", {"phase": self._phase})
        now = clock.elapsed()
        if progress.get("loss") is not None and now - self._noted >= _NOTED_SHARE * (now - self._began):
            self._noted = now
            self._record("step", progress)

    def _record(self, kind: str, data: dict[str, Any]) -> None:
        jobs.record(self._database, self._job, kind, data)
