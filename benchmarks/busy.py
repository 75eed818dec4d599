"""The same run alone and beside one process a core that only counts: what sharing a machine costs, as a ratio."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from measuring import DECLOUD, Measured, measure
from parts import Bench, Row

DATES, SIZE, BANDS = 12, 32, "L2A_10"
MINUTES = 1.0  # a budget that the run needs more than
# Until its parent is gone, however that ends.
COUNTING = """
import os, sys
while os.getppid() == int(sys.argv[1]):
    for count in range(1_000_000): pass
"""


@contextmanager
def neighbours(count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """`count` processes that never wait, until the end of `with`."""
    processes = [subprocess.Popen([sys.executable, "-c", COUNTING, str(os.getpid())]) for _ in range(count)]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def busy(bench: Bench) -> Iterator[Row]:
    """Alone, then beside as many counting processes as there are cores; then with a limit of time, beside them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    dates, size = (bench.scale_dates, min(bench.sizes)) if bench.quick else (DATES, SIZE)
    source, minutes = _simulated(bench, dates, size), 0.2 if bench.quick else MINUTES
    alone = _watched(partial(bench.run, source, "alone"), [])
    with neighbours(cores) as beside_it:
        beside = _watched(partial(bench.run, source, "beside"), beside_it)
        limited = _watched(partial(bench.run, source, "limited", "--max-minutes", str(minutes)), beside_it)
        start_s = _start_s()
    yield {
        "key": f"{dates} x 10 x {size} x {size}",
        "neighbours": cores,
        "alone_s": alone[0].wall_s,
        "beside_s": beside[0].wall_s,
        "limit_s": 60 * minutes,
        "limited_s": limited[0].wall_s,
        "start_s": start_s,
        "strangers": max(taken for _, taken in (alone, beside, limited)),
    }


def _watched(
    run: Callable[[], tuple[Measured, Path]], beside: Sequence[subprocess.Popen[bytes]]
) -> tuple[Measured, float]:
    """What `run` measured, and how many cores others than it and the processes `beside` it took meanwhile: where they
    took many, the ratio says nothing. Linux alone says so."""
    if not Path("/proc/stat").exists():
        return run()[0], 0.0
    before = processors_busy_s(), sum(map(_cpu_s, beside))
    measured, _ = run()
    after = processors_busy_s(), sum(map(_cpu_s, beside))
    ours = measured.cpu_s + after[1] - before[1]
    return measured, max(0.0, (after[0] - before[0] - ours) / measured.wall_s)


def processors_busy_s() -> float:
    """Seconds of all processors that were not idle, stolen ones too."""
    user, nice, system, _, _, irq, soft, stolen = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + soft + stolen) / os.sysconf("SC_CLK_TCK")


def _cpu_s(process: subprocess.Popen[bytes]) -> float:
    user, system = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _simulated(bench: Bench, dates: int, size: int) -> Path:
    folder = bench.work / f"simulated-{dates}-{size}-{BANDS}"
    if not folder.exists():
        measure([DECLOUD, "simulate", folder, "--dates", str(dates), "--size", str(size), "--bands", BANDS])
    return folder


def _start_s() -> float:
    """Seconds that the program and torch take to load: before a run can look at a clock."""
    return measure([sys.executable, "-c", "import api.commands.main, seq2seq.run.pipeline"]).wall_s
