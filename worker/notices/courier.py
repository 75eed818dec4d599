"""Sends notices from the outbox: beside everything else, never in a job's way."""

import logging
import threading
import time
from collections import Counter

from worker.database.connections import Database
from worker.errors import ServiceError
from worker.jobs import outbox
from worker.jobs.outbox import Notice
from worker.notices.delivery import Delivery
from worker.settings import Settings
from worker.signing.notices import Signer

_log = logging.getLogger(__name__)

# Notices on their way at once; of one owner, and never two to one host: a slow receiver holds up no other owner's.
_SENDERS = 12
_OF_ONE_OWNER = 3
# Beyond the time that one try takes: to write down how it went.
_MARGIN_S = 30.0
_LAST_WORDS_S = 1.0


def open_signer(settings: Settings, signing_secret: bytes) -> Signer:
    """Makes a signer with the operator's secret, or with one made from `signing_secret`."""
    given = settings.webhook_secret
    return Signer(given.get_secret_value() if given else None, signing_secret)


class Courier:
    """Delivers notices by threads of every API process; several do no harm. `start` and `stop` are called once."""

    def __init__(self, database: Database, settings: Settings, signer: Signer) -> None:
        self._database, self._settings = database, settings
        self._delivery = Delivery(database, settings, signer, at_once=_SENDERS)
        self._lock = threading.Lock()
        self._busy: dict[tuple[str, str], threading.Thread] = {}
        self._over = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def start(self) -> None:
        """Sends what is due from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Sends nothing new. What is on its way for longer than a second is sent again after the next start."""
        self._over = True
        self._wake.set()
        self._thread.join()
        until = time.monotonic() + _LAST_WORDS_S
        for sender in self._senders():
            sender.join(max(0.0, until - time.monotonic()))

    def _run(self) -> None:
        while True:
            self._wake.clear()
            if self._over:
                return
            try:
                self._send_due()
            except ServiceError as error:
                _log.warning("notices have to wait: %s", error.detail)
            except Exception:
                _log.exception("courier failed")
            self._wake.wait(self._settings.poll_s)

    def _send_due(self) -> None:
        """A thread for each receiver that something is due to, as far as they reach."""
        sending = Counter(owner for owner, _ in self._busy_pairs())
        full = [owner for owner, count in sending.items() if count >= _OF_ONE_OWNER]
        busy = set(self._busy_pairs())
        for owner, host in outbox.waiting(self._database, passed_over=full):
            if sending.total() >= _SENDERS:
                return
            if (owner, host) in busy or sending[owner] >= _OF_ONE_OWNER:
                continue
            notice = outbox.take(self._database, owner, host, lease_s=self._settings.webhook_timeout_s + _MARGIN_S)
            if notice is not None:
                sending[owner] += 1
                self._begin(notice)

    def _begin(self, notice: Notice) -> None:
        sender = threading.Thread(target=self._deliver_beside, args=(notice,), name="notice", daemon=True)
        with self._lock:
            self._busy[notice.owner, notice.host] = sender
        sender.start()

    def _deliver_beside(self, notice: Notice) -> None:
        try:
            self._delivery.attempt(notice)
        except ServiceError as error:  # comes again when its lease is over
            _log.warning("notice not written down: %s", error.detail, extra={"notice": notice.id})
        except Exception:
            _log.exception("notice failed", extra={"notice": notice.id})
        finally:
            with self._lock:
                del self._busy[notice.owner, notice.host]
            self._wake.set()

    def _busy_pairs(self) -> list[tuple[str, str]]:
        with self._lock:
            return list(self._busy)

    def _senders(self) -> list[threading.Thread]:
        with self._lock:
            return list(self._busy.values())
