"""Brokers for tests: fakeredis' TCP server, a real Redis on a free port where it is installed; Celery workers."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from fakeredis import TcpFakeServer
from locations import HELPERS
from service_databases import free_port
from service_workers import Workshop, until

STARTS_WITHIN_S = 30.0


class FakeRedis:
    """In this process; cannot be killed."""

    def __init__(self) -> None:
        self._server = TcpFakeServer(("127.0.0.1", 0), server_type="redis")
        self._server.daemon_threads = True
        self.url = f"redis://127.0.0.1:{self._server.server_address[1]}/0"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def remove(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class RealRedis:
    """A server on 127.0.0.1 that forgets everything when it is killed, and comes back at the same port."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder, self._port = program, folder, free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([self._program, *options], stdout=log, stderr=log)
        until(self._answers, "Redis does not answer", STARTS_WITHIN_S)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def client(self) -> "redis.Redis[bytes]":
        return redis.Redis(port=self._port)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False


def start_celery(workshop: Workshop, broker_url: str, *, classes: str = "cpu") -> subprocess.Popen[bytes]:
    """A worker as an operator starts it, settings in its environment; waits until it listens."""
    settings = workshop.settings.model_copy(update={"broker_url": broker_url})
    values = settings.model_dump(mode="json", exclude_defaults=True)
    path = os.pathsep.join(filter(None, (str(HELPERS), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    environment |= {f"DECLOUD_{name.upper()}": str(value) for name, value in values.items()}
    log = workshop.settings.data / f"celery-{len(workshop.processes)}.log"
    worker = ["-A", "simulated_worker", "worker", "-P", "threads", "-c", "1", "-Q", classes]
    command = [sys.executable, "-m", "celery", *worker]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=environment, cwd=workshop.settings.data, start_new_session=True
        )
    workshop.processes.append(process)
    until(lambda: "ready" in log.read_text() or process.poll() is not None, "Celery does not start", STARTS_WITHIN_S)
    assert process.poll() is None, log.read_text()
    return process


def stop(process: subprocess.Popen[bytes], within_s: float = 20.0) -> float:
    """SIGTERM, as an operator does; seconds until it has ended."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=within_s) == 0
    return time.monotonic() - began


@pytest.fixture
def fake_redis() -> Iterator[FakeRedis]:
    server = FakeRedis()
    yield server
    server.remove()


@pytest.fixture
def real_redis(tmp_path: Path) -> Iterator[RealRedis]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("Redis is not installed: no redis-server on the PATH")
    server = RealRedis(program, tmp_path)
    yield server
    server.kill()
