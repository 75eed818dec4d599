"""A small server that speaks the service's words for uploads and downloads, and every way to be let down by it."""

import base64
import hashlib
import json
import random
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from api.client import Client


@dataclass(frozen=True)
class Answer:
    """Given instead of the right one."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: Any, **headers: str) -> "Answer":
        return cls(200, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})

    @classmethod
    def problem(cls, status: int, code: str, detail: str, **more: Any) -> "Answer":
        headers = {name: more.pop(name) for name in list(more) if name == "Retry-After"}
        body = {"type": f"https://example.org/problems/{code}", "status": status, "detail": detail, **more}
        return cls(status, json.dumps(body).encode(), {"Content-Type": "application/problem+json", **headers})


@dataclass
class Stored:
    length: int
    content: bytes = b""


class FlakyService(ThreadingHTTPServer):
    """instead: answers given to the next requests, in order. damaged: how many bodies are changed on their way.

    forget: how many uploads vanish when they are asked for. asked: every request's method and path.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.instead: list[Answer] = []
        self.damaged_sent = self.damaged_got = self.forget = self.no_ranges = 0
        self.largest_body = 1 << 40
        self.uploads: dict[str, Stored] = {}
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.keys: list[str | None] = []
        self.lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def give_result(self, files: dict[str, bytes], job_id: str = "job-1") -> None:
        """The files of a job's result, with the manifest of them."""
        entries = [
            {"path": path, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for path, content in files.items()
        ]
        manifest = json.dumps({"files": entries}).encode()
        self.files = {f"/jobs/{job_id}/results/{path}": content for path, content in files.items()}
        self.files[f"/jobs/{job_id}/results/manifest.json"] = manifest

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Lines are cut on purpose here."""

    def end(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    server: FlakyService

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        service = self.server
        with service.lock:
            service.asked.append(f"{self.command} {self.path}")
            service.keys.append(self.headers.get("Authorization"))
            if len(body) > service.largest_body:  # as nginx says it
                service.asked.append("413")
                answer = Answer(413, b"<html>Request Entity Too Large</html>")
            else:
                answer = service.instead.pop(0) if service.instead else self._answer(body)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_POST = do_PATCH = do_HEAD = do_DELETE = _serve  # noqa: N815

    def _answer(self, body: bytes) -> Answer:
        service = self.server
        if self.command == "POST" and self.path == "/uploads":
            upload_id = f"upload-{len(service.uploads)}"
            service.uploads[upload_id] = Stored(int(self.headers["Upload-Length"]))
            return Answer(201, headers={"Location": f"/uploads/{upload_id}"})
        if found := re.fullmatch(r"/uploads/([\w-]+)", self.path):
            return self._upload(found[1], body)
        if self.path in service.files:
            return self._file(service.files[self.path])
        return Answer.problem(404, "not-found", "There is no such thing.")

    def _upload(self, upload_id: str, body: bytes) -> Answer:
        service = self.server
        if service.forget:
            service.forget -= 1
            service.uploads.pop(upload_id, None)
        upload = service.uploads.get(upload_id)
        if upload is None:
            return Answer.problem(404, "not-found", "There is no such upload.")
        if self.command == "GET":
            sha256 = hashlib.sha256(upload.content).hexdigest() if len(upload.content) == upload.length else None
            return Answer(200, json.dumps({"id": upload_id, "sha256": sha256}).encode())
        if self.command == "DELETE":
            del service.uploads[upload_id]
            return Answer(204)
        if self.command == "PATCH":
            if int(self.headers["Upload-Offset"]) != len(upload.content):
                return Answer.problem(409, "offset-conflict", "Those bytes are stored.")
            if service.damaged_sent:
                service.damaged_sent -= 1
                body = b"\0" + body[1:]
            kind, _, said = self.headers["Upload-Checksum"].partition(" ")
            if base64.b64decode(said) != hashlib.new(kind, body).digest():
                return Answer.problem(460, "checksum-mismatch", "Those are not the bytes.")
            upload.content += body
            return Answer(204, headers={"Upload-Offset": str(len(upload.content))})
        return Answer(200, headers={"Upload-Offset": str(len(upload.content))})

    def _file(self, content: bytes) -> Answer:
        service = self.server
        if service.damaged_got and not self.path.endswith("manifest.json"):
            service.damaged_got -= 1
            content = b"\0" + content[1:]
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not found or service.no_ranges:
            return Answer(200, content)
        return Answer(206, content[int(found[1]) :])


class CuttingProxy:
    """Passes bytes to `port` and back, and cuts each of the first `cuts` connections after a random number of them."""

    def __init__(self, port: int, *, cuts: int, most_bytes: int, seed: int) -> None:
        self._port, self._most = port, most_bytes
        self.left, self.made = cuts, 0
        self._random = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads: list[threading.Thread] = []
        self._pipes: list[_Pipe] = []
        self._start(self._listen)

    def end(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for pipe in self._pipes:
            pipe.close()
        for thread in self._threads:
            thread.join(timeout=5)

    def _start(self, target: Any, *values: Any) -> None:
        thread = threading.Thread(target=target, args=values, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._port))
            pipe = _Pipe(near, far, self._budget())
            self._pipes.append(pipe)
            self._start(self._pass, pipe, near, far)
            self._start(self._pass, pipe, far, near)

    def _budget(self) -> int | None:
        if self.left <= 0:
            return None
        self.left -= 1
        return self._random.randint(1, self._most)

    def _pass(self, pipe: "_Pipe", source: socket.socket, target: socket.socket) -> None:
        try:
            while piece := source.recv(1 << 16):
                allowed, cut = pipe.allow(len(piece))
                target.sendall(piece[:allowed])
                if cut:
                    self.made += 1
                    break
        except OSError:
            pass
        pipe.close()


@dataclass
class _Pipe:
    near: socket.socket
    far: socket.socket
    budget: int | None
    lock: threading.Lock = field(default_factory=threading.Lock)
    closed: bool = False

    def allow(self, size: int) -> tuple[int, bool]:
        with self.lock:
            if self.budget is None:
                return size, False
            allowed = min(size, self.budget)
            self.budget -= allowed
            return allowed, self.budget == 0

    def close(self) -> None:
        with self.lock:
            if self.closed:
                return
            self.closed = True
        for end in (self.near, self.far):
            # a reset, as of a line that is gone
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def cutting(url: str, *, cuts: int, most_bytes: int, seed: int = 0) -> Iterator[CuttingProxy]:
    proxy = CuttingProxy(int(url.rpartition(":")[2]), cuts=cuts, most_bytes=most_bytes, seed=seed)
    yield proxy
    proxy.end()


class Pauses(list[float]):
    """Waiting that takes no time."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


Connect = Callable[..., Client]


@pytest.fixture
def flaky() -> Iterator[FlakyService]:
    running = FlakyService()
    yield running
    running.end()


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def connect(pauses: Pauses) -> Iterator[Connect]:
    """Makes clients whose pauses take no time."""
    with ExitStack() as open_clients:
        yield lambda url, key=None, **options: open_clients.enter_context(Client(url, key, sleep=pauses, **options))
