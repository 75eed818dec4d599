"""The outermost layer of every request: limits, one id in answer and log, security headers, figures."""

import logging
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import Refusal, internal_error, service_problem
from api.http.bodies import BODY_BYTES, check_json
from api.http.cross_origin import across_origins
from api.http.heads import check_head
from api.http.request_context import RequestContext
from worker import logs
from worker.errors import ServiceError
from worker.settings import Settings, is_loopback

_log = logging.getLogger("api.access")

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


class RequestGuard:
    """ASGI middleware, the outermost of ours. Whatever goes wrong further in becomes a problem document here."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        admit: Callable[[Request], Awaitable[None]],
        count: Callable[[str, str, int, float], None],
    ) -> None:
        """admit: raises what refuses the caller, before the body is read. count: called with method, route, status and
        seconds of every request."""
        self._app, self._settings, self._admit, self._count = app, settings, admit, count
        self._headers = {**_HEADERS, **(_HTTPS if (settings.public_url or "").startswith("https:") else {})}
        self._upload_headers = {**self._headers, **_TUS}
        self._hosts = _own_hosts(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes one request on, or refuses it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = self._upload_headers if scope["path"].startswith(_UPLOADS) else self._headers
        context = RequestContext(scope, receive, send, headers)
        with logs.bound(request_id=context.request_id):
            try:
                scope = self._check(scope, context)
                await self._take_json(scope, context)
                await self._app(scope, context.receive, context.send)
            except ServiceError as error:
                if context.status:
                    raise
                await self._answer(service_problem(error), scope, context)
            except Exception:
                if context.status:  # half an answer: only a broken connection can show it
                    raise
                _log.exception("request failed", extra={"method": scope["method"], "path": scope["path"]})
                await self._answer(internal_error(), scope, context)
            finally:
                self._report(scope, context)

    async def _answer(self, answer: ASGIApp, scope: Scope, context: RequestContext) -> None:
        await across_origins(answer, self._settings)(scope, context.receive, context.send)

    def _check(self, scope: Scope, context: RequestContext) -> Scope:
        """The request as routes should see it. Raises `Refusal` for what none should."""
        check_head(scope)
        if self._settings.auth == "none":
            self._check_page(scope, context, context.header(b"host"))
        meant = _as_meant(scope, context.header(b"x-http-method-override"))
        if not _is_upload(meant):
            context.limit_body(BODY_BYTES)
        return meant

    async def _take_json(self, scope: Scope, context: RequestContext) -> None:
        """Before anything is read of it, the key is looked at; before anything is made of it, it is here and counted.

        Raises `Refusal`, or `Unauthorized`.
        """
        if context.has_body and scope["method"] in _WITH_JSON and not _is_upload(scope):
            await self._admit(Request(scope))
            check_json(await context.take_body())

    def _check_page(self, scope: Scope, context: RequestContext, host: str) -> None:
        """Without keys, whoever reaches us is let in: so nobody from another machine, whatever the server was bound to,
        and no page of another site that uses its visitor's browser for it, neither directly nor with a name of its own
        that leads here (DNS rebinding)."""
        client = scope.get("client")
        if client and not is_loopback(client[0]):
            raise Refusal("unauthorized", "without keys only this machine itself is let in (DECLOUD_AUTH is none)")
        name = urlsplit(f"//{host}").hostname or ""
        if host and name not in self._hosts and not is_loopback(name):
            raise Refusal("unknown-host", f"this server is not known as {name}; set DECLOUD_PUBLIC_URL if it should be")
        origin = context.header(b"origin")
        own = {host, urlsplit(self._settings.public_url or "").netloc}
        own_page = (urlsplit(origin).netloc or origin) in own or origin in self._settings.allowed_origins
        if origin and scope["method"] not in _SAFE_METHODS and not own_page:
            raise Refusal("foreign-page", f"a page of {origin[:100]} may not do this")

    def _report(self, scope: Scope, context: RequestContext) -> None:
        """To figures and log."""
        seconds = time.perf_counter() - context.began
        route = getattr(scope.get("route"), "path", "none")
        self._count(scope["method"], route, context.status, seconds)
        quiet = scope["method"] in _SAFE_METHODS and context.status < HTTPStatus.BAD_REQUEST
        level = logging.DEBUG if quiet else logging.INFO
        if _log.isEnabledFor(level):
            _log.log(
                level,
                "%s %s %d",
                scope["method"],
                scope["path"],
                context.status,
                extra={"route": route, "status": context.status, "ms": round(1000 * seconds, 1)},
            )


def _as_meant(scope: Scope, override: str) -> Scope:
    """An upload's POST that names another method is that, in a copy: the server still answers a POST."""
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
