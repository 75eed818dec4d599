"""Runs a program that reads a stranger's files: a process in a cage, watched from outside, that gives back JSON.

The process starts with nothing of ours: an environment written here, an empty folder to stand in, no open files but
three pipes. It limits and encloses itself (`confinement`) before it looks at the files; from here its time, its
disk space and what it says are watched, and at the end whatever is left of its process group is killed. It needs no
privilege and no container.
"""

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq.errors import Stopped
from worker.imports.limits import ImportLimits

_LOOK_EVERY_S = 0.05
_MEASURE_EVERY_S = 0.25
_KEPT_ERRORS = 16_384  # bytes of what the process printed: enough for a trace
_LONGEST_ANSWER = 16 * 2**20
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
class Ending:
    """How the process ended. answer: the last JSON object it sent under "answer", None without.

    status: exit code, or minus the signal. exceeded: name of the limit that ended it. flooded: it was ended because it
    said more than anybody reads. errors: the end of what it printed, for the operator alone.
    """

    answer: dict[str, Any] | None
    status: int
    exceeded: str | None
    flooded: bool
    errors: str
    seconds: float
    cpu_s: float
    peak_memory_bytes: int


OnMessage = Callable[[dict[str, Any]], None]


def run_confined(
    program: Sequence[str],
    request: Mapping[str, Any],
    *,
    scratch: Path,
    limits: ImportLimits,
    on_message: OnMessage,
    should_stop: Callable[[], bool],
) -> Ending:
    """Runs Python with the arguments `program` and gives it `request`, as JSON on its standard input.

    To the request are added "limits" and "parent" for `confinement.limit`, and "pipe", the number of the file to which
    it writes JSON objects, one a line; those without "answer" go to `on_message`. It is to write below `scratch` alone,
    where space and files are counted, and dies with the thread that calls this. Raises `Stopped` where `should_stop`
    said so.
    """
    for name in ("empty", "tmp"):
        (scratch / name).mkdir()
    reading, writing = os.pipe()
    sent = {**request, "limits": limits.for_kernel(), "parent": os.getpid(), "pipe": writing}
    began = time.monotonic()
    try:
        with tempfile.TemporaryFile(dir=scratch) as told:
            told.write(json.dumps(sent).encode())
            told.seek(0)
            process = subprocess.Popen(
                [sys.executable, "-I", "-X", "utf8", *program],
                cwd=scratch / "empty",
                env=_environment(scratch),
                stdin=told,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(writing,),
                start_new_session=True,
            )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    assert process.stdout is not None
    with process.stdout as printed, open(reading, "rb", buffering=0) as pipe:
        watch = _Watch(process.pid, scratch, limits, on_message)
        try:
            watch.until_end(pipe.fileno(), printed.fileno(), should_stop)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        watch.drain(pipe.fileno(), printed.fileno())
    return Ending(
        answer=watch.answer,
        status=process.returncode,
        exceeded=watch.exceeded or _exceeded(process.returncode, watch),
        flooded=watch.flooded,
        errors=watch.errors.decode(errors="replace"),
        seconds=time.monotonic() - began,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_memory_bytes=usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    )


def disk_usage(folder: Path) -> tuple[int, int]:
    """(bytes on the disk, number of files) below `folder`; what vanishes meanwhile counts as nothing."""
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


class _Watch:
    """What is heard of a process and measured of it while it runs."""

    def __init__(self, pid: int, scratch: Path, limits: ImportLimits, on_message: OnMessage) -> None:
        self._pid, self._scratch, self._limits, self._on_message = pid, scratch, limits, on_message
        self._line = bytearray()
        self._heard_bytes = 0
        self._deadline = time.monotonic() + limits.wall_s
        self._measure_at = 0.0
        self.answer: dict[str, Any] | None = None
        self.exceeded: str | None = None
        self.errors = b""

    @property
    def flooded(self) -> bool:
        """Whether it said more than anybody reads."""
        return self._heard_bytes > _LONGEST_ANSWER

    def until_end(self, pipe: int, printed: int, should_stop: Callable[[], bool]) -> None:
        """Returns when the process has ended or must be ended. Raises `Stopped`."""
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ, self._hear)
            selector.register(printed, selectors.EVENT_READ, self._keep)
            while not os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                for key, _ in self._ready(selector):
                    if not key.data(os.read(key.fd, 65_536)):
                        selector.unregister(key.fd)
                self._measure()
                if self.exceeded or self.flooded:
                    return
                if should_stop():
                    raise Stopped("during the import")

    def drain(self, pipe: int, printed: int) -> None:
        """Takes in what was still in the pipes when the process ended."""
        for number, take in ((pipe, self._hear), (printed, self._keep)):
            os.set_blocking(number, False)
            with contextlib.suppress(BlockingIOError):
                while take(os.read(number, 65_536)):
                    pass

    @staticmethod
    def _ready(selector: selectors.BaseSelector) -> list[tuple[selectors.SelectorKey, int]]:
        if selector.get_map():
            return selector.select(_LOOK_EVERY_S)
        time.sleep(_LOOK_EVERY_S)
        return []

    def _measure(self) -> None:
        now = time.monotonic()
        if now > self._deadline:
            self.exceeded = "wall_s"
        elif now >= self._measure_at:
            self._measure_at = now + _MEASURE_EVERY_S
            used, files = disk_usage(self._scratch)
            if used > self._limits.disk_bytes:
                self.exceeded = "disk_bytes"
            elif files > self._limits.files:
                self.exceeded = "files"
            elif shutil.disk_usage(self._scratch).free < self._limits.disk_floor_bytes:
                self.exceeded = "disk_floor_bytes"

    def _hear(self, content: bytes) -> bool:
        """Whether there may be more. What is no JSON object is the last word of a process that was killed, or a lie."""
        self._heard_bytes += len(content)
        self._line += content
        if b"\n" not in content:
            return bool(content)
        *lines, rest = self._line.split(b"\n")
        self._line = bytearray(rest)
        for line in lines:
            with contextlib.suppress(ValueError, RecursionError):
                value = json.loads(line)
                if isinstance(value, dict) and isinstance(value.get("answer"), dict):
                    self.answer = value["answer"]
                elif isinstance(value, dict):
                    self._on_message(value)
        return bool(content)

    def _keep(self, content: bytes) -> bool:
        self.errors = (self.errors + content)[-_KEPT_ERRORS:]
        return bool(content)


def _exceeded(status: int, watch: _Watch) -> str | None:
    """The limit that the kernel kept, by how the process died of it."""
    if status == -signal.SIGXCPU:
        return "cpu_s"
    if status == -signal.SIGXFSZ:
        return "file_bytes"
    if status and not watch.answer and any(words.encode() in watch.errors for words in _NO_MEMORY):
        return "memory_bytes"
    return None


def _environment(scratch: Path) -> dict[str, str]:
    own = {"HOME": str(scratch / "empty"), "TMPDIR": str(scratch / "tmp")}
    return {**_ENVIRONMENT, **own, **{name: os.environ[name] for name in PASSED_ON if name in os.environ}}
