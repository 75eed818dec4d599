"""uvicorn's HTTP/1.1 by httptools, which by itself takes any number of connections, keeps headers of any size in
memory, waits for them as long as they take, and takes trailers for headers."""

import resource
from asyncio import TimerHandle, Transport
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.errors import raw_problem
from api.http.connections import Connections, limits_for
from api.http.heads import HEADER_BYTES, SPARE
from worker.settings import Settings

_HEAD_WITHIN_S = 15.0
# A receiver that takes nothing for so long has gone.
_STALLED_S = 120.0
# Bytes around each byte of a chunked body: a chunk of one has five.
_FRAMING = 8


# long: asyncio's and httptools' callbacks, each of which extends uvicorn's.
class HttpProtocol(HttpToolsProtocol):
    """One connection, counted in `ledger`. A request's head must come within its size and its time."""

    ledger: ClassVar[Connections]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._is_spare = False
        self._head_deadline: TimerHandle | None = None
        self._patience: TimerHandle | None = None
        # Of the message that is coming: whether its head has come, its body's bytes, and those around it.
        self._in_body = False
        self._body_bytes = self._other_bytes = 0
        # Of the piece that is being read.
        self._is_new, self._piece_bytes = False, 0
        # Nothing that comes is read any more: the connection ends with the answer that is due.
        self._is_deaf = False

    # -- connections

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Counts the connection; the first head is due."""
        super().connection_made(transport)
        self._is_spare = not self.ledger.opened(self, self.client[0] if self.client else "")
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Counts the connection no more; nothing is due."""
        self.ledger.closed(self)
        self._head_arrived()
        self._be_patient(None)
        super().connection_lost(exc)

    def drop(self) -> None:
        """Ends the connection, whatever has not been sent: what waits for its receiver would keep the descriptor."""
        self.transport.abort()

    def timeout_keep_alive_handler(self) -> None:
        """Ends the connection: nothing more came."""
        self.drop()

    def pause_writing(self) -> None:
        """Waits for a receiver that is slow, for a while."""
        super().pause_writing()
        self.ledger.stalled(self)
        self._be_patient(_STALLED_S)

    def resume_writing(self) -> None:
        """Goes on: the receiver has taken something."""
        super().resume_writing()
        self.ledger.flows(self)
        self._be_patient(None)

    def on_response_complete(self) -> None:
        """Notes that the connection is idle, unless the next request has come already."""
        super().on_response_complete()
        if self.transport.is_closing():  # when all of the answer has been taken
            self._be_patient(_STALLED_S)
        if self.cycle.response_complete:
            self.ledger.idle(self)

    # -- what comes

    def data_received(self, data: bytes) -> None:
        """Takes what comes, and counts what is kept of it in memory: heads, trailers, extensions of chunks."""
        if self._is_deaf:
            return
        self._is_new, self._piece_bytes = False, 0
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._head_deadline is None and self.cycle.response_complete:
            self._expect_head()  # what is left of a request that was answered, and then a new one
        elif not self._is_new and (self._in_body or self._head_deadline is not None):
            self._other_bytes += len(data) - self._piece_bytes
            if self._other_bytes > HEADER_BYTES + _FRAMING * self._body_bytes:
                self._refuse("headers-too-large", f"headers or trailers have more than {HEADER_BYTES} bytes")

    def on_message_begin(self) -> None:
        """Expects a head, which begins."""
        super().on_message_begin()
        self._is_new, self._in_body = True, False
        self._body_bytes = self._other_bytes = 0
        if self._head_deadline is None:
            self._expect_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keeps a header. It drops a trailer, which was not there when the request was judged by its headers."""
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Passes the request on: its head has come."""
        self._head_arrived()
        self._in_body, self._other_bytes = True, 0
        if self._is_spare:
            self.scope["extensions"] = {SPARE: {}}
        self.ledger.busy(self)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Passes a piece of the body on."""
        self._piece_bytes += len(body)
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Ends the message, with its trailers."""
        self._in_body = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuses what is no HTTP."""
        self._refuse("invalid-request", "this is no HTTP/1.1 request that is understood here")

    # -- what follows

    def _refuse(self, code: str, detail: str) -> None:
        """The last answer of this connection; where another one is due or under way, only the end of it."""
        cycle = self.cycle
        self._head_arrived()
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:  # it has nothing to do with what came after it
                cycle.keep_alive, self._is_deaf = False, True
                return
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self.drop()
                return
        if not self.transport.is_closing():
            self.transport.write(raw_problem(code, detail))
            self.transport.close()
            self._be_patient(_STALLED_S)

    def _expect_head(self) -> None:
        self._other_bytes = 0
        self._head_deadline = self.loop.call_later(_HEAD_WITHIN_S, self.drop)

    def _head_arrived(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _be_patient(self, seconds: float | None) -> None:
        """For so long with a receiver that takes nothing."""
        if self._patience is not None:
            self._patience.cancel()
        self._patience = None if seconds is None else self.loop.call_later(seconds, self.drop)


def http_protocol(settings: Settings) -> type[HttpProtocol]:
    """The protocol of one server: `uvicorn.Config(http=http_protocol(settings))`. Raises `InvalidSettings`."""
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    connections = Connections(limits_for(settings, descriptors))

    class Counted(HttpProtocol):
        ledger = connections

    return Counted
