"""All jobs of an owner, as they change: one stream for a list."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

import orjson
from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.responses import StreamingResponse

from api.deps import AddressesDep, CallerDep, ServicesDep, still_admitted
from api.process.status import status_info
from api.routes.documented import may_answer
from api.routes.streaming import (
    EVENT_STREAM,
    LARGEST_ID,
    RECONNECT_MS,
    SILENT_S,
    StreamAnswer,
    changed,
    seen_by,
    while_there,
)
from api.services import Services
from worker.jobs import Job
from worker.jobs.changes import OwnerVersion, changed_jobs, jobs_after

router = APIRouter(tags=["jobs"])

# Whatever happens, a reader is told no more often.
_PAUSE_S = 1.0


@router.get(
    "/jobs/events",
    response_class=StreamingResponse,
    responses=EVENT_STREAM | may_answer(),
    summary="All your jobs as they change",
)
async def job_changes(
    request: Request,
    services: ServicesDep,
    caller: CallerDep,
    addresses: AddressesDep,
    last_event_id: Annotated[str | None, Header(max_length=100, description="Go on after this one.")] = None,
    after: Annotated[
        int | None, Query(ge=0, le=LARGEST_ID, description="As Last-Event-ID, for clients that cannot set it.")
    ] = None,
) -> StreamingResponse:
    """Server-Sent Events, without end. `job`: a job's document as in the list: first of every one that has not ended
    and, with `Last-Event-ID`, of those that changed since; then whenever one comes, changes or ends. `ready`: the first
    ones are told; what has ended before is not among them. `removed`: the id of a job that is there no longer."""
    seen = seen_by(last_event_id, after)
    return StreamAnswer(_Changes(services, caller.owner, addresses.base, seen).run(request), services, caller.owner)


class _Changes:
    """One reader of one owner's jobs. seen: the id of the last event it was sent, where it comes back."""

    def __init__(self, services: Services, owner: str, base: str, seen: int | None) -> None:
        self._services, self._owner, self._base, self._seen = services, owner, base, seen

    def run(self, request: Request) -> AsyncIterator[bytes]:
        """Sends until the reader goes or may read no longer, or the server stops."""
        return while_there(self._pieces(request), "stream of jobs")

    async def _pieces(self, request: Request) -> AsyncIterator[bytes]:
        services, loop = self._services, asyncio.get_running_loop()
        yield format_sse_event(retry=RECONNECT_MS)
        now = await self._version()
        yield await self._first(now)
        silent_since = loop.time()
        while not services.stopping.is_set() and await still_admitted(request):
            if await changed(services.watch_owners, self._owner, now):
                earlier, now = now, await self._version()
                silent_since = loop.time()
                yield await self._news(now, earlier)
                await self._pause()
            elif loop.time() - silent_since > SILENT_S:
                silent_since = loop.time()
                yield KEEPALIVE_COMMENT

    async def _version(self) -> OwnerVersion:
        return await self._services.watch_owners.version(self._owner) or OwnerVersion({}, 0)

    async def _first(self, now: OwnerVersion) -> bytes:
        """Every job that has not ended, those of which somebody who comes back has not heard, and `ready`."""
        none = OwnerVersion({}, now.newest)
        found = await to_thread.run_sync(changed_jobs, self._services.database, self._owner, now, none)
        if self._seen is not None:
            missed = await to_thread.run_sync(jobs_after, self._services.database, self._owner, self._seen)
            found = tuple({job.number: job for job in (*missed, *found)}.values())
        return self._told(found) + format_sse_event(data_str="{}", event="ready", id=str(now.position))

    async def _news(self, now: OwnerVersion, earlier: OwnerVersion) -> bytes:
        found = await to_thread.run_sync(changed_jobs, self._services.database, self._owner, now, earlier)
        removed = (now.ids_changed_since(earlier) & earlier.active.keys()) - {job.id for job in found}
        gone = [
            format_sse_event(data_str=orjson.dumps({"id": job_id}).decode(), event="removed", id=str(now.position))
            for job_id in sorted(removed)
        ]
        return self._told(found, now.position) + b"".join(gone)

    def _told(self, found: Sequence[Job], position: int | None = None) -> bytes:
        """position: what a reader has heard of once the last one has arrived."""
        documents = [orjson.dumps(status_info(job, None, self._base)).decode() for job in found]
        ids = [None] * len(documents) if position is None else [*[None] * (len(documents) - 1), str(position)]
        pairs = zip(documents, ids, strict=False)
        return b"".join(format_sse_event(data_str=document, event="job", id=event_id) for document, event_id in pairs)

    async def _pause(self) -> None:
        """Until there may be news again, or the server stops."""
        try:
            async with asyncio.timeout(_PAUSE_S):
                await self._services.stopping.wait()
        except TimeoutError:
            return
