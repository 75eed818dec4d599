"""`decloud demo`: the main job through the service, by the commands a user types, on simulated data."""

import contextlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from api.commands.background import background_server, command_line, plain_environment, serve_arguments
from api.commands.data_folder import CannotServe


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
        environment = plain_environment()
        if status := _run(["simulate", str(fields), *simulation], environment):
            return status
        print(f"{_typed(serve_arguments(Path(data)))} &", flush=True)
        with background_server(Path(data), environment) as server:
            access = {"DECLOUD_SERVER": server.url, "DECLOUD_KEY": server.key}
            # What it remembers of uploads goes with the demo.
            access["XDG_CACHE_HOME"] = str(Path(data, "cache"))
            command = ["submit", str(fields / "input"), str(result), "--overwrite", *submission]
            return _run(command, environment | access)


def _remove_simulation(fields: Path) -> None:
    """That of an earlier demo, and nothing else."""
    if (fields / "truth.npz").exists():
        shutil.rmtree(fields)


def _typed(arguments: Sequence[str]) -> str:
    return f"$ {shlex.join(['decloud', *arguments])}"


def _run(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """One command in the foreground, shown as it would be typed. A signal ends it before us."""
    print(_typed(arguments), flush=True)
    process = subprocess.Popen(command_line(arguments), env=environment)
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


def show(folder: Path, *, wait: bool) -> None:
    """The end of a demo: its result in the viewer, at an address that is printed, until Ctrl-C.

    Without `wait` nobody would end that: one file that a browser opens is written, FOLDER/cloud-free.html, and its
    address printed, with the command that starts the viewer.
    """
    from seq2seq.commands.main import app as library

    result = folder / "cloud-free"
    if wait:
        command = ["view", str(result), "--no-browser"]
        print(_typed(command), flush=True)
        library(command, standalone_mode=False)
        return
    file = folder / "cloud-free.html"
    library(["export", str(result), str(file), "--overwrite", "--quiet"], standalone_mode=False)
    print(f"Swipe    {file.absolute().as_uri()}", f"Viewer   {_program()} view {shlex.quote(str(result))}", sep="\n")


def _program() -> str:
    """What a user types here: `make` runs a program that is in no folder of commands."""
    given = Path(sys.argv[0])
    return str(given) if given.name == "decloud" and shutil.which("decloud") is None else "decloud"


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
