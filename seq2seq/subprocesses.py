"""Processes that work for this one: started, spoken to over a connection, ended; and their own side of it.

They are fresh interpreters, since a fork of a process that has used threads or a GPU may hang, in a process group of
their own, so that Ctrl-C reaches the one that decides what to do about it alone. They die with the process that started
them: the end of the connection is their end.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from typing import Any, Generic, Protocol, Self, TypeVar

from seq2seq.errors import DecloudError
from seq2seq.progress import OnProgress, Progress

# What a process says when it has loaded all that it needs; what it is told to stop its work with.
READY, STOP = "ready", "stop"
# From the end of a connection to that of its process.
_ENDING_S = 5.0
# Of what is reported about progress, at most this often something is sent.
_INTERVAL_S = 0.2


class NoProcessError(DecloudError):
    """No process for the work can be started."""

    code = "no-process"


def ending(code: int, memory_advice: str) -> str:
    """Words how a process ended. code: exit code, or minus the signal. memory_advice: where that may be the cause."""
    if code >= 0:
        return f"its process ended with exit code {code}"
    name = (signal.strsignal(-code) or "unknown").lower()
    why = f", most likely for lack of memory; {memory_advice}" if -code == signal.SIGKILL else ""
    return f"its process was ended by signal {-code} ({name}){why}"


class Subprocess:
    """One process on one device, which runs `module` and is told `first`; `task` is what it works on."""

    def __init__(self, module: str, device: str, threads: int, first: object) -> None:
        self.device = device
        self.task: Any = None
        self.is_ready = False
        self.connection, theirs = Pipe()
        try:
            self._process = subprocess.Popen(
                # -P: nothing in the working directory stands in for a module
                [sys.executable, "-P", "-m", module, str(theirs.fileno())],
                env={**os.environ, "PYTHONPATH": _search_path(), "OMP_NUM_THREADS": str(threads)},
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                process_group=0,
            )
        except BaseException:
            self.connection.close()
            raise
        finally:
            theirs.close()
        self.send(first)

    def send(self, message: object) -> None:
        """Tells it something; where it has ended, `received` says so."""
        with suppress(OSError):
            self.connection.send(message)

    def received(self) -> Iterator[Any]:
        """What it has sent. Raises EOFError where its process has ended."""
        try:
            while self.connection.poll():
                message = self.connection.recv()
                if isinstance(message, str) and message == READY:
                    self.is_ready = True
                else:
                    yield message
            # What it has started itself may hold the connection open.
            ended = self._process.poll() is not None and not self.connection.poll()
        except OSError as error:
            raise EOFError from error
        if ended:
            raise EOFError

    def end(self, *, within_s: float = 0.0) -> int:
        """Ends the process, after it has had time to do so itself; returns its exit code, or minus the signal."""
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            self.connection.close()


class Member(Protocol):
    """One of a `Pool`, see `Subprocess`."""

    device: str
    task: Any
    is_ready: bool
    connection: Any

    def end(self, *, within_s: float = 0.0) -> int:
        """Ends it; its exit code, or minus the signal."""


P = TypeVar("P", bound=Member)


class Pool(Generic[P]):
    """As many processes as there are `devices`, which are theirs; each is started when there is work for it.

    start: one on a device; it may raise OSError. what: they are for; without: how to do without them, for
    `NoProcessError`. At the end of `with` all have ended.
    """

    def __init__(self, devices: Sequence[str], start: Callable[[str], P], *, what: str, without: str) -> None:
        self.members: list[P] = []
        self._free, self._start, self._what, self._without = list(devices), start, what, without

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            member.end()

    @property
    def busy(self) -> list[P]:
        """Those that work on something."""
        return [member for member in self.members if member.task is not None]

    def idle(self) -> P | None:
        """One without a task, a new one where there may be more. Raises `NoProcessError` where none can be started."""
        idle = next((member for member in self.members if member.task is None), None)
        if idle is None and self._free:
            try:
                idle = self._start(self._free[0])
            except OSError as error:
                del self._free[0]
                self._check_any(str(error.strerror or error))
                return None
            self.members.append(idle)
            del self._free[0]
        return idle

    def ended(self, member: P, memory_advice: str) -> str:
        """Takes one out whose connection has ended, and says how. Another takes its place, unless it never was ready.

        Raises `NoProcessError` where it was the last one.
        """
        how = ending(member.end(within_s=_ENDING_S), memory_advice)
        self.members.remove(member)
        if member.is_ready:
            self._free.insert(0, member.device)
        else:
            self._check_any(how)
        return how

    def kill(self, member: P) -> None:
        """Ends one that listens to nothing; another takes its place."""
        member.end()
        self.members.remove(member)
        self._free.insert(0, member.device)

    def _check_any(self, why: str) -> None:
        if not self.members and not self._free:
            raise NoProcessError(f"no process for {self._what} has started: {why}; {self._without}")


class Parent:
    """The process that has started this one, whose connection's descriptor is the only argument.

    stopping: set when it says `STOP`. This process ends with the connection.
    """

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._connection = Connection(int(sys.argv[1]))
        self._received: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def receive(self) -> Any:
        """Waits for what it says next."""
        return self._received.get()

    def send(self, message: object) -> None:
        """Tells it something."""
        self._connection.send(message)

    def _listen(self) -> None:
        """Always, so that the end of the other process is noticed in the middle of the work."""
        while True:
            try:
                message = self._connection.recv()
            except (EOFError, OSError):
                os._exit(1)
            if isinstance(message, str) and message == STOP:
                self.stopping.set()
            else:
                self._received.put(message)


def now_and_then(send: Callable[[Progress], None]) -> OnProgress:
    """What shows where the bar stands, and every message."""
    last = -_INTERVAL_S

    def on_progress(progress: Progress) -> None:
        nonlocal last
        if progress.message or time.monotonic() - last >= _INTERVAL_S:
            last = time.monotonic()
            send(progress)

    return on_progress


def _search_path() -> str:
    """Where this process finds its modules: the fresh one finds the same."""
    return os.pathsep.join(path or os.getcwd() for path in sys.path)
