"""The most memory that a piece of work takes, where the system tells."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # man 5 proc: resets the peak resident set size


class Peak:
    """gb: most GiB within the block, the program and the sequence included; None where the system does not tell."""

    gb: float | None = None


@contextmanager
def peak_memory(device: torch.device) -> Iterator[Peak]:
    """Measures a block: this process' resident memory on Linux, torch's allocations on a CUDA `device`."""
    peak = Peak()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        yield peak
        peak.gb = torch.cuda.max_memory_allocated(device) / 2**30
        return
    resets = _reset()
    yield peak
    peak.gb = _resident_peak_gb() if resets else None


def _reset() -> bool:
    with suppress(OSError):
        _CLEAR.write_text(_RESET_PEAK)
        return True
    return False


def _resident_peak_gb() -> float | None:
    with suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**20
    return None
