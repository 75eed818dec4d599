"""What every request passes on its way in and out: limits, one id in answer and log, security headers, figures."""

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Iterable
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.deps import admit_early
from api.errors import Refusal, internal_error, service_problem
from api.http.bodies import BODY_BYTES, check_json
from api.http.cross_origin import across_origins
from api.http.heads import check_head
from api.metrics import Metrics
from worker import logs
from worker.errors import ServiceError
from worker.settings import Settings, is_loopback

_log = logging.getLogger("api.access")

# The whole body of a request that is no upload.
_BODY_WITHIN_S = 30.0
# A refused request's body up to this size is received and dropped, so that the connection can be kept.
_DROPPED_BYTES = 64 << 10
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Whose bodies routes read, but for uploads.
_WITH_JSON = frozenset({"POST", "PUT", "PATCH"})

_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}
# tus 1.0 wants it in every answer.
_TUS = {b"tus-resumable": b"1.0.0"}
_UPLOADS = "/uploads"
# tus 1.0: what a client may mean by a POST whose network lets nothing else through.
_OVERRIDDEN = frozenset({"PATCH", "DELETE", "HEAD"})
_HTTPS = {b"strict-transport-security": b"max-age=31536000"}


class Gate:
    """ASGI middleware, the outermost of ours. Whatever goes wrong further in becomes a problem document here."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics
        self._headers = {**_HEADERS, **(_HTTPS if (settings.public_url or "").startswith("https:") else {})}
        self._upload_headers = {**self._headers, **_TUS}
        self._hosts = _own_hosts(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = self._upload_headers if scope["path"].startswith(_UPLOADS) else self._headers
        passage = _Passage(scope, receive, send, headers)
        with logs.bound(request_id=passage.request_id):
            try:
                scope = self._check(scope, passage)
                await self._take_json(scope, passage)
                await self._app(scope, passage.receive, passage.send)
            except ServiceError as error:
                if passage.status:
                    raise
                await self._answer(service_problem(error), scope, passage)
            except Exception:
                if passage.status:  # half an answer: only a broken connection can say so
                    raise
                _log.exception("request failed", extra={"method": scope["method"], "path": scope["path"]})
                await self._answer(internal_error(), scope, passage)
            finally:
                self._tell(scope, passage)

    async def _answer(self, answer: ASGIApp, scope: Scope, passage: "_Passage") -> None:
        await across_origins(answer, self._settings)(scope, passage.receive, passage.send)

    def _check(self, scope: Scope, passage: "_Passage") -> Scope:
        """The request as routes should see it. Raises `Refusal` for what none should."""
        check_head(scope)
        if self._settings.auth == "none":
            self._check_page(scope, passage, passage.header(b"host"))
        meant = _as_meant(scope, passage.header(b"x-http-method-override"))
        if not _is_upload(meant):
            passage.limit_body(BODY_BYTES)
        return meant

    async def _take_json(self, scope: Scope, passage: "_Passage") -> None:
        """Before anything is read of it, the key is looked at; before anything is made of it, it is here and counted.

        Raises `Refusal`, or `Unauthorized`.
        """
        if passage.has_body and scope["method"] in _WITH_JSON and not _is_upload(scope):
            await admit_early(Request(scope))
            check_json(await passage.take_body())

    def _check_page(self, scope: Scope, passage: "_Passage", host: str) -> None:
        """Without keys, whoever reaches us is let in: so nobody from another machine, whatever the server was bound to,
        and no page of another site that uses its visitor's browser for it, neither directly nor with a name of its own
        that leads here (DNS rebinding)."""
        client = scope.get("client")
        if client and not is_loopback(client[0]):
            raise Refusal("unauthorized", "without keys only this machine itself is let in (DECLOUD_AUTH is none)")
        name = urlsplit(f"//{host}").hostname or ""
        if host and name not in self._hosts and not is_loopback(name):
            raise Refusal("unknown-host", f"this server is not known as {name}; set DECLOUD_PUBLIC_URL if it should be")
        origin = passage.header(b"origin")
        own = {host, urlsplit(self._settings.public_url or "").netloc}
        own_page = (urlsplit(origin).netloc or origin) in own or origin in self._settings.allowed_origins
        if origin and scope["method"] not in _SAFE_METHODS and not own_page:
            raise Refusal("foreign-page", f"a page of {origin[:100]} may not do this")

    def _tell(self, scope: Scope, passage: "_Passage") -> None:
        seconds = time.perf_counter() - passage.began
        route = getattr(scope.get("route"), "path", "none")
        self._metrics.request(scope["method"], route, passage.status, seconds)
        quiet = scope["method"] in _SAFE_METHODS and passage.status < HTTPStatus.BAD_REQUEST
        level = logging.DEBUG if quiet else logging.INFO
        if _log.isEnabledFor(level):
            _log.log(
                level,
                "%s %s %d",
                scope["method"],
                scope["path"],
                passage.status,
                extra={"route": route, "status": passage.status, "ms": round(1000 * seconds, 1)},
            )


class _Passage:
    """One request on its way: what was received of it, and what its answer carries besides."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, headers: dict[bytes, bytes]) -> None:
        self._receive, self._send, self._headers = receive, send, headers
        self._given: Iterable[tuple[bytes, bytes]] = scope["headers"]
        given = self._find(b"x-request-id")
        self.request_id = given.decode() if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        self.began = time.perf_counter()
        # 0: nothing was answered
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
        """Its value, empty where there is none."""
        return self._find(name).decode("latin-1")

    def limit_body(self, limit: int) -> None:
        """Raises `Refusal` now if more was announced; more that was not announced is refused when it comes."""
        if (self.length or 0) > limit:
            raise Refusal("content-too-large", _too_large(limit), limit=limit)
        self._limit = limit

    @property
    def has_body(self) -> bool:
        """Whether something of it is still to come."""
        return not self._is_received

    async def take_body(self) -> bytes:
        """All of it; `receive` gives it once more. Raises `Refusal` where it is too large or does not come in time."""
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
        """The next piece of the body."""
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
        """The answer, with what every answer carries."""
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


def _as_meant(scope: Scope, override: str) -> Scope:
    """An upload's POST that says to be another method is that, in a copy: the server still answers a POST."""
    if not override or scope["method"] != "POST" or not scope["path"].startswith(f"{_UPLOADS}/"):
        return scope
    if override not in _OVERRIDDEN:
        raise Refusal("invalid-request", f"X-HTTP-Method-Override: must be one of {', '.join(sorted(_OVERRIDDEN))}")
    return {**scope, "method": override}


def _is_upload(scope: Scope) -> bool:
    """Whether its body is a file's bytes, as long as they may be; or is read by nobody."""
    path: str = scope["path"]
    return path == _UPLOADS or path.startswith(f"{_UPLOADS}/")


def _own_hosts(settings: Settings) -> set[str]:
    public = urlsplit(settings.public_url or "").hostname
    return {settings.host, *([public] if public else [])}
