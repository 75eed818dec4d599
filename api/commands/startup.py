"""Waiting for database and broker before `decloud serve` begins: they may still be starting up themselves."""

import re
import threading
from collections.abc import Callable

from api.commands.data_folder import CannotServe
from worker import clock
from worker.database.connections import Database
from worker.errors import BrokerUnavailable, DatabaseUnavailable
from worker.jobs.health import check_readable
from worker.queue.doorbell import check_broker
from worker.settings import Settings

_LOOK_S = 0.5
# Answers that waiting changes nothing about.
_FINAL = re.compile(r"authentication|password|WRONGPASS|NOAUTH|no pg_hba|does not exist|not known|not permitted", re.I)

Notify = Callable[[str], None]


def wait_for_both(settings: Settings, database: Database, notify: Notify) -> None:
    """Returns when database and broker answer. Raises `CannotServe` when `startup_wait_s` are over."""
    limit_s = settings.startup_wait_s
    if not database.is_sqlite:
        wait_for("PostgreSQL", lambda: check_readable(database), limit_s=limit_s, notify=notify)
    if not settings.embedded:
        wait_for("the broker", lambda: check_broker(settings), limit_s=limit_s, notify=notify)


def wait_for(what: str, look: Callable[[], None], *, limit_s: float, notify: Notify) -> None:
    """Returns when `look` raises no more that it is unavailable; notifies once. Raises `CannotServe` after `limit_s`,
    and at once where no waiting helps."""
    until = clock.elapsed() + limit_s
    has_notified = False
    while True:
        try:
            look()
            break
        except (DatabaseUnavailable, BrokerUnavailable) as error:
            reason = error.detail.removeprefix("the database does not answer: ")
            if _FINAL.search(reason):
                raise CannotServe(f"{what} refuses: {reason}") from error
            if not has_notified:
                notify(f"Waiting for {what}, {limit_s:g} s at most: {reason}")
                has_notified = True
            if clock.elapsed() >= until:
                raise CannotServe(
                    f"{what} did not answer within {limit_s:g} s ({reason}); start it, or wait longer with "
                    "DECLOUD_STARTUP_WAIT_S"
                ) from error
        threading.Event().wait(min(_LOOK_S, max(0.0, until - clock.elapsed())))
    if has_notified:
        notify(f"{what[0].upper()}{what[1:]} answers.")
