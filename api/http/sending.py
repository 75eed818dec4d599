"""Stored files as answers: whole or in part, at constant memory, to receivers fast and slow."""

import asyncio
import logging
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from http import HTTPStatus

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.http.conditions import names, part
from worker.errors import DatabaseUnavailable, ServiceError

_log = logging.getLogger(__name__)

# Map viewers ask for this much a thousand times. What lies in memory is copied faster than a thread is asked for it.
_AT_ONCE_BYTES = 1 << 20
# How often a long answer asks whether what it sends is still to be had.
_CHECK_S = 0.25
# A receiver that takes nothing for so long has gone.
_STALLED_S = 120.0


@dataclass(frozen=True)
class Content:
    """Bytes that can be had in part. open_range: from start to end, exclusive; raises before the first byte.

    read_now: the same at once, where they lie in memory; None: they do not, or nobody knows. etag: quoted, strong.
    check: raises `ServiceError` where they are no longer to be had; blocks. headers: what else describes them.
    """

    open_range: Callable[[int, int], Generator[bytes, None, None]]
    read_now: Callable[[int, int], memoryview | None]
    size: int
    check: Callable[[], object]
    etag: str
    media_type: str
    headers: dict[str, str]


class _Withdrawn(Exception):  # noqa: N818  no failure: somebody removed it
    """Raised where the content that is being sent was removed."""


async def send_content(
    request: Request, content: Content, *, readers: CapacityLimiter, sent: Callable[[float], object]
) -> Response:
    """The answer to GET and HEAD: 200, 206, 304, or `RangeNotSatisfiable`. sent: called with every piece's size."""
    headers = {"ETag": content.etag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache", **content.headers}
    if names(request.headers.get("if-none-match"), content.etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    asked = request.headers
    wanted = part(asked.get("range"), asked.get("if-range"), size=content.size, etag=content.etag)
    start, stop = wanted or (0, content.size)
    status = HTTPStatus.OK if wanted is None else HTTPStatus.PARTIAL_CONTENT
    if wanted is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{content.size}"
    headers["Content-Length"] = str(stop - start)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=content.media_type)
    if stop - start <= _AT_ONCE_BYTES and (body := content.read_now(start, stop)) is not None:
        sent(len(body))
        return Response(body, int(status), headers, content.media_type)
    pieces = await to_thread.run_sync(content.open_range, start, stop, limiter=readers)
    return _Pieces(pieces, int(status), headers, content, readers, sent)


class _Pieces(Response):
    """Sends what a generator gives, which is closed however it ends: also in the midst, when it is withdrawn."""

    def __init__(
        self,
        pieces: Generator[bytes, None, None],
        status: int,
        headers: dict[str, str],
        content: Content,
        readers: CapacityLimiter,
        sent: Callable[[float], object],
    ) -> None:
        self.status_code, self.media_type, self.background = status, content.media_type, None
        named = {**headers, "Content-Type": content.media_type}
        self.raw_headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in named.items()]
        self._pieces, self._readers, self._sent = pieces, readers, sent
        self._check, self._checked_at = content.check, time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ends early when the receiver has gone, or what it receives. That one sees a short answer."""
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async with asyncio.timeout(_STALLED_S) as patience:
                while not gone.done() and (piece := await self._next()):
                    patience.reschedule(asyncio.get_running_loop().time() + _STALLED_S)
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                    self._sent(len(piece))
            if not gone.done():
                await send({"type": "http.response.body", "body": b""})
        except _Withdrawn as withdrawn:
            _log.info("answer broken off: %s", withdrawn)
        finally:
            gone.cancel()
            self._pieces.close()

    async def _next(self) -> bytes:
        """Empty at the end."""
        return await to_thread.run_sync(self._read, limiter=self._readers)

    def _read(self) -> bytes:
        if (now := time.monotonic()) - self._checked_at >= _CHECK_S:
            self._checked_at = now
            try:
                self._check()
            except DatabaseUnavailable:  # nobody can have removed it either
                pass
            except ServiceError as error:
                raise _Withdrawn(error.detail) from error
        return next(self._pieces, b"")


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
