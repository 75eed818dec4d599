"""Waiting for something to happen to a job, or to any of an owner's: however many wait, one look is for all of them."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

from anyio import to_thread

from worker.database.connections import Database
from worker.errors import ServiceError

_log = logging.getLogger(__name__)

_LOOK_S = 0.25

V = TypeVar("V")


class Watch(Generic[V]):
    """Asks for versions while somebody waits, and at no other time. versions: of many at once, by id; what is not there
    has none."""

    def __init__(
        self,
        database: Database,
        versions: Callable[[Database, Sequence[str]], Mapping[str, V]],
        look_s: float = _LOOK_S,
    ) -> None:
        self._database, self._versions, self._look_s = database, versions, look_s
        self._waiting: dict[str, list[tuple[V | None, asyncio.Future[None]]]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def version(self, watched: str) -> V | None:
        """The version now; take it before looking at the thing itself, so that nothing falls in between."""
        return (await to_thread.run_sync(self._versions, self._database, [watched])).get(watched)

    async def changed(self, watched: str, since: V | None, timeout_s: float) -> bool:
        """Whether it has become another than `since` within that time."""
        happened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(watched, [])
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
            if not waiting and self._waiting.get(watched) is waiting:
                del self._waiting[watched]
        return True

    async def _look(self) -> None:
        while self._waiting:
            try:
                asked = list(self._waiting)
                self._wake(asked, await to_thread.run_sync(self._versions, self._database, asked))
            except ServiceError as error:
                _log.warning("waiting for a database that is away: %s", error.detail)
            await asyncio.sleep(self._look_s)

    def _wake(self, asked: Sequence[str], found: Mapping[str, V]) -> None:
        for watched in asked:
            for since, happened in self._waiting.get(watched, ()):
                if found.get(watched) != since and not happened.done():
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
