"""A child process that cannot outlive the thread that started it, in a group of its own, heard through its own pipe."""

import contextlib
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker import clock
from worker.running import memory

# Told to the child in its environment: the pipe's number, and who must be alive.
PIPE, PARENT = "DECLOUD_JOB_PIPE", "DECLOUD_JOB_PARENT"

_LONGEST_LINE = 1 << 16
_LOOK_S = 0.01
_PR_SET_PDEATHSIG = 1
# What a child that reads strangers' data must not find in its environment.
_SECRET = re.compile(r"^(DECLOUD_|CELERY_|AWS_|AZURE_|GOOGLE_|PG)|SECRET|TOKEN|PASSW|CREDENTIAL|_KEY$|_URL$|_DSN$")

OnLine = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Ending:
    """How a child ended. status: exit code, or minus the signal. oom_kills: the kernel's, anywhere, meanwhile."""

    status: int
    seconds: float
    cpu_s: float
    peak_memory_bytes: int
    oom_kills: int


class ChildProcess:
    """`command` in `folder`, its output in the file `log`; every JSON object it writes into its pipe goes to `on_line`.

    `on_line` is called in a thread of its own and must be quick. On Linux the child dies with the thread that made this
    object, however that ends, if it calls `die_with_parent`.
    """

    def __init__(
        self, command: Sequence[str], *, folder: Path, log: Path, environment: Mapping[str, str], on_line: OnLine
    ) -> None:
        self._began, self._oom_kills = clock.elapsed(), memory.oom_kills()
        reading, writing = os.pipe()
        told = {PIPE: str(writing), PARENT: str(os.getpid())}
        try:
            with log.open("ab") as output:
                self._process = subprocess.Popen(
                    command,
                    cwd=folder,
                    env={**environment, **told},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    pass_fds=(writing,),
                    start_new_session=True,
                )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._ending: Ending | None = None
        self._listener = threading.Thread(target=_listen, args=(reading, on_line), name="job-pipe", daemon=True)
        try:
            self._listener.start()
        except BaseException:  # no thread to be had: the child must not work unheard
            os.close(reading)
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
            raise

    @property
    def pid(self) -> int:
        """Also the number of its process group."""
        return self._process.pid

    def ask_to_stop(self) -> None:
        """SIGTERM to the child alone: it stops its own children and saves a checkpoint."""
        if self._ending is None:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the whole group. Until `poll` has told of the end, the number belongs to nobody else."""
        if self._ending is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kills the group, if it is still there, and waits for the end."""
        self.kill()
        while self.poll() is None:
            time.sleep(_LOOK_S)

    def poll(self) -> Ending | None:
        """None while it runs. At its end what is left of its group is killed and its last lines have been heard."""
        if self._ending is None and self._has_ended():
            self.kill()
            _, status, usage = os.wait4(self.pid, 0)
            self._process.returncode = os.waitstatus_to_exitcode(status)
            self._listener.join(timeout=5)
            self._ending = Ending(
                status=self._process.returncode,
                seconds=clock.elapsed() - self._began,
                cpu_s=usage.ru_utime + usage.ru_stime,
                peak_memory_bytes=usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
                oom_kills=memory.oom_kills() - self._oom_kills,
            )
        return self._ending

    def _has_ended(self) -> bool:
        """Only looks: as long as nobody has waited for the child, its number is not given to another."""
        if hasattr(os, "waitid"):
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
        # macOS before Python 3.13: the pipe ends with the child, whose own children do not inherit it
        return not self._listener.is_alive()


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a child: database, broker and storage credentials are none of its business."""
    return {name: value for name, value in environment.items() if not _SECRET.search(name.upper())}


def die_with_parent() -> None:
    """Called first by a child: the kernel kills it when its supervisor dies, also if that has happened already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = os.environ.pop(PARENT, None)
    if parent is not None and os.getppid() != int(parent):
        os._exit(1)


def _listen(reading: int, on_line: OnLine) -> None:
    with open(reading, "rb") as pipe:
        while line := pipe.readline(_LONGEST_LINE):
            try:
                value = json.loads(line)
            except ValueError:
                continue  # the last line of a child that was killed
            if isinstance(value, dict):
                on_line(value)
