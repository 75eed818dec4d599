"""`decloud serve` for tests: a process of its own on a free port, with the simulated method, that can be stopped and
killed."""

import os
import signal
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import simulated
from locations import HELPERS
from service_workers import INTERVALS, alive, job_processes, until

from api.client import Client, RemoteJob
from api.commands.data_folder import KEY, server_of

STARTS_WITHIN_S = 40.0
STOPS_WITHIN_S = 30.0
PROGRAM = str(HELPERS / "simulated_service.py")


class Served:
    """One data folder, served by one process after the other."""

    def __init__(self, data: Path, **settings: Any) -> None:
        self.data = data
        values = {**INTERVALS, "disk_floor_bytes": 0, "requests_per_minute": 100_000, **settings}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("DECLOUD_")},
            **{f"DECLOUD_{name.upper()}": str(value) for name, value in values.items()},
            "OMP_NUM_THREADS": "1",
        }
        self.log, self.output = data.with_name(f"{data.name}.log"), data.with_name(f"{data.name}.out")
        # Of every process that is started from now on: how many files it may open, soft limit and hard.
        self.open_files: tuple[int, int] | None = None
        self._processes: list[subprocess.Popen[bytes]] = []
        self._clients = ExitStack()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        return self._processes[-1]

    @property
    def url(self) -> str:
        said = server_of(self.data)
        assert said is not None, "nobody serves"
        return str(said["url"])

    @property
    def key(self) -> str:
        return (self.data / KEY).read_text().strip()

    def start(self, port: int = 0) -> "Served":
        command = [sys.executable, PROGRAM, "serve", "--data", str(self.data), "--port", str(port)]
        if self.open_files is not None:
            limits = "ulimit -S -n {}; ulimit -H -n {}; ".format(*self.open_files)
            command = ["bash", "-c", f'{limits} exec "$@"', "decloud", *command]
        with self.log.open("ab") as log, self.output.open("ab") as output:
            self._processes.append(
                subprocess.Popen(command, stdout=output, stderr=log, env=self.environment, start_new_session=True)
            )
        until(lambda: server_of(self.data) or self.process.poll() is not None, "no start", STARTS_WITHIN_S)
        assert self.process.poll() is None, self.log.read_text()
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        """The exit code."""
        self.process.send_signal(number)
        return self.process.wait(STOPS_WITHIN_S)

    def kill(self) -> None:
        """SIGKILL, of the server alone."""
        self.process.kill()
        self.process.wait()

    def client(self, **options: Any) -> Client:
        return self._clients.enter_context(Client(self.url, self.key, **options))

    def submit(self, client: Client, file: Path, **settings: Any) -> RemoteJob:
        """A job of the simulated method."""
        return client.submit(client.upload(file), simulated.inputs(**{"dates": 0, "seconds": 0.1, **settings}))

    def job_processes(self) -> list[int]:
        return job_processes(self.process.pid)

    def end(self) -> None:
        self._clients.close()
        for process in self._processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def gone(pids: list[int]) -> bool:
    return not any(alive(pid) for pid in pids)


Serving = Callable[..., Served]


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    """Makes data folders that are served until the test's end."""
    with ExitStack() as open_servers:

        def serve(*, open_files: tuple[int, int] | None = None, **settings: Any) -> Served:
            served = Served(tmp_path / "data", **settings)
            served.open_files = open_files
            open_servers.callback(served.end)
            return served.start()

        yield serve


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Something to upload; the simulated method does not look at it."""
    path = tmp_path / "fields.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("S2/2021-05-01.tif", bytes(1000))
    return path


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One for all tests that neither stop nor disturb it."""
    served = Served(tmp_path_factory.mktemp("served") / "data").start()
    yield served
    served.end()


def at_home(monkeypatch: pytest.MonkeyPatch, folder: Path, url: str, key: str) -> None:
    """A user of a server: a folder with a sequence in it, and an environment."""
    for name in [name for name in os.environ if name.startswith("DECLOUD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DECLOUD_SERVER", url)
    monkeypatch.setenv("DECLOUD_KEY", key)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(folder)
    Path("fields/S2").mkdir(parents=True)
    Path("fields/S2/2021-05-01.tif").write_bytes(uuid.uuid4().bytes)


@pytest.fixture
def here(shared_server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder, of the server that tests share."""
    at_home(monkeypatch, tmp_path, shared_server.url, shared_server.key)
    return tmp_path


def resident(served: Served) -> int:
    lines = Path(f"/proc/{served.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS:"))
