"""Runs a program that reads untrusted files: a confined process, watched from outside, that gives back JSON.

The process starts with nothing of ours: an environment written here, an empty folder to stand in, no open files but
its request, what it prints and the pipe. It limits and encloses itself (`confinement`) before it looks at the files;
from here its time, its disk space and what it sends are watched, and at the end whatever is left of its process group
is killed. It needs no privilege and no container.
"""

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from seq2seq.errors import Stopped
from worker import clock
from worker.imports.limits import ImportLimits
from worker.processes.child_process import DEADLINE, ChildProcess, OnMessage, ProcessExit, Stop

_MEASURE_EVERY_S = 0.25
_KEPT_BYTES = 16_384  # of what the process printed: enough for a trace
_MOST_MESSAGE_BYTES = 16 * 2**20
_FLOODING = "flooding"
# What allocators say when they are refused memory, and then die.
_NO_MEMORY = ("MemoryError", "bad_alloc", "annot allocate memory", "ut of memory")

# Drivers of GDAL that go where a file's content points: to other files, to the network, to databases. No reader of ours
# uses one; without them a reader that forgot to say which driver it wants is harmless too.
_FOLLOWING_DRIVERS = (
    *("VRT", "GTI", "DERIVED", "STACIT", "STACTA", "HTTP", "WMS", "WMTS", "WCS", "DAAS", "EEDA", "EEDAI", "PLMOSAIC"),
    *(
        "NGW",
        "OGCAPI",
        "MBTiles",
        "MRF",
        "ESRIC",
        "TileDB",
        "PostGISRaster",
        "GeoRaster",
        "Rasterlite",
        "KMLSUPEROVERLAY",
    ),
)
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "GDAL_SKIP": ",".join(_FOLLOWING_DRIVERS),
    "GDAL_DRIVER_PATH": "disable",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_GEOREF_SOURCES": "INTERNAL",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "GDAL_NUM_THREADS": "1",
    "GDAL_CACHEMAX": "128",  # MiB; by itself it takes 5 % of the machine
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
    "PROJ_NETWORK": "OFF",
    # threads gain nothing here, and each reserves address space
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
# Where a system keeps its libraries; the operator's word, not the user's.
PASSED_ON = ("GDAL_DATA", "PROJ_DATA", "PROJ_LIB", "LD_LIBRARY_PATH")


@dataclass(frozen=True)
class SandboxOutcome:
    """Says how the process ended. answer: the last JSON object it sent under "answer", None without.

    exceeded: name of the limit that ended it. flooded: it was ended because it sent more than anybody reads. printed:
    the end of what it printed, for the operator alone.
    """

    answer: dict[str, Any] | None
    exit: ProcessExit
    exceeded: str | None
    flooded: bool
    printed: str


def run_confined(
    program: Sequence[str],
    request: Mapping[str, Any],
    *,
    scratch: Path,
    limits: ImportLimits,
    on_message: OnMessage,
    should_stop: Callable[[], bool],
) -> SandboxOutcome:
    """Runs Python with the arguments `program` and gives it `request`, as JSON on its standard input.

    To the request are added "limits" for `confinement.limit`. Into its pipe the process writes JSON objects, one a
    line; those without "answer" go to `on_message`, in a thread of its own. It is to write below `scratch` alone, where
    space and files are counted, and dies with the thread that calls this. Raises `Stopped` where `should_stop` said so.
    """
    for name in ("empty", "tmp"):
        (scratch / name).mkdir()
    messages, budget = _Messages(on_message), _Budget(scratch, limits)
    with _request_file({**request, "limits": limits.for_kernel()}, scratch) as asked, _print_file(scratch) as printed:
        with ChildProcess(
            [sys.executable, "-I", "-X", "utf8", *program],
            folder=scratch / "empty",
            environment=_environment(scratch),
            stdin=asked.fileno(),
            output=printed.fileno(),
            on_message=messages.receive,
            most_bytes=_MOST_MESSAGE_BYTES,
        ) as child:
            ended = child.supervise(lambda: _why_to_stop(child, budget, should_stop), within_s=limits.wall_s)
        end = _end_of(printed)
    return SandboxOutcome(
        answer=messages.answer,
        exit=ended,
        exceeded=_exceeded(ended, messages.answer, end),
        flooded=child.is_flooding,
        printed=end,
    )


def disk_usage(folder: Path) -> tuple[int, int]:
    """Returns (bytes on the disk, number of files) below `folder`; what vanishes meanwhile counts as nothing."""
    used, files, folders = 0, 0, [folder]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                    continue
                with contextlib.suppress(OSError):
                    used += entry.stat(follow_symlinks=False).st_blocks * 512
                files += 1
    return used, files


class _Messages:
    """Tells the answer from what the process reports on its way."""

    def __init__(self, on_message: OnMessage) -> None:
        self._on_message = on_message
        self.answer: dict[str, Any] | None = None

    def receive(self, message: dict[str, Any]) -> None:
        """Keeps an answer, and hands everything else on."""
        if isinstance(message.get("answer"), dict):
            self.answer = message["answer"]
        else:
            self._on_message(message)


class _Budget:
    """What a process takes of the disk, measured now and then."""

    def __init__(self, scratch: Path, limits: ImportLimits) -> None:
        self._scratch, self._limits = scratch, limits
        self._measure_at = clock.elapsed()

    def exceeded(self) -> str | None:
        """Returns the name of the limit that is exceeded."""
        now = clock.elapsed()
        if now < self._measure_at:
            return None
        self._measure_at = now + _MEASURE_EVERY_S
        used, files = disk_usage(self._scratch)
        if used > self._limits.disk_bytes:
            return "disk_bytes"
        if files > self._limits.files:
            return "files"
        free = shutil.disk_usage(self._scratch).free
        return "disk_floor_bytes" if free < self._limits.disk_floor_bytes else None


def _why_to_stop(child: ChildProcess, budget: _Budget, should_stop: Callable[[], bool]) -> Stop | None:
    if should_stop():
        raise Stopped("during the import")
    exceeded = _FLOODING if child.is_flooding else budget.exceeded()
    return None if exceeded is None else Stop(exceeded)


def _exceeded(ended: ProcessExit, answer: dict[str, Any] | None, printed: str) -> str | None:
    """The limit that was kept from outside, or by the kernel: then by how the process died of it."""
    if ended.stopped is not None and ended.stopped != _FLOODING:
        return "wall_s" if ended.stopped == DEADLINE else ended.stopped
    if ended.status == -signal.SIGXCPU:
        return "cpu_s"
    if ended.status == -signal.SIGXFSZ:
        return "file_bytes"
    if ended.status and not answer and any(words in printed for words in _NO_MEMORY):
        return "memory_bytes"
    return None


@contextlib.contextmanager
def _request_file(request: Mapping[str, Any], scratch: Path) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile(dir=scratch) as file:
        file.write(json.dumps(request).encode())
        file.seek(0)
        yield file


def _print_file(scratch: Path) -> IO[bytes]:
    """A file with a name, so that its size is counted with the others."""
    return open(scratch / "printed", "w+b")


def _end_of(printed: IO[bytes]) -> str:
    size = printed.seek(0, os.SEEK_END)
    printed.seek(max(0, size - _KEPT_BYTES))
    return printed.read().decode(errors="replace")


def _environment(scratch: Path) -> dict[str, str]:
    own = {"HOME": str(scratch / "empty"), "TMPDIR": str(scratch / "tmp")}
    return {**_ENVIRONMENT, **own, **{name: os.environ[name] for name in PASSED_ON if name in os.environ}}
