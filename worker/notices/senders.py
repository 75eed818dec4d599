"""Threads that send what waits in the database: owners and receivers take turns, and nobody is in another's way."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from worker.errors import ServiceError

_log = logging.getLogger(__name__)

_LAST_WORDS_S = 1.0


class Sent(Protocol):
    """Something to be sent: of an owner, to a host."""

    @property
    def id(self) -> str:
        """Names it in the log."""

    @property
    def owner(self) -> str:
        """Whose it is."""

    @property
    def host(self) -> str:
        """Who receives it."""


T = TypeVar("T", bound=Sent)


@dataclass(frozen=True)
class Queue(Generic[T]):
    """What waits. waiting: owner and host of what is due, but for the owners that are passed over. take: the oldest of
    such a pair. attempt: one try, which writes down how it went."""

    waiting: Callable[[Collection[str]], Sequence[tuple[str, str]]]
    take: Callable[[str, str], T | None]
    attempt: Callable[[T], None]


class Senders(Generic[T]):
    """Tries what is due by threads, `at_once` of them, `of_one_owner` for each owner and never two to one host."""

    def __init__(
        self, queue: Queue[T], *, name: str, what: str, poll_s: float, at_once: int, of_one_owner: int
    ) -> None:
        """name: of the thread that looks for what is due. what: is sent, in the singular."""
        self._queue, self._name, self._what, self._poll_s = queue, name, what, poll_s
        self._at_once, self._of_one_owner = at_once, of_one_owner
        self._lock = threading.Lock()
        self._busy: dict[tuple[str, str], threading.Thread] = {}
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.over = False

    def start(self) -> None:
        """Sends what is due from now on."""
        self._thread.start()

    def stop(self, *, last_words_s: float = _LAST_WORDS_S) -> None:
        """Sends nothing new, and waits so long for what is on its way."""
        self.over = True
        self._wake.set()
        self._thread.join()
        until = time.monotonic() + last_words_s
        for sender in self._senders():
            sender.join(max(0.0, until - time.monotonic()))

    def _run(self) -> None:
        while True:
            self._wake.clear()
            if self.over:
                return
            try:
                self._send_due()
            except ServiceError as error:
                _log.warning("%ss have to wait: %s", self._what, error.detail)
            except Exception:
                _log.exception("%s failed", self._name)
            self._wake.wait(self._poll_s)

    def _send_due(self) -> None:
        """A thread for each receiver that something is due to, as far as they reach."""
        sending = Counter(owner for owner, _ in self._busy_pairs())
        full = [owner for owner, count in sending.items() if count >= self._of_one_owner]
        busy = set(self._busy_pairs())
        for owner, host in self._queue.waiting(full):
            if sending.total() >= self._at_once:
                return
            if (owner, host) in busy or sending[owner] >= self._of_one_owner:
                continue
            item = self._queue.take(owner, host)
            if item is not None:
                sending[owner] += 1
                self._begin(item)

    def _begin(self, item: T) -> None:
        sender = threading.Thread(target=self._attempt_beside, args=(item,), name=self._what, daemon=True)
        with self._lock:
            self._busy[item.owner, item.host] = sender
        sender.start()

    def _attempt_beside(self, item: T) -> None:
        try:
            self._queue.attempt(item)
        except ServiceError as error:  # comes again when its lease is over
            _log.warning("%s not written down: %s", self._what, error.detail, extra={self._what: item.id})
        except Exception:
            _log.exception("%s failed", self._what, extra={self._what: item.id})
        finally:
            with self._lock:
                del self._busy[item.owner, item.host]
            self._wake.set()

    def _busy_pairs(self) -> list[tuple[str, str]]:
        with self._lock:
            return list(self._busy)

    def _senders(self) -> list[threading.Thread]:
        with self._lock:
            return list(self._busy.values())
