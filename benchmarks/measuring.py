"""Commands run as a user would, with their wall time and peak memory; and what machine they ran on.

This process stays small (no torch): a child's peak starts at what its parent held when it was started.
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("torch", "numpy", "lightgbm", "rasterio")
SERVICE_PACKAGES = ("fastapi", "starlette", "uvicorn", "sqlalchemy")
DECLOUD = str(Path(sys.executable).with_name("decloud"))


class CommandFailedError(Exception):
    """A measured command ended with an error: the command, its exit code and the last lines that it said."""


@dataclass(frozen=True)
class Measured:
    """wall_s: seconds from start to end. cpu_s: of processors, its children's too. peak_gb: most GiB resident, of the
    largest process. output: its stdout."""

    wall_s: float
    peak_gb: float
    output: str
    cpu_s: float = 0.0


def measure(command: Sequence[str | Path], variables: Mapping[str, str] | None = None) -> Measured:
    """Runs `command` to its end, with further environment `variables`. Raises CommandFailedError."""
    words = [str(word) for word in command]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        began = time.perf_counter()
        environment = os.environ | dict(variables or {})
        process = subprocess.Popen(
            words, stdout=output, stderr=errors, stdin=subprocess.DEVNULL, text=True, env=environment
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
        wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0), errors.seek(0)
        said = output.read()
        if process.returncode:
            last = " | ".join((said + errors.read()).strip().splitlines()[-3:])
            raise CommandFailedError(
                f"{Path(words[0]).name} {' '.join(words[1:])}: exit code {process.returncode}: {last}"
            )
    return Measured(wall_s, _gibibytes(usage.ru_maxrss), said, usage.ru_utime + usage.ru_stime)


def circumstances(packages: Sequence[str] = PACKAGES) -> dict[str, Any]:
    """Date, machine, versions and commit, as the head of a results page needs them."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "ram_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
    }


def cuda_device() -> str | None:
    """Name of the first CUDA device, None without one; asked of a child, so that torch is not loaded here."""
    question = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
    return measure([sys.executable, "-c", question]).output.strip() or None


def _gibibytes(maxrss: int) -> float:
    return maxrss / 2**30 if sys.platform == "darwin" else maxrss / 2**20  # bytes on macOS, KiB on Linux


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def commit(checkout: Path = ROOT) -> str:
    """Names the commit of a checkout."""
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "not a git checkout"
