"""A child process in a group of its own that cannot outlive the thread that started it, heard through its own pipe."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from worker import clock
from worker.processes import memory
from worker.processes.parent_link import PARENT, PIPE

# Why a child was made to end that has taken longer than it may.
DEADLINE = "deadline"

_LONGEST_LINE = 1 << 16
_LOOK_S, _NEXT_LOOK_S = 0.05, 0.01
# What a child that reads untrusted files must not find in its environment.
_SECRET = re.compile(r"^(DECLOUD_|CELERY_|AWS_|AZURE_|GOOGLE_|PG)|SECRET|TOKEN|PASSW|CREDENTIAL|_KEY$|_URL$|_DSN$")

OnMessage = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class ProcessExit:
    """Says how a child ended. status: exit code, or minus the signal. stopped: why it was made to end, None by itself.

    oom_kills: the kernel's for want of memory, anywhere, meanwhile.
    """

    status: int
    seconds: float
    cpu_s: float
    peak_memory_bytes: int
    oom_kills: int
    stopped: str | None = None


@dataclass(frozen=True)
class Stop:
    """Says why a child has to end. grace_s: from SIGTERM to SIGKILL; 0: it is killed at once."""

    reason: str
    grace_s: float = 0.0


class ChildProcess:
    """Runs `command` in `folder`; every JSON object that it writes into its pipe, one a line, goes to `on_message`.

    `on_message` is called in a thread of its own and must be quick; what it raises, `supervise` raises. On Linux the
    child dies with the thread that made this object, however that ends, if it calls `parent_link.die_with_parent`. At
    the end of `with` it has ended.

    output: descriptor for what it prints. stdin: likewise, or nothing. most_bytes: of all messages together; a child
    that sends more is not listened to any longer. None: without end, in lines of up to 64 KiB.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        output: int,
        on_message: OnMessage,
        stdin: int = subprocess.DEVNULL,
        most_bytes: int | None = None,
    ) -> None:
        self._began, self._oom_kills = clock.elapsed(), memory.oom_kills()
        reading, writing = os.pipe()
        try:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env={**environment, PIPE: str(writing), PARENT: str(os.getpid())},
                stdin=stdin,
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
        self._exit: ProcessExit | None = None
        self._listener = _Listener(reading, on_message, most_bytes)
        try:
            self._listener.start()
        except BaseException:  # no thread to be had: the child must not work unheard
            os.close(reading)
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """Its number, which is also that of its process group."""
        return self._process.pid

    @property
    def is_flooding(self) -> bool:
        """Whether it has sent more than anybody reads."""
        return self._listener.is_flooded

    def supervise(
        self, should_stop: Callable[[], Stop | None], *, within_s: float, grace_s: float = 0.0
    ) -> ProcessExit:
        """Waits until it has ended: by itself, because `should_stop` says so, or after `within_s` and the grace.

        It is asked to end first, and its group is killed when the grace is over.
        """
        deadline, kill_at = clock.elapsed() + within_s, float("inf")
        stop: Stop | None = None
        while (ended := self.poll()) is None:
            stop = should_stop() or stop
            if clock.elapsed() > deadline and (stop is None or stop.grace_s):
                stop = Stop(DEADLINE, grace_s)
            if self._listener.failure is not None or (stop and (not stop.grace_s or clock.elapsed() > kill_at)):
                self.kill()
            elif stop is not None and kill_at == float("inf"):
                self.terminate()
                kill_at = clock.elapsed() + stop.grace_s
            self._wait()
        if self._listener.failure is not None:
            raise self._listener.failure
        return ended if stop is None else replace(ended, stopped=stop.reason)

    def terminate(self) -> None:
        """Sends SIGTERM to the child alone: it stops its own children and saves what it has."""
        if self._exit is None:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL to the whole group. Until `poll` has told of the end, the number belongs to nobody else."""
        if self._exit is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kills the group, if it is still there, and waits for the end."""
        self.kill()
        while self.poll() is None:
            time.sleep(_NEXT_LOOK_S)

    def poll(self) -> ProcessExit | None:
        """Returns None while it runs. At its end the rest of its group is killed and its last messages are heard."""
        if self._exit is None and self._has_ended():
            self.kill()
            _, status, usage = os.wait4(self.pid, 0)
            self._process.returncode = os.waitstatus_to_exitcode(status)
            self._listener.join(timeout=5)
            self._exit = ProcessExit(
                status=self._process.returncode,
                seconds=clock.elapsed() - self._began,
                cpu_s=usage.ru_utime + usage.ru_stime,
                peak_memory_bytes=usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
                oom_kills=memory.oom_kills() - self._oom_kills,
            )
        return self._exit

    def _has_ended(self) -> bool:
        """Only looks: as long as nobody has waited for the child, its number is not given to another."""
        if hasattr(os, "waitid"):
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
        # macOS before Python 3.13: the pipe ends with the child, whose own children do not inherit it
        return not self._listener.is_alive()

    def _wait(self) -> None:
        """For the next look, or until the pipe ends, which it does when the child ends."""
        if self._listener.is_alive():
            self._listener.join(_LOOK_S)
        else:
            time.sleep(_NEXT_LOOK_S)


class _Listener(threading.Thread):
    """Hands the JSON objects of a pipe on. What is none is the last word of a process that was killed, or a lie."""

    def __init__(self, pipe: int, on_message: OnMessage, most_bytes: int | None) -> None:
        super().__init__(name="child-pipe", daemon=True)
        self._pipe, self._on_message, self._most_bytes = pipe, on_message, most_bytes
        self.is_flooded = False
        self.failure: Exception | None = None

    def run(self) -> None:
        """Reads until the pipe ends, too much has come, or `on_message` fails."""
        heard_bytes = 0
        with open(self._pipe, "rb") as pipe:
            while line := pipe.readline(self._most_bytes or _LONGEST_LINE):
                heard_bytes += len(line)
                self.is_flooded = self._most_bytes is not None and heard_bytes >= self._most_bytes
                if self.is_flooded:
                    return
                with contextlib.suppress(ValueError, RecursionError):
                    value = json.loads(line)
                    if isinstance(value, dict) and not self._handed_on(value):
                        return

    def _handed_on(self, value: dict[str, Any]) -> bool:
        try:
            self._on_message(value)
        except Exception as error:
            self.failure = error
        return self.failure is None


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment for a child: database, broker and storage credentials are none of its business."""
    return {name: value for name, value in environment.items() if not _SECRET.search(name.upper())}
