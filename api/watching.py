"""Waiting for something to happen to a job: however many wait, one query asks for all of them."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from anyio import to_thread
from sqlalchemy import func, select

from worker.database.connections import Database
from worker.database.sql import is_id
from worker.database.tables import job_events, jobs
from worker.errors import ServiceError

_log = logging.getLogger(__name__)

_LOOK_S = 0.25
# Values in one query; SQLite takes 32 766.
_BATCH = 1000


@dataclass(frozen=True)
class Mark:
    """Differs whenever a job's row or its events do. Of a job that is gone there is none."""

    updated: float
    event: int


class Watch:
    """Looks while somebody waits, and at no other time."""

    def __init__(self, database: Database, look_s: float = _LOOK_S) -> None:
        self._database, self._look_s = database, look_s
        self._waiting: dict[str, list[tuple[Mark | None, asyncio.Future[None]]]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def mark(self, job_id: str) -> Mark | None:
        """How the job is now; take it before looking at the job, so that nothing falls in between."""
        if not is_id(job_id):
            return None
        return (await to_thread.run_sync(marks, self._database, [job_id])).get(job_id)

    async def changed(self, job_id: str, since: Mark | None, timeout_s: float) -> bool:
        """Whether the job has become another than `since` within that time."""
        happened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(job_id, [])
        waiting.append((since, happened))
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(timeout_s):
                await happened
        except TimeoutError:
            return False
        finally:
            waiting[:] = [entry for entry in waiting if entry[1] is not happened]
            if not waiting and self._waiting.get(job_id) is waiting:
                del self._waiting[job_id]
        return True

    async def _look(self) -> None:
        while self._waiting:
            try:
                asked = list(self._waiting)
                self._wake(asked, await to_thread.run_sync(marks, self._database, asked))
            except ServiceError as error:
                _log.warning("waiting for a database that is away: %s", error.detail)
            await asyncio.sleep(self._look_s)

    def _wake(self, asked: Sequence[str], found: dict[str, Mark]) -> None:
        for job_id in asked:
            for since, happened in self._waiting.get(job_id, ()):
                if found.get(job_id) != since and not happened.done():
                    happened.set_result(None)

    def release(self) -> None:
        """Nobody waits any longer."""
        for waiting in self._waiting.values():
            for _, happened in waiting:
                if not happened.done():
                    happened.set_result(None)

    async def close(self) -> None:
        """Looks no more."""
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking


def marks(database: Database, job_ids: Sequence[str]) -> dict[str, Mark]:
    """Of those jobs that are there."""
    newest = select(func.max(job_events.c.id)).where(job_events.c.job_id == jobs.c.id).scalar_subquery()
    found: dict[str, Mark] = {}
    with database.read() as connection:
        for start in range(0, len(job_ids), _BATCH):
            query = select(jobs.c.id, jobs.c.updated, newest).where(jobs.c.id.in_(job_ids[start : start + _BATCH]))
            found |= {row[0]: Mark(row[1], row[2] or 0) for row in connection.execute(query)}
    return found
