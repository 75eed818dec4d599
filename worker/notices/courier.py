"""Sends notices from the outbox: beside everything else, never in a job's way."""

import json
import logging
import random
import ssl
import threading
import time
from collections import Counter

from worker import clock
from worker.database.connections import Database
from worker.errors import ForbiddenDestination, ServiceError
from worker.jobs import outbox
from worker.jobs.outbox import Notice
from worker.notices import destinations
from worker.notices.destinations import Resolver, Unresolved
from worker.notices.posting import Answer, NoAnswer, post
from worker.settings import Settings
from worker.signing.notices import Signer

_log = logging.getLogger(__name__)

# Notices on their way at once; of one owner, and never two to one host: a slow receiver holds up no other owner's.
_SENDERS = 12
_OF_ONE_OWNER = 3
# Tries after 5 s, 30 s, 3 min, 18 min, 1.8 h, 11 h, 24 h, a quarter more or less: eight last a day and a half.
_FIRST_DELAY_S = 5.0
_GROWTH = 6.0
_LONGEST_DELAY_S = 86_400.0
_JITTER = 0.25
# Beyond the time that one try takes: to write down how it went.
_MARGIN_S = 30.0
_LAST_WORDS_S = 1.0
_GONE = 410


def delay_s(attempts: int, asked_s: float = 0.0) -> float:
    """Until the next try after `attempts` failed ones; at least what the receiver asked for."""
    growing = _FIRST_DELAY_S * _GROWTH ** min(attempts - 1, 20)
    jitter = random.uniform(1 - _JITTER, 1 + _JITTER)
    return max(jitter * min(growing, _LONGEST_DELAY_S), min(asked_s, _LONGEST_DELAY_S))


def open_signer(settings: Settings, signing_secret: bytes) -> Signer:
    """With the operator's secret, or one made from `signing_secret`."""
    given = settings.webhook_secret
    return Signer(given.get_secret_value() if given else None, signing_secret)


class Courier:
    """Threads in every API process; several at once do no harm. `start` and `stop` are called once."""

    def __init__(self, database: Database, settings: Settings, signer: Signer) -> None:
        self._database, self._settings, self._signer = database, settings, signer
        self._tls = ssl.create_default_context()
        self._resolver = Resolver(_SENDERS)
        self._lock = threading.Lock()
        self._busy: dict[tuple[str, str], threading.Thread] = {}
        self._over = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def start(self) -> None:
        """What is due is sent from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Nothing new is sent. What is on its way for longer than a second is sent again after the next start."""
        self._over = True
        self._wake.set()
        self._thread.join()
        until = time.monotonic() + _LAST_WORDS_S
        for sender in self._senders():
            sender.join(max(0.0, until - time.monotonic()))

    def deliver(self, notice: Notice) -> None:
        """One try, and what follows from it is written down."""
        try:
            answer = self._send(notice)
        except ForbiddenDestination as error:
            self._give_up(notice, f"it {error.detail}")
        except (Unresolved, NoAnswer) as error:
            self._failed(notice, str(error))
        except Exception:  # another notice may fare better, and this one must not come for ever
            _log.exception("notice failed", extra={"job_id": notice.job_id, "notice": notice.id})
            self._failed(notice, "something went wrong on our side")
        else:
            if 200 <= answer.status < 300:
                outbox.delivered(self._database, notice)
            elif answer.status == _GONE:
                self._give_up(notice, "it answered 410, it wants no more")
            else:
                redirected = ", and redirects are not followed" if 300 <= answer.status < 400 else ""
                self._failed(notice, f"it answered {answer.status}{redirected}", answer.retry_after_s)

    def _send(self, notice: Notice) -> Answer:
        """Checked again: the settings, and what the name stands for, may have changed since submission."""
        until = time.monotonic() + self._settings.webhook_timeout_s
        destination = destinations.parse(notice.url, self._settings)
        addresses = self._resolver.addresses(destination, self._settings.webhook_timeout_s / 2)
        body = json.dumps(notice.body, separators=(",", ":")).encode()
        headers = {
            "User-Agent": "decloud",
            "Content-Type": "application/json",
            **self._signer.headers(notice.id, notice.owner, timestamp=int(clock.now()), body=body),
        }
        left = until - time.monotonic()
        return post(destination, addresses, headers=headers, body=body, tls=self._tls, within_s=left)

    def _failed(self, notice: Notice, error: str, asked_s: float = 0.0) -> None:
        if notice.attempts >= self._settings.webhook_max_attempts:
            self._give_up(notice, error)
        else:
            outbox.put_off(self._database, notice, error, delay_s=delay_s(notice.attempts, asked_s))

    def _give_up(self, notice: Notice, error: str) -> None:
        outbox.give_up(self._database, notice, error)
        about = {"job_id": notice.job_id, "notice": notice.id, "host": notice.host, "tries": notice.attempts}
        _log.warning("notice given up: %s", error, extra=about)

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
            self.deliver(notice)
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
