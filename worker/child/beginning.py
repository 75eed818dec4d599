"""How a process that works in an attempt's folder begins: it dies with its supervisor, stops when asked, steps back.

Its exit codes and error.json are those of `worker.child.ending`.
"""

import os
import signal
import threading
from pathlib import Path

from worker.child.ending import ShouldStop
from worker.processes import memory
from worker.processes.parent_link import die_with_parent

# The API answers while a job trains on every core; and so does who looks into an upload while somebody waits.
_NICENESS, _LIGHT_NICENESS = 10, 5


def begin(folder: Path, *, light: bool = False) -> ShouldStop:
    """Makes `folder` the current one, and returns what says whether to stop.

    light: answered in seconds, beside a job of hours; where memory runs out the kernel ends it and not the job.
    """
    die_with_parent()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_LIGHT_NICENESS if light else _NICENESS)
    memory.be_killed_first(before_jobs=light)
    os.chdir(folder)
    return stop.is_set
