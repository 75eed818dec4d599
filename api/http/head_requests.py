"""HEAD, on every address that knows GET: the same answer without its content (RFC 9110, section 9.3.2)."""

from collections.abc import Collection
from typing import Any

from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadRequests:
    """ASGI middleware: asks what is further in for GET. `own`: routes that answer HEAD in their own way."""

    def __init__(self, app: ASGIApp, own: Collection[Any]) -> None:
        self._app, self._own = app, own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or self._is_own(scope):
            await self._app(scope, receive, send)
            return
        asked = {**scope, "method": "GET"}
        try:
            await self._app(asked, receive, _Heads(send).send)
        finally:
            if "route" in asked:
                scope["route"] = asked["route"]

    def _is_own(self, scope: Scope) -> bool:
        return any(route.matches(scope)[0] is Match.FULL for route in self._own)


class _Heads:
    """Ends an answer behind its headers: an event stream has no other end."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def send(self, message: Message) -> None:
        """Sends the head, and drops the rest."""
        if message["type"] == "http.response.start":
            await self._send(message)
            await self._send({"type": "http.response.body", "body": b""})
