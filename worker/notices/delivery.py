"""One try at a notice: where it goes is checked again, it is signed and posted, and the outbox learns how it went."""

import json
import logging
import random
import ssl
import time

from worker import clock
from worker.database.connections import Database
from worker.errors import ForbiddenDestination
from worker.jobs import outbox
from worker.jobs.outbox import Notice
from worker.notices import destinations
from worker.notices.destinations import Resolver, Unresolved
from worker.notices.posting import Answer, NoAnswer, post
from worker.settings import Settings
from worker.signing.notices import Signer

_log = logging.getLogger(__name__)

# Tries after 5 s, 30 s, 3 min, 18 min, 1.8 h, 11 h, 24 h, a quarter more or less: eight last a day and a half.
_FIRST_DELAY_S = 5.0
_GROWTH = 6.0
_LONGEST_DELAY_S = 86_400.0
_JITTER = 0.25
_GONE = 410


def delay_s(attempts: int, asked_s: float = 0.0) -> float:
    """Returns the time until the next try after `attempts` failed ones; at least what the receiver asked for."""
    growing = _FIRST_DELAY_S * _GROWTH ** min(attempts - 1, 20)
    jitter = random.uniform(1 - _JITTER, 1 + _JITTER)
    return max(jitter * min(growing, _LONGEST_DELAY_S), min(asked_s, _LONGEST_DELAY_S))


class Delivery:
    """Delivers notices, any number of them at a time, of which `at_once` may look a name up."""

    def __init__(self, database: Database, settings: Settings, signer: Signer, *, at_once: int) -> None:
        self._database, self._settings, self._signer = database, settings, signer
        self._tls = ssl.create_default_context()
        self._resolver = Resolver(at_once)

    def attempt(self, notice: Notice) -> None:
        """Tries once, and writes down what follows from it."""
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
