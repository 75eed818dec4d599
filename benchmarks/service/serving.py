"""`decloud serve` on a data folder of its own, and what its process holds in memory."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from api.data_folder import KEY, server_of

STARTS_WITHIN_S, STOPS_WITHIN_S = 60.0, 60.0
LOOK_EVERY_S = 0.05
OWNER = "local"  # of the first key


@dataclass(frozen=True)
class Server:
    """url: without a slash at the end. data: its folder. pid: API, reaper and supervisor; jobs are its children."""

    url: str
    key: str
    data: Path
    pid: int

    @property
    def authorization(self) -> str:
        return f"Bearer {self.key}"

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.data / 'decloud.db'}"


@contextmanager
def decloud_serve(data: Path) -> Iterator[Server]:
    """Its defaults, except that one key may ask without end, and that the simulated method is there."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DECLOUD_")}
    environment |= {"DECLOUD_REQUESTS_PER_MINUTE": "100000000", "DECLOUD_ENVIRONMENT": "test"}
    environment |= {"DECLOUD_ALLOW_SIMULATED_METHOD": "true"}
    command = [sys.executable, "-m", "api.cli", "serve", "--data", str(data), "--port", "0"]
    data.mkdir(parents=True)
    with (data / "serve.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        url = _address(process, data)
        yield Server(url, (data / KEY).read_text().strip(), data, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[bytes], data: Path) -> str:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        if served := server_of(data):
            return str(served["url"])
        time.sleep(LOOK_EVERY_S)
    raise RuntimeError(f"decloud serve did not start: {(data / 'serve.log').read_text()[-500:]}")


class Memory(threading.Thread):
    """Inside `with`: the most bytes that a process has resident; `grown` is what that is above the beginning."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._file = Path(f"/proc/{pid}/status")
        self._over = threading.Event()
        self.before = self.most = self._resident()

    @property
    def grown(self) -> int:
        return self.most - self.before

    def run(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            self.most = max(self.most, self._resident())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._over.set()
        self.join()
        self.most = max(self.most, self._resident())

    def _resident(self) -> int:
        line = next(line for line in self._file.read_text().splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024
