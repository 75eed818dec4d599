"""One try's hold of an export, and the ways in which it ends early."""

import time
from collections.abc import Callable

from worker import clock
from worker.database.connections import Database
from worker.errors import DatabaseUnavailable
from worker.jobs import exports
from worker.jobs.exports import Export

# Longer than any step between two beats: the longest silence of a server, or the retries of an object store.
LEASE_S = 240.0
_BEAT_S = 10.0
_AGAIN_S = 1.0
_MARGIN_S = 30.0


class NotNow(Exception):  # noqa: N818  named as it is told
    """It did not work this time; the text says why, and shows no secret. asked_s: how long they want to have rest."""

    def __init__(self, why: str, asked_s: float = 0.0) -> None:
        super().__init__(why)
        self.asked_s = asked_s


class Never(Exception):  # noqa: N818
    """It will not work however often it is tried; the text says why, and shows no secret."""


class Lost(Exception):  # noqa: N818
    """The job was removed, or somebody else has taken the export: nothing more is to be sent or written down."""


class Stopped(Exception):  # noqa: N818
    """This process is about to end; another goes on."""


class Lease:
    """Holds an export while it is being delivered. files, sent: that are there, from this try and those before it."""

    def __init__(self, database: Database, export: Export, *, is_stopping: Callable[[], bool]) -> None:
        self._database, self._export, self._is_stopping = database, export, is_stopping
        self.files, self.sent, self.tries = export.files, export.bytes, export.tries
        self._next = self._until = 0.0
        self._count_from_now()

    def beat(self) -> None:
        """Call it with every piece that is sent. Raises `Lost`, `Stopped`; `DatabaseUnavailable` where the database
        was away for so long that somebody else may have taken the export."""
        if self._is_stopping():
            raise Stopped
        if clock.elapsed() < self._next:
            return
        try:
            self._kept(exports.renew(self._database, self._export, lease_s=LEASE_S))
        except DatabaseUnavailable:
            if clock.elapsed() >= self._until:
                raise
            self._next = clock.elapsed() + _AGAIN_S

    def advance(self, size: int) -> None:
        """One more file is there. Raises as `beat`, and waits for a database that is away."""
        self.files, self.sent, self.tries = self.files + 1, self.sent + size, 0
        while True:
            try:
                kept = exports.advance(self._database, self._export, files=self.files, sent=self.sent, lease_s=LEASE_S)
                self._kept(kept)
                return
            except DatabaseUnavailable:
                if self._is_stopping() or clock.elapsed() >= self._until:
                    raise
                time.sleep(_AGAIN_S)

    def _kept(self, kept: bool) -> None:
        if not kept:
            raise Lost
        self._count_from_now()

    def _count_from_now(self) -> None:
        now = clock.elapsed()
        self._next, self._until = now + _BEAT_S, now + LEASE_S - _MARGIN_S
