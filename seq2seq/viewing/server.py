"""The server of `decloud view`: the page, a bundle and the result's own files, for this machine alone, to be read."""

import hashlib
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from seq2seq.errors import OutputError
from seq2seq.page import POLICY, Page
from seq2seq.products import product_at
from seq2seq.viewing.kept import Bundle, file_below

LOOPBACK = "127.0.0.1"
_NAMES = frozenset({"localhost", LOOPBACK, "[::1]"})
# A connection on which nothing comes is closed.
_SILENT_S = 60.0
# A report has its styles and pictures inside, and nothing that runs.
_REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data: 'self'; frame-ancestors 'self'; sandbox"
_ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_MEDIA_TYPES = {".webp": "image/webp", ".json": "application/json"}
_BYTES = "application/octet-stream"
_PICTURES, _OTHER = "pictures/", "with/pictures/"


@dataclass(frozen=True)
class Viewed:
    """What is served: at /, /page/, /pictures/ and, of the folder `result`, everything else that lies there.

    other: a second bundle on the same grid, to compare with, at /with/pictures/.
    """

    page: Page
    bundle: Bundle
    result: Path
    other: Bundle | None = None

    @property
    def fragment(self) -> str:
        """Of the address that shows all of it."""
        return "" if self.other is None else f"#/view?with={_OTHER.rstrip('/')}"

    def picture(self, path: str) -> bytes | None:
        """A file of the bundles."""
        if self.other is not None and path.startswith(_OTHER):
            return self.other.read(path.removeprefix(_OTHER))
        return self.bundle.read(path.removeprefix(_PICTURES))


@contextmanager
def serving(viewed: Viewed, port: int = 0) -> Iterator[str]:
    """Serves until the end of the block; gives the address. port: 0: any that is free.

    Raises `OutputError` where the port is taken.
    """
    try:
        server = _Server((LOOPBACK, port), _Handler)
    except OSError as error:
        raise OutputError(f"--port {port}: cannot be listened at ({error.strerror or error}); leave it out") from error
    server.viewed = viewed
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    viewed: Viewed

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that has gone is nobody's concern."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "decloud", ""
    timeout = _SILENT_S
    # Head and content leave as one: sent one after another, the second waits 40 ms for a delayed acknowledgement.
    disable_nagle_algorithm, wbufsize = True, 1 << 16
    server: _Server

    def do_GET(self) -> None:
        """Answers with the file at the address."""
        self._answer()

    def do_HEAD(self) -> None:
        """The same without its content."""
        self._answer()

    def log_message(self, format: str, *values: object) -> None:
        """Nothing: the terminal is the user's."""

    def _answer(self) -> None:
        if not self._is_for_us():
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST, "this server is for this machine alone")
            return
        path = unquote(urlsplit(self.path).path, errors="replace").removeprefix("/")
        viewed, accepts = self.server.viewed, self.headers.get("Accept-Encoding")
        if path in ("", "index.html"):
            found = viewed.page.index("view")
        elif path.startswith("page/"):
            found = viewed.page.find(path.removeprefix("page/"))
        elif path.startswith((_PICTURES, _OTHER)):
            self._send(viewed.picture(path), path)
            return
        else:
            self._send_file(file_below(viewed.result, path), path)
            return
        if found is None:
            self._send(None, path)
            return
        content, headers = found.encoded(accepts)
        self._send(content, path, headers)

    def _is_for_us(self) -> bool:
        """A page of another site can have a name of its own lead here (DNS rebinding); its Host is that name."""
        hosts = self.headers.get_all("Host") or []
        name, _, port = (hosts[0] if len(hosts) == 1 else "").rpartition(":")
        return name.lower() in _NAMES and port == str(self.server.server_port)

    def _send(self, content: bytes | None, path: str, headers: Mapping[str, str] | None = None) -> None:
        if content is None:
            self._refuse(HTTPStatus.NOT_FOUND, f"there is no {path[:200]}")
            return
        etag = (headers or {}).get("ETag") or f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        about = {"Content-Type": _MEDIA_TYPES.get(PurePosixPath(path).suffix, _BYTES), "ETag": etag, **(headers or {})}
        if etag in (self.headers.get("If-None-Match") or "").replace("W/", "").split(", "):
            self._head(HTTPStatus.NOT_MODIFIED, {"ETag": etag})
            return
        self._head(HTTPStatus.OK, {**about, "Content-Length": str(len(content))})
        if self.command != "HEAD":
            self.wfile.write(content)

    def _send_file(self, file: Path | None, path: str) -> None:
        """A file of the result, of whatever size."""
        if file is None:
            self._send(None, path)
            return
        product = product_at(path)
        part = product.file_at(path) if product else None
        kind = part.media_type if part is not None else _MEDIA_TYPES.get(file.suffix, _BYTES)
        with file.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(0)
            about = {
                "Content-Type": kind,
                "Content-Length": str(size),
                "Last-Modified": formatdate(file.stat().st_mtime, usegmt=True),
            }
            if kind.startswith("text/html"):
                about["Content-Security-Policy"] = _REPORT_POLICY
            self._head(HTTPStatus.OK, about)
            if self.command != "HEAD":
                shutil.copyfileobj(stream, self.wfile, 1 << 20)

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        content = f"{detail}\n".encode()
        self._head(status, {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(content))})
        if self.command != "HEAD":
            self.wfile.write(content)

    def _head(self, status: HTTPStatus, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**_ALWAYS, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
