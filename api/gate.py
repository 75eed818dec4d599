"""What every request passes on its way in and out: limits, one id in answer and log, security headers, figures."""

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Iterable
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import Refusal, internal_error, service_problem
from api.metrics import Metrics
from worker import logs
from worker.settings import Settings, is_loopback

_log = logging.getLogger("api.access")

# Of a request that is no upload: a job's settings take a few kB.
BODY_BYTES = 1 << 20
HEADER_BYTES = 64 << 10
_BODY_WITHIN_S = 30.0
# A refused request's body up to this size is received and dropped, so that the connection can be kept.
_DROPPED_BYTES = 64 << 10
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

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
_PIECE = "application/offset+octet-stream"
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
                await self._app(scope, passage.receive, passage.send)
            except Refusal as refusal:
                await service_problem(refusal)(scope, passage.receive, passage.send)
            except Exception:
                if passage.status:  # half an answer: only a broken connection can say so
                    raise
                _log.exception("request failed", extra={"method": scope["method"], "path": scope["path"]})
                await internal_error()(scope, passage.receive, passage.send)
            finally:
                self._tell(scope, passage)

    def _check(self, scope: Scope, passage: "_Passage") -> Scope:
        """The request as routes should see it. Raises `Refusal` for what none should."""
        size = sum(len(name) + len(value) for name, value in scope["headers"]) + len(scope["query_string"])
        if size > HEADER_BYTES:
            raise Refusal(
                "headers-too-large", f"the headers have {size} bytes, at most {HEADER_BYTES}", limit=HEADER_BYTES
            )
        host = passage.header(b"host")
        if host and not _HOST.fullmatch(host):
            raise Refusal("invalid-request", "Host is no name or address of a server")
        if self._settings.auth == "none":
            self._check_page(scope, passage, host)
        meant = _as_meant(scope, passage.header(b"x-http-method-override"))
        if not _is_upload(meant, passage):
            passage.limit_body(BODY_BYTES)
        return meant

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
        if origin and scope["method"] not in _SAFE_METHODS and (urlsplit(origin).netloc or origin) not in own:
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

    async def receive(self) -> Message:
        """The next piece of the body."""
        message = await (self._receive() if self._limit is None or self._is_received else self._receive_soon())
        if message["type"] == "http.request":
            self._is_received = not message.get("more_body", False)
            self._got += len(message.get("body", b""))
            if self._limit is not None and self._got > self._limit:
                # Of Starlette's own kind: every other one is taken for a body that cannot be parsed.
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(self._limit))
        return message

    async def _receive_soon(self) -> Message:
        """Nobody is waited for who announces a body and does not send it."""
        try:
            async with asyncio.timeout(_BODY_WITHIN_S):
                return await self._receive()
        except TimeoutError:
            raise HTTPException(
                HTTPStatus.REQUEST_TIMEOUT, f"nothing of the body came for {_BODY_WITHIN_S:.0f} s"
            ) from None

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


def _is_upload(scope: Scope, passage: "_Passage") -> bool:
    """Whether its body is a file's bytes, as long as they may be."""
    if scope["method"] == "POST":
        return scope["path"] == _UPLOADS and passage.header(b"content-type").startswith(_PIECE)
    return scope["path"].startswith(_UPLOADS) and scope["method"] in ("PUT", "PATCH")


def _own_hosts(settings: Settings) -> set[str]:
    public = urlsplit(settings.public_url or "").hostname
    return {settings.host, *([public] if public else [])}
