"""The same run alone and beside one process a core that only counts: what sharing a machine costs, as a ratio."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measuring import DECLOUD, measure
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
    alone_s = bench.run(source, "alone")[0].wall_s
    with neighbours(cores):
        beside_s = bench.run(source, "beside")[0].wall_s
        limited_s = bench.run(source, "limited", "--max-minutes", str(minutes))[0].wall_s
        start_s = _start_s()
    yield {
        "key": f"{dates} x 10 x {size} x {size}",
        "neighbours": cores,
        "alone_s": alone_s,
        "beside_s": beside_s,
        "limit_s": 60 * minutes,
        "limited_s": limited_s,
        "start_s": start_s,
    }


def _simulated(bench: Bench, dates: int, size: int) -> Path:
    folder = bench.work / f"simulated-{dates}-{size}-{BANDS}"
    if not folder.exists():
        measure([DECLOUD, "simulate", folder, "--dates", str(dates), "--size", str(size), "--bands", BANDS])
    return folder


def _start_s() -> float:
    """Seconds that the program and torch take to load: before a run can look at a clock."""
    return measure([sys.executable, "-c", "import api.cli, seq2seq.pipeline"]).wall_s
