"""Device, precision, threads and memory of the arithmetic. The only place that asks what the machine has."""

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import torch

from seq2seq.errors import ConfigError

# Dates x pixels of a step of a network; one thread makes smaller ones as fast as two.
STEP_SHARED_FROM = 4_000
# Of a GPU's memory, what the images that a step remembers may take.
STEP_GPU_SHARE = 0.5


def available_devices() -> list[str]:
    """Lists the names that `choose_device` accepts here, best first: "cuda:0", ..., "mps", "cpu"."""
    cuda = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [*cuda, *mps, "cpu"]


def choose_device(name: str) -> torch.device:
    """Chooses "auto" (CUDA, MPS, CPU), "cpu", "cuda", "cuda:N" or "mps". Raises ConfigError naming what is there."""
    available = available_devices()
    wanted = {"auto": available[0], "cuda": "cuda:0"}.get(name, name)
    if wanted not in available:
        raise ConfigError(f"device {name!r} is not available; this machine has {', '.join(available)}")
    return torch.device(wanted)


def has_bfloat16(device: torch.device) -> bool:
    """Tells whether the device multiplies bfloat16 in hardware.

    Emulated it is several times slower than float32. MPS is left out: its autocast covers too few operations.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return _cpu_has_bfloat16()
    return False


def _cpu_has_bfloat16() -> bool:
    # torch has no public question for this in all the versions we allow; a missing one means no.
    probes = (getattr(torch.cpu, name, None) for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"))
    return any(probe() for probe in probes if probe is not None)


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """Makes a context in which convolutions run in bfloat16 where `has_bfloat16`, else one that changes nothing."""
    return torch.autocast(device.type, dtype=torch.bfloat16) if has_bfloat16(device) else nullcontext()


def deterministic() -> AbstractContextManager[object]:
    """Makes a context in which cuDNN picks the same, reproducible algorithms every time; no effect on other devices."""
    context: AbstractContextManager[object] = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True
    )
    return context


def step_memory(device: torch.device, *, elsewhere: float) -> float:
    """Returns the bytes that a step may remember of its images: a share of a GPU's memory, or `elsewhere`."""
    on_gpu = device.type == "cuda"
    return STEP_GPU_SHARE * torch.cuda.get_device_properties(device).total_memory if on_gpu else elsewhere


def available_cores() -> int:
    """Counts the cores we may use: affinity, the container's CPU quota, `OMP_NUM_THREADS`, whichever is least."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    cores = min(cores, int(asked)) if asked.isdigit() and int(asked) else cores
    quota = _container_quota(Path("/sys/fs/cgroup/cpu.max"))
    return cores if quota is None else max(1, min(cores, round(quota)))


def _container_quota(cpu_max: Path) -> float | None:
    """Cores granted by a cgroup v2 `cpu.max` ("200000 100000" = 2.0; "max 100000" = no limit)."""
    try:
        quota, period = cpu_max.read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else int(quota) / int(period)


def set_threads(count: int | None = None) -> int:
    """Sets `count` CPU threads, or as many as there are cores for us. Returns the number set."""
    threads = available_cores() if count is None else count
    if threads < 1:
        raise ConfigError(f"threads is {threads}, must be at least 1")
    torch.set_num_threads(threads)
    return threads


@contextmanager
def one_thread() -> Iterator[None]:
    """Keeps the arithmetic of torch in the calling thread alone: for many steps of little work each.

    Threads that meet after every small operation lose more by meeting than they gain, most of all on a busy machine.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads_for(work: int, worth_sharing: int, threads: int) -> int:
    """Returns `threads` for as many units of `work` as are `worth_sharing`, else 1.

    It goes by the problem's size alone: a choice by the machine's load would give the same seed other sums.
    """
    return threads if work >= worth_sharing else 1


def share_steps(date_px: int, threads: int) -> None:
    """Lets torch share a network's steps of so many dates x pixels among `threads`, where that is worth it."""
    set_threads(threads_for(date_px, STEP_SHARED_FROM, threads))


def peak_memory_gb(device: torch.device | None = None) -> float:
    """Measures the most memory used so far, GiB: of the process, or of torch's allocations on a CUDA `device`."""
    if device is not None and device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**30 if sys.platform == "darwin" else peak / 2**20  # bytes on macOS, KiB on Linux
