"""Limits of a request's head: its size, its Host, its transfer coding (RFC 9112, sections 3.2, 6 and 7)."""

import re
from collections.abc import Iterable

from starlette.types import Scope

from api.errors import Refusal

HEADER_BYTES = 64 << 10
# Each of them is looked at for each that is looked for.
_MOST_HEADERS = 128
_QUERY_BYTES = 8 << 10
# Of `scope["extensions"]`: the connection is one beyond the limit.
SPARE = "decloud.spare"
_LIVE = "/health/live"
_HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")

Headers = Iterable[tuple[bytes, bytes]]


def check_head(scope: Scope) -> None:
    """Raises `Refusal` for what no route should see."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    _check_size(headers, scope["query_string"])
    _check_host(_values(headers, b"host"), scope["http_version"])
    _check_coding(_values(headers, b"transfer-encoding"), scope["http_version"])
    if SPARE in (scope.get("extensions") or ()) and scope["path"] != _LIVE:
        raise Refusal("too-many-connections", "too many connections are open; try again in a moment")


def _check_size(headers: list[tuple[bytes, bytes]], query: bytes) -> None:
    size = sum(len(name) + len(value) for name, value in headers) + len(query)
    if size > HEADER_BYTES:
        raise Refusal("headers-too-large", f"the headers have {size} bytes, at most {HEADER_BYTES}", limit=HEADER_BYTES)
    if len(headers) > _MOST_HEADERS:
        raise Refusal(
            "headers-too-large", f"there are {len(headers)} headers, at most {_MOST_HEADERS}", limit=_MOST_HEADERS
        )
    if len(query) > _QUERY_BYTES:
        raise Refusal(
            "address-too-long", f"the query has {len(query)} bytes, at most {_QUERY_BYTES}", limit=_QUERY_BYTES
        )


def _check_host(hosts: list[bytes], version: str) -> None:
    """Two of them lead proxy and server to different answers."""
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        raise Refusal("invalid-request", f"there must be exactly one Host header, there are {len(hosts)}")
    if hosts and not _HOST.fullmatch(hosts[0].decode("latin-1")):
        raise Refusal("invalid-request", "Host is no name or address of a server")


def _check_coding(codings: list[bytes], version: str) -> None:
    if not codings:
        return
    if len(codings) > 1 or version != "1.1":
        raise Refusal("invalid-request", "Transfer-Encoding must come once, in HTTP/1.1")
    if codings[0].strip().lower() != b"chunked":
        raise Refusal("unknown-coding", "Transfer-Encoding must be chunked, or be left out")


def _values(headers: Headers, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key == name]
