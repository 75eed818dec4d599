"""Server-Sent Events: what all streams have in common."""

import logging
import re
from collections.abc import AsyncIterator
from typing import Any, TypeVar

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.services import Services
from api.watching import Watch
from worker.errors import ServiceError

_log = logging.getLogger(__name__)

# How long a stream is silent before a comment shows that it lives; proxies close what is silent for a minute.
SILENT_S = 15.0
# How often the key of a stream's reader is asked for again.
CHECK_S = 2.5
RECONNECT_MS = 2000
LARGEST_ID = 2**62
MOST_STREAMS = 30
_ID = re.compile(r"\d{1,18}", re.ASCII)

V = TypeVar("V")

EVENT_STREAM: dict[int | str, dict[str, Any]] = {
    # OpenAPI 3.1 has no words for what one event is: some read a schema here as the stream's, some as each event's.
    200: {"content": {"text/event-stream": {"schema": {"contentMediaType": "text/event-stream"}}}},
}


def seen_by(last_event_id: str | None, after: V) -> int | V:
    """The id of the last event that a reader has: of the header, where it is one of ours; else as its query says."""
    return int(last_event_id) if last_event_id is not None and _ID.fullmatch(last_event_id) else after


async def changed(watch: Watch[V], watched: str, since: V | None) -> bool:
    """Whether there are news, before the reader's key has to be asked for again."""
    return await watch.changed(watched, since, CHECK_S)


async def while_there(pieces: AsyncIterator[bytes], what: str, **about: str) -> AsyncIterator[bytes]:
    """Sends `pieces`; where the database is away they end: readers come back. about: for the line of the log."""
    try:
        async for piece in pieces:
            yield piece
    except ServiceError as error:
        _log.info("%s ended: %s", what, error.detail, extra=about)


class StreamAnswer(StreamingResponse):
    """Counts while it is open."""

    media_type = "text/event-stream"

    def __init__(self, pieces: AsyncIterator[bytes], services: Services, owner: str) -> None:
        super().__init__(pieces, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self._services, self._owner = services, owner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises `Refusal` before anything is sent where the owner has too many open."""
        with self._services.streams.one(self._owner, MOST_STREAMS):
            await super().__call__(scope, receive, send)
