"""`decloud serve` in the background, for as long as somebody needs it: the demo, and benchmarks."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from api.commands.data_folder import KEY, CannotServe, server_of

_STARTS_WITHIN_S = 60.0
# Longer than a worker's grace for a job that does not stop.
_STOPS_WITHIN_S = 40.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Background:
    """url: without a slash at the end. key: the first one. pid: of API, reaper and supervisor; jobs are its
    children."""

    url: str
    key: str
    pid: int


def command_line(arguments: Sequence[str]) -> list[str]:
    """The words that run our program with these arguments, by the same Python."""
    return [sys.executable, "-m", "api.commands.main", *arguments]


def plain_environment() -> dict[str, str]:
    """Our environment without the settings of another service."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DECLOUD_")}


def serve_arguments(data: Path) -> list[str]:
    """The arguments that serve a folder on any free port."""
    return ["serve", "--data", str(data), "--port", "0"]


@contextmanager
def background_server(data: Path, environment: Mapping[str, str]) -> Iterator[Background]:
    """Serves `data` in a session of its own: Ctrl-C is its caller's, it dies with that. Raises `CannotServe`."""
    log = data / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command_line(serve_arguments(data)),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=output,
            start_new_session=True,
            preexec_fn=_stop_with_parent,
        )
    try:
        url = _address(process, data, log)
        yield Background(url, (data / KEY).read_text().strip(), process.pid)
    finally:
        process.terminate()
        try:
            process.wait(_STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[bytes], data: Path, log: Path) -> str:
    deadline = time.monotonic() + _STARTS_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        if served := server_of(data):
            return str(served["url"])
        time.sleep(0.05)
    lines = log.read_text(errors="replace").strip().splitlines() or ["its log is empty"]
    raise CannotServe(f"decloud serve did not start: {lines[-1].removeprefix('decloud: error: ')}")


def _stop_with_parent() -> None:
    """In the child: whoever kills its parent leaves no server behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
