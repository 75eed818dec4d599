"""Storages for tests: a folder, and a real S3 server (moto's, which checks no signatures) in a process of its own."""

import itertools
import resource
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from worker.errors import NotFound
from worker.storage import LocalStorage, ObjectStorage, Storage

MIB = 2**20

_MAIN = """
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
print(server.server_port, flush=True)
server.serve_forever()
"""


@dataclass(frozen=True)
class S3Server:
    endpoint: str
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def options(self) -> dict[str, str]:
        return {
            "endpoint": self.endpoint,
            "region": "us-east-1",
            "access_key_id": "decloud",
            "secret_access_key": "not-a-secret",
        }

    def new_bucket(self) -> str:
        name = f"bucket-{next(self._numbers)}"
        self.ask("PUT", name)
        return name

    def ask(self, method: str, path: str) -> str:
        with urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/{path}", method=method)) as answer:
            return answer.read().decode()

    def head(self, path: str) -> dict[str, str]:
        """The headers of an object."""
        with urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/{path}", method="HEAD")) as answer:
            return {name.lower(): value for name, value in answer.headers.items()}


@contextmanager
def running_s3_server() -> Iterator[S3Server]:
    command = [sys.executable, "-c", _MAIN]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        assert port, "moto's server did not start"
        yield S3Server(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    with running_s3_server() as server:
        yield server


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    return s3_server.new_bucket()


@pytest.fixture
def object_storage(s3_server: S3Server, bucket: str) -> ObjectStorage:
    return ObjectStorage(f"s3://{bucket}/some/prefix", s3_server.options)


@pytest.fixture
def local_storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "files")


@pytest.fixture(params=["local_storage", "object_storage"])
def storage(request: pytest.FixtureRequest) -> Storage:
    """Each kind in turn."""
    chosen: Storage = request.getfixturevalue(request.param)
    return chosen


def pattern(size: int) -> bytes:
    """Bytes in which no two places look alike, so that a shifted range shows."""
    return np.arange(size // 4 + 1, dtype=">u4").tobytes()[:size]


def read(storage: Storage, key: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join(storage.open_range(key, start, end))


def size_of(storage: Storage, key: str) -> int:
    """Bytes stored under `key`. Raises `NotFound`."""
    return sum(map(len, storage.open_range(key)))


def keys_in(storage: Storage, *keys: str) -> set[str]:
    """Which of `keys` are stored."""
    found = set()
    for key in keys:
        with suppress(NotFound):
            size_of(storage, key)
            found.add(key)
    return found


def everything_in(folder: Path) -> list[str]:
    """Every file and link below `folder`, hidden ones as well."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_symlink() or path.is_file())


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file may become larger: what a full disk is to a program."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
