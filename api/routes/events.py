"""Events of a job: as they happen, and as a log."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import orjson
from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.responses import PlainTextResponse, StreamingResponse

from api.deps import AddressesDep, CallerDep, ServicesDep, find_job, get_job, still_admitted
from api.http.answers import json_answer, link, timestamp
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
from api.schemas.jobs import Log
from api.services import Services
from seq2seq.wording import one_line
from worker.jobs import events
from worker.jobs.events import Event

router = APIRouter(tags=["jobs"])

_BATCH = 500
_TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
_STREAM = EVENT_STREAM | {204: {"description": "All has been told."}}


@router.get(
    "/jobs/{job_id}/events",
    response_class=StreamingResponse,
    responses=_STREAM | may_answer(404),
    summary="Progress as it happens",
)
async def event_stream(
    request: Request,
    job_id: str,
    services: ServicesDep,
    caller: CallerDep,
    addresses: AddressesDep,
    last_event_id: Annotated[str | None, Header(max_length=100, description="Go on after this one.")] = None,
    after: Annotated[int, Query(ge=0, le=LARGEST_ID, description="As Last-Event-ID, for a first request.")] = 0,
) -> Response:
    """Server-Sent Events. `status`, `log`, `step` and others, with an id: what the log holds. `job`, without an id:
    the job's document, whenever it changes. `end`: the last one; whoever asks again after it gets 204."""
    seen = seen_by(last_event_id, after)
    job, _ = await find_job(services, job_id, caller.owner)
    if job.ended and last_event_id is not None and not await to_thread.run_sync(_read, services, job_id, seen):
        return Response(status_code=204)  # for EventSource: do not come back
    stream = _Stream(services, job_id, caller.owner, addresses.base, seen)
    return StreamAnswer(stream.run(request), services, caller.owner)


def _read(services: Services, job_id: str, after: int) -> tuple[Event, ...]:
    return events.read(services.database, job_id, after=after, limit=_BATCH)


class _Stream:
    """One reader of one job."""

    def __init__(self, services: Services, job_id: str, owner: str, base: str, seen: int) -> None:
        self._services, self._job_id, self._owner, self._base = services, job_id, owner, base
        self._seen = seen
        self._shown: dict[str, Any] = {}
        self._ended = False

    def run(self, request: Request) -> AsyncIterator[bytes]:
        """Sends until the job has ended or was removed, the reader goes or may read no longer, or the server stops."""
        return while_there(self._pieces(request), "event stream", job_id=self._job_id)

    async def _pieces(self, request: Request) -> AsyncIterator[bytes]:
        services, loop = self._services, asyncio.get_running_loop()
        yield format_sse_event(retry=RECONNECT_MS)
        silent_since = loop.time()
        while not services.stopping.is_set() and await still_admitted(request):
            since = await services.watch.version(self._job_id)
            if since is None:
                return
            async for piece in self._news():
                silent_since = loop.time()
                yield piece
            if self._ended:
                return
            if loop.time() - silent_since > SILENT_S:
                silent_since = loop.time()
                yield KEEPALIVE_COMMENT
            await changed(services.watch, self._job_id, since)

    async def _news(self) -> AsyncIterator[bytes]:
        """The news since the last look. The job is read first: once it has ended, its last event is there."""
        job, position = await find_job(self._services, self._job_id, self._owner)
        while batch := await to_thread.run_sync(_read, self._services, self._job_id, self._seen):
            for event in batch:
                self._seen = event.id
                yield _formatted(event)
        document = status_info(job, position, self._base)
        if document != self._shown:
            self._shown = document
            yield format_sse_event(data_str=orjson.dumps(document).decode(), event="job")
        if job.ended:
            self._ended = True
            yield format_sse_event(data_str="{}", event="end")


def _formatted(event: Event) -> bytes:
    return format_sse_event(data_str=orjson.dumps(_entry(event)).decode(), event=event.kind, id=str(event.id))


@router.get(
    "/jobs/{job_id}/log",
    response_model=Log,
    responses=_TEXT | may_answer(404),
    summary="What has happened so far",
)
def log(
    request: Request,
    job_id: str,
    services: ServicesDep,
    caller: CallerDep,
    addresses: AddressesDep,
    offset: Annotated[int, Query(ge=0, le=LARGEST_ID, description="The id of the last entry you have.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """JSON, or one line each where `Accept` is text/plain."""
    job = get_job(services.database, job_id, caller.owner)
    found = events.read(services.database, job.id, after=offset, limit=limit)
    if "text/plain" in request.headers.get("accept", ""):
        return PlainTextResponse("".join(f"{_line(event)}\n" for event in found))
    address = f"{addresses.base}/jobs/{job.id}/log"
    links = [link(f"{address}?offset={offset}", "self", "This part")]
    if len(found) == limit or (found and not job.ended):
        links.append(link(f"{address}?offset={found[-1].id}&limit={limit}", "next", "What came after"))
    return json_answer({"logs": [_entry(event) for event in found], "links": links})


def _entry(event: Event) -> dict[str, Any]:
    return {
        "id": str(event.id),
        "time": timestamp(event.ts),
        "level": event.level,
        "kind": event.kind,
        "message": _message(event),
        "attempt": event.attempt,
        "data": _told(event),
    }


def _told(event: Event) -> dict[str, Any]:
    """A picture is told of, not sent: its address, relative to the job's pictures, gives the latest one of its date."""
    if "image" not in event.data:
        return event.data
    return {**{k: v for k, v in event.data.items() if k != "image"}, "path": f"live/{event.data.get('date')}.webp"}


def _line(event: Event) -> str:
    """`2026-11-21T13:00:00.000Z  Started.`; errors and warnings are named. One line, whatever is in it."""
    level = "" if event.level == "info" else f"{event.level}: "
    return f"{timestamp(event.ts)}  {level}{one_line(_message(event))}"


def _message(event: Event) -> str:
    """A sentence where there is one, else progress in words, else the values."""
    if message := event.data.get("message"):
        return str(message)
    if "image" in event.data:
        return f"Picture of {event.data.get('date')}."
    if phase := event.data.get("phase"):
        return _progress(str(phase), event.data)
    return ", ".join(f"{name} {value}" for name, value in event.data.items() if value is not None)


def _progress(phase: str, data: dict[str, Any]) -> str:
    """`Fitting the network, step 3 of 120, loss 0.863, held-out 25.1 dB`; what is not known is left out."""
    parts = [phase[:1].upper() + phase[1:]]
    if data.get("of"):
        parts.append(f"step {data.get('step', 0)} of {data['of']}")
    if (loss := data.get("loss")) is not None:
        parts.append(f"loss {loss:.3g}")
    if (quality := data.get("holdout_psnr")) is not None:
        parts.append(f"held-out {quality:.1f} dB")
    return ", ".join(parts)
