"""The cookie of a login, and the requests that may come in by it: those of our own page, and of no other.

Browsers send a cookie along whoever makes a request. `SameSite=Strict` keeps other sites out, but not pages at other
ports or names of the same site: so a browser's own word for where a request comes from is looked at (Sec-Fetch-Site,
else Origin), and what changes something also needs a header that no form and no link can send, and no page of another
origin is allowed to.
"""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from api.errors import Refusal
from api.http.addresses import base_of
from worker.settings import Settings

PROOF = "X-CSRF"
_NAME = "decloud_login"
# Browsers take a cookie of this name over https alone, for this host alone.
_SECURE_NAME = f"__Host-{_NAME}"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def offered(settings: Settings) -> bool:
    """Whether browsers may stay signed in."""
    return settings.auth == "keys" and settings.login_expiry_s > 0


def set_cookie(answer: Response, token: str, *, keep_s: float, request: Request, settings: Settings) -> None:
    """Has the browser keep the token, out of reach of scripts, for `keep_s` seconds; 0: no longer."""
    secure = _is_https(request, settings)
    answer.set_cookie(
        _SECURE_NAME if secure else _NAME,
        token,
        max_age=int(keep_s),
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict",
    )


def token_of(request: Request, settings: Settings) -> str | None:
    """The token that a request of our own page comes with; None where there is none, or another page only reads.

    Raises `Refusal` where something would be changed by a request that is not surely our page's.
    """
    if "cookie" not in request.headers or not offered(settings):
        return None
    token = request.cookies.get(_SECURE_NAME if _is_https(request, settings) else _NAME)
    if not token:
        return None
    own = _is_own(request, settings)
    if request.method in _SAFE_METHODS:
        return token if own in (True, None) else None
    if not own:
        raise Refusal("foreign-page", "by cookie, only the service's own page may do this")
    if PROOF.lower() not in request.headers:
        raise Refusal("foreign-page", f"by cookie, this needs the header {PROOF}, which no other page can send")
    return token


def check_page(request: Request, settings: Settings) -> None:
    """Raises `Refusal` where another page asks."""
    if _is_own(request, settings) is False:
        raise Refusal("foreign-page", "only the service's own page may do this")


def _is_own(request: Request, settings: Settings) -> bool | None:
    """Whether a browser says that our own page asks; None: it says nothing of it, or that its user typed the address.

    Origins are compared by host and port: before a proxy with TLS our own scheme is another.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return None if site == "none" else site == "same-origin"
    origin = request.headers.get("origin")
    if origin is None:
        return None
    own = {request.headers.get("host", ""), urlsplit(settings.public_url or "").netloc} - {""}
    return urlsplit(origin).netloc in own


def _is_https(request: Request, settings: Settings) -> bool:
    return base_of(request, settings).startswith("https:")
