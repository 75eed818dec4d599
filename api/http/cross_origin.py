"""CORS: which other sites' pages may use the service from a browser. None, unless the operator names them.

Never with credentials: a browser has none of ours, a page that is allowed brings its user's key.
"""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from worker.settings import Settings

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_SENT = (
    "Authorization", "Content-Digest", "Content-Type", "Idempotency-Key", "If-None-Match", "If-Range", "Last-Event-ID",
    "Prefer", "Range", "Repr-Digest", "Tus-Resumable", "Upload-Checksum", "Upload-Concat", "Upload-Defer-Length",
    "Upload-Length", "Upload-Metadata", "Upload-Offset", "X-HTTP-Method-Override", "X-Request-ID", "X-Requested-With",
)  # fmt: skip
_SHOWN = (
    "Accept-Ranges", "Allow", "Content-Disposition", "Content-Length", "Content-Range", "ETag", "Idempotent-Replayed",
    "Link", "Location", "Preference-Applied", "Repr-Digest", "Retry-After", "Tus-Checksum-Algorithm", "Tus-Extension",
    "Tus-Max-Size", "Tus-Resumable", "Tus-Version", "Upload-Checksum", "Upload-Concat", "Upload-Defer-Length",
    "Upload-Expires", "Upload-Length", "Upload-Metadata", "Upload-Offset", "WWW-Authenticate", "X-Request-ID",
)  # fmt: skip


def across_origins(app: ASGIApp, settings: Settings) -> ASGIApp:
    """`app`, with what browsers want in its answers to pages of the named origins, and their preflights answered."""
    if not settings.allowed_origins:
        return app
    return CORSMiddleware(
        app, settings.allowed_origins, _METHODS, _SENT, allow_credentials=False, expose_headers=_SHOWN, max_age=600
    )
