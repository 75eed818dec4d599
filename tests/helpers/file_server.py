"""Files by HTTP on loopback, and everything that can be wrong with how they are given out."""

import socket
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass
class FileServer:
    """files: by path. redirects: by path. faults: by path, used up one by one; `always`: of every request of a path.

    Faults: an int is a status; "cut" sends half of what was asked for; "reset"; "silent" says nothing for a minute;
    "trickle" sends a byte now and then; "slow": pace_s between pieces of 64 KiB; "whole" knows no ranges; "unsized"
    states no length. asked: (path with query, range) of each request.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    faults: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    always: dict[str, Any] = field(default_factory=dict)
    etag: str = '"1"'
    pace_s: float = 0.1
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    sent: int = 0
    url: str = ""

    @property
    def authority(self) -> str:
        return self.url.partition("://")[2]

    def fault_of(self, path: str) -> Any:
        if self.faults[path]:
            return self.faults[path].pop(0)
        return self.always.get(path)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    ours: FileServer

    def log_message(self, *_: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.ours.asked.append((self.path, self.headers.get("Range")))
        fault = self.ours.fault_of(path)
        if path in self.ours.redirects:
            self._head(302, 0, {"Location": self.ours.redirects[path]})
        elif isinstance(fault, int):
            self._head(fault, 0)
        elif fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.connection.close()
            self.close_connection = True
        elif fault == "silent":
            time.sleep(60)
        elif path not in self.ours.files:
            self._head(404, 0)
        else:
            self._file(self.ours.files[path], fault)

    def _file(self, content: bytes, fault: Any) -> None:
        asked = self.headers.get("Range")
        headers = {"ETag": self.ours.etag} if self.ours.etag else {}
        if fault == "unsized":
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            self._send(content, None)
            self.close_connection = True
        elif asked is None or fault == "whole":
            self._head(200, len(content), headers)
            self._send(content, fault)
        else:
            start, end = asked.removeprefix("bytes=").split("-")
            first, last = int(start), min(int(end), len(content) - 1)
            if first >= len(content):
                self._head(416, 0, {"Content-Range": f"bytes */{len(content)}"})
                return
            part = content[first : last + 1]
            self._head(206, len(part), {**headers, "Content-Range": f"bytes {first}-{last}/{len(content)}"})
            self._send(part, fault)

    def _send(self, content: bytes, fault: Any) -> None:
        if fault == "cut":
            content, self.close_connection = content[: len(content) // 2], True
        step = 1 if fault == "trickle" else 65536
        for at in range(0, len(content), step):
            self.wfile.write(content[at : at + step])
            self.ours.sent += len(content[at : at + step])
            if fault in ("slow", "trickle"):
                time.sleep(self.ours.pace_s)

    def _head(self, status: int, size: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(size))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()


@contextmanager
def file_server(tls: ssl.SSLContext | None = None) -> Iterator[FileServer]:
    """Serves until the context ends; with `tls` by https, as localhost."""
    ours = FileServer()
    handler: Callable[..., Any] = type("Handler", (_Handler,), {"ours": ours})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # of clients that have left
    ours.url = f"http://127.0.0.1:{server.server_port}"
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        ours.url = f"https://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield ours
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
