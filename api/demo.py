"""`decloud demo`: the main job through the service, by the commands a user types, on simulated data."""

import contextlib
import ctypes
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from api.data_folder import KEY, CannotServe, server_of

_STARTS_WITHIN_S = 60.0
# Longer than a worker's grace for a job that does not stop.
_STOPS_WITHIN_S = 40.0
_PR_SET_PDEATHSIG = 1


def demo(folder: Path, *, simulation: Sequence[str], submission: Sequence[str]) -> int:
    """Simulates FOLDER/fields, serves on a free port of this machine, submits, downloads to FOLDER/cloud-free, stops.

    simulation, submission: further arguments of those commands. The exit code of the first command that fails, or 0.
    However this ends, also by a signal, the server is stopped and its data are removed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotServe(f"{folder}: cannot be the demo's folder ({error.strerror})") from error
    fields, result = folder / "fields", folder / "cloud-free"
    _remove_simulation(fields)
    with _signals_as_exceptions(), tempfile.TemporaryDirectory(prefix="service-", dir=folder) as data:
        environment = _environment()
        if status := _run(["simulate", str(fields), *simulation], environment):
            return status
        with _served(Path(data), environment) as url:
            access = {"DECLOUD_SERVER": url, "DECLOUD_KEY": Path(data, KEY).read_text().strip()}
            # What it remembers of uploads goes with the demo.
            access["XDG_CACHE_HOME"] = str(Path(data, "cache"))
            command = ["submit", str(fields / "input"), str(result), "--overwrite", *submission]
            return _run(command, environment | access)


def _remove_simulation(fields: Path) -> None:
    """That of an earlier demo, and nothing else."""
    if (fields / "truth.npz").exists():
        shutil.rmtree(fields)


def _environment() -> dict[str, str]:
    """Ours, without the settings of another service."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DECLOUD_")}


def _run(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """One command in the foreground, shown as it would be typed. A signal ends it before us."""
    print(f"$ {shlex.join(['decloud', *arguments])}", flush=True)
    process = subprocess.Popen(_command(arguments), env=environment)
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()  # where it did not hear the signal itself
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        raise
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@contextmanager
def _served(data: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """`decloud serve` in a session of its own, so that Ctrl-C is ours; its address. Raises `CannotServe`."""
    arguments = ["serve", "--data", str(data), "--port", "0"]
    print(f"$ {shlex.join(['decloud', *arguments])} &", flush=True)
    log = data / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            _command(arguments),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=output,
            start_new_session=True,
            preexec_fn=_stop_with_parent,
        )
    try:
        yield _address(process, data, log)
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
    said = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
    raise CannotServe(f"decloud serve did not start: {said[-1].removeprefix('decloud: error: ')}")


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "api.cli", *arguments]


def _stop_with_parent() -> None:
    """In the child: whoever kills the demo leaves no server behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@contextmanager
def _signals_as_exceptions() -> Iterator[None]:
    """SIGTERM and SIGHUP are KeyboardInterrupt here, as SIGINT is everywhere."""

    def interrupt(number: int, _: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
