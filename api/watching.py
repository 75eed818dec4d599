"""Waiting for something to happen to a job: however many wait, one query asks for all of them."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

from anyio import to_thread

from worker.database.connections import Database
from worker.errors import ServiceError
from worker.jobs.changes import JobVersion, versions

_log = logging.getLogger(__name__)

_LOOK_S = 0.25


class Watch:
    """Asks for versions of jobs while somebody waits, and at no other time."""

    def __init__(self, database: Database, look_s: float = _LOOK_S) -> None:
        self._database, self._look_s = database, look_s
        self._waiting: dict[str, list[tuple[JobVersion | None, asyncio.Future[None]]]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def version(self, job_id: str) -> JobVersion | None:
        """The job's version now; take it before looking at the job, so that nothing falls in between."""
        return (await to_thread.run_sync(versions, self._database, [job_id])).get(job_id)

    async def changed(self, job_id: str, since: JobVersion | None, timeout_s: float) -> bool:
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
                self._wake(asked, await to_thread.run_sync(versions, self._database, asked))
            except ServiceError as error:
                _log.warning("waiting for a database that is away: %s", error.detail)
            await asyncio.sleep(self._look_s)

    def _wake(self, asked: Sequence[str], found: dict[str, JobVersion]) -> None:
        for job_id in asked:
            for since, happened in self._waiting.get(job_id, ()):
                if found.get(job_id) != since and not happened.done():
                    happened.set_result(None)

    def release(self) -> None:
        """Answers everybody who waits."""
        for waiting in self._waiting.values():
            for _, happened in waiting:
                if not happened.done():
                    happened.set_result(None)

    async def close(self) -> None:
        """Asks no more."""
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking
