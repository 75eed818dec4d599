"""The page on loopback as `decloud view` serves it: the page at /, its files at /page/, a bundle's folder beside."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

PAGE = Path(__file__).resolve().parents[2] / "seq2seq" / "page" / "static"
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
TYPES = {".js": "text/javascript", ".webp": "image/webp", ".json": "application/json", ".svg": "image/svg+xml"}

# Width and scheme: layout hangs on the one and colours on the other, so that each is looked at once by default.
LOOKS = [
    (360, "light"),
    (1280, "dark"),
    *(pytest.param(*look, marks=pytest.mark.slow) for look in ((360, "dark"), (1280, "light"))),
]

# Answers (status, body) in place of a file, by a path's end; None: the file itself.
Answer = Callable[[str], tuple[int, bytes] | None]


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    extensions_map = SimpleHTTPRequestHandler.extensions_map | TYPES

    def __init__(self, *args: object, folder: Path, instead: Answer, place: str, **more: object) -> None:
        self.folder, self.instead, self.place = folder, instead, place
        super().__init__(*args, **more)  # type: ignore[arg-type]

    def translate_path(self, path: str) -> str:
        parts = [part for part in unquote(urlsplit(path).path).split("/") if part not in ("", "..", ".")]
        if parts[:1] == ["page"]:
            return str(PAGE.joinpath(*parts[1:]))
        return str(self.folder.joinpath(*parts))

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        changed = self.instead(path)
        if path == "/":
            text = (PAGE / "index.html").read_text(encoding="utf-8")
            self._send(
                200, text.replace('content="service"', f'content="{self.place}"').encode(), "text/html; charset=utf-8"
            )
        elif changed is not None:
            self._send(*changed, self.guess_type(path))
        elif path == "/login" and self.place == "service":
            self._send(200, b'{"offered": false}', "application/json")
        else:
            super().do_GET()

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A browser that leaves closes its connections; that is no error."""


@contextmanager
def page_server(folder: Path, instead: Answer = lambda path: None, place: str = "view") -> Iterator[str]:
    """Serves the page over `folder` (with pictures/ in it); yields the address, which ends in a slash."""
    with _Server(("127.0.0.1", 0), partial(_Handler, folder=folder, instead=instead, place=place)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()


def until(page: Any, script: str, argument: Any = None, *, seconds: float = 8) -> None:
    """Waits for a script to be true. Playwright's own waiting evaluates texts in the page, which its policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(script, argument):
        if time.monotonic() > end:
            panes = page.evaluate("[...document.querySelectorAll('canvas.pane')].map((each) => each.dataset.shown)")
            raise AssertionError(f"never true: {script}, {argument}; the panes show {panes} at {page.url}")
        page.wait_for_timeout(20)
