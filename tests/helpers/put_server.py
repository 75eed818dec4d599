"""A server of presigned addresses for tests: TLS on loopback, by a name that only the test's resolver knows."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from webhook_receiver import Names, certify

NAME = "put.example"
SECRET = "X-Amz-Signature=hunter2"


@dataclass(frozen=True)
class Got:
    """One request that came whole."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Manners:
    """What the server does. answers: statuses with headers in turn, the last one for ever. early: before it has read
    anything, and then hangs up. cut_at: hangs up after so many bytes. pause_s: before each piece. at_half: called."""

    answers: list[tuple[int, dict[str, str]]]
    early: bool = False
    cut_at: int | None = None
    pause_s: float = 0.0
    at_half: Callable[[], None] = lambda: None


class PutServer:
    """Keeps what is put there, and what was begun."""

    def __init__(self, tls: ssl.SSLContext, port: int = 0) -> None:
        self.got: list[Got] = []
        self.begun: list[str] = []
        self.manners = Manners([(200, {})])
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                manners = server.manners
                server.begun.append(self.path)
                body = b"" if manners.early else self._body(manners)
                if body is None:
                    self.close_connection = True
                    return
                if not manners.early:
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    server.got.append(Got(self.path, headers, body))
                answers = manners.answers
                status, extra = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response(status)
                for name, value in extra.items():
                    self.send_header(name, value)
                self.end_headers()
                self.close_connection = True

            def _body(self, manners: Manners) -> bytes | None:
                """None: cut off."""
                length, pieces, read = int(self.headers["Content-Length"]), [], 0
                while read < length:
                    time.sleep(manners.pause_s)
                    piece = self.rfile.read(min(64 * 1024, length - read))
                    if not piece:
                        return None
                    if read <= length / 2 < read + len(piece):
                        manners.at_half()
                    pieces.append(piece)
                    read += len(piece)
                    if manners.cut_at is not None and read >= manners.cut_at:
                        return None
                return b"".join(pieces)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:  # who asked has gone
                pass

        self._server = Server(("127.0.0.1", port), Handler)
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = int(self._server.server_address[1])
        self.host = f"{NAME}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def address(self, path: str) -> str:
        return f"https://{self.host}/{path}?X-Amz-Expires=3600&{SECRET}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def put_tls(tmp_path: Path, names: Names, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The server's side; the client trusts it, and knows the name."""
    tls, trusted = certify(tmp_path, NAME)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    names.answers |= {name: [["127.0.0.1"]] for name in (NAME, "127.0.0.1")}
    return tls


@pytest.fixture
def put_server(put_tls: ssl.SSLContext) -> Iterator[PutServer]:
    made = PutServer(put_tls)
    yield made
    made.close()
