"""How much memory there is for a job, and whether the kernel has killed for want of it. Linux; elsewhere unknown."""

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
# Of the memory there is, what a job may plan with; the rest is for the page cache and for those beside it.
_SHARE = 0.8


def limit_bytes(cgroup: Path = _CGROUP) -> int:
    """Returns the bytes this process may use at most: the machine's memory, or its container's share."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    granted = _read(cgroup / "memory.max").strip()
    return min(machine, int(granted)) if granted.isdigit() else machine


def planned_gb() -> float:
    """Returns the GB a job on this machine may plan with."""
    return max(0.5, _SHARE * limit_bytes() / 2**30)


def oom_kills(cgroup: Path = _CGROUP, vmstat: Path = Path("/proc/vmstat")) -> int:
    """Counts the processes that the kernel has killed for want of memory: in our container where it can, else anywhere.

    Only the difference between two calls means something.
    """
    counted = _read(cgroup / "memory.events") or _read(vmstat)
    return next((int(line.split()[1]) for line in counted.splitlines() if line.startswith("oom_kill ")), 0)


def be_killed_first(oom_score_adj: Path = Path("/proc/self/oom_score_adj"), *, before_jobs: bool = False) -> None:
    """Has the kernel end this process, where memory runs out, rather than its supervisor or the API.

    before_jobs: and rather than the processes that call it without.
    """
    try:
        oom_score_adj.write_text("1000" if before_jobs else "800")
    except OSError:  # no Linux, or a sandbox: then the kernel's own choice stands
        return


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
