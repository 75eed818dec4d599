"""`decloud serve` on a data folder of its own, and what its process holds in memory."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from api.commands.background import Background, background_server, plain_environment

LOOK_EVERY_S = 0.05
OWNER = "local"  # of the first key


@dataclass(frozen=True)
class Server(Background):
    """data: its folder."""

    data: Path

    @property
    def authorization(self) -> str:
        return f"Bearer {self.key}"

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.data / 'decloud.db'}"


@contextmanager
def decloud_serve(data: Path) -> Iterator[Server]:
    """Its defaults, except that one key may ask without end."""
    environment = plain_environment() | {"DECLOUD_REQUESTS_PER_MINUTE": "100000000"}
    data.mkdir(parents=True)
    with background_server(data, environment) as server:
        yield Server(**vars(server), data=data)


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
