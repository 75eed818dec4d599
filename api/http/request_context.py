"""One request on its way through the application: its id, its body within limits, and what its answer carries."""

import asyncio
import re
import secrets
import time
from collections.abc import Iterable

from starlette.types import Message, Receive, Scope, Send

from api.errors import Refusal

# The whole body of a request that is no upload.
_BODY_WITHIN_S = 30.0
# A refused request's body up to this size is received and dropped, so that the connection can be kept.
_DROPPED_BYTES = 64 << 10
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class RequestContext:
    """Receives one request and sends its answer. status: that of the answer; 0 while nothing was answered."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, headers: dict[bytes, bytes]) -> None:
        """headers: those of every answer that does not set them itself."""
        self._receive, self._send, self._headers = receive, send, headers
        self._given: Iterable[tuple[bytes, bytes]] = scope["headers"]
        given = self._find(b"x-request-id")
        self.request_id = given.decode() if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        self.began = time.perf_counter()
        self.status = 0
        length = self._find(b"content-length")
        self.length = int(length) if length.isdigit() and len(length) < 20 else None
        self._is_chunked = bool(self._find(b"transfer-encoding"))
        self._is_received = self.length in (None, 0) and not self._is_chunked
        self._limit: int | None = None
        self._got = 0
        # What the routes have still to be given, after it was received here.
        self._taken: Message | None = None

    def _find(self, name: bytes) -> bytes:
        return next((value for key, value in self._given if key == name), b"")

    def header(self, name: bytes) -> str:
        """The value of a header, empty where there is none."""
        return self._find(name).decode("latin-1")

    def limit_body(self, limit: int) -> None:
        """Raises `Refusal` now if more was announced; more that was not announced is refused when it comes."""
        if (self.length or 0) > limit:
            raise Refusal("content-too-large", _too_large(limit), limit=limit)
        self._limit = limit

    @property
    def has_body(self) -> bool:
        """Whether something of the body is still to come."""
        return not self._is_received

    async def take_body(self) -> bytes:
        """The whole body, which `receive` gives once more. Raises `Refusal` where it is too large or late."""
        body = bytearray()
        try:
            async with asyncio.timeout(_BODY_WITHIN_S):
                while not self._is_received:
                    message = await self.receive()
                    if message["type"] != "http.request":  # whoever sent it has gone
                        self._taken = message
                        return b""
                    body += message.get("body", b"")
        except TimeoutError:
            raise Refusal("request-timeout", f"the body did not come within {_BODY_WITHIN_S:.0f} s") from None
        self._taken = {"type": "http.request", "body": bytes(body), "more_body": False}
        return bytes(body)

    async def receive(self) -> Message:
        """The next piece of the body. Raises `Refusal` where that is more than the limit."""
        if self._taken is not None:
            message, self._taken = self._taken, None
            return message
        message = await self._receive()
        if message["type"] == "http.request":
            self._is_received = not message.get("more_body", False)
            self._got += len(message.get("body", b""))
            if self._limit is not None and self._got > self._limit:
                raise Refusal("content-too-large", _too_large(self._limit), limit=self._limit)
        return message

    async def send(self, message: Message) -> None:
        """Sends a part of the answer; to its head it adds what every answer carries."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            present = {name for name, _ in headers}
            headers += [(name, value) for name, value in self._headers.items() if name not in present]
            headers.append((b"x-request-id", self.request_id.encode()))
            if not self._is_received and (self.length is None or self.length > _DROPPED_BYTES):
                # What is left of a refused upload is not waited for.
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        await self._send(message)


def _too_large(limit: int) -> str:
    return f"the body may have at most {limit} bytes"
