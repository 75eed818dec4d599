"""What must be there before `decloud serve` begins: database and broker may still be starting up themselves."""

import re
import threading
from collections.abc import Callable

from sqlalchemy import select

from api.commands.data_folder import CannotServe
from worker import clock
from worker.database.connections import Database
from worker.errors import BrokerUnavailable, DatabaseUnavailable
from worker.queue.doorbell import check_broker
from worker.settings import Settings

_LOOK_S = 0.5
# Answers that waiting changes nothing about.
_FINAL = re.compile(r"authentication|password|WRONGPASS|NOAUTH|no pg_hba|does not exist|not known|not permitted", re.I)

Say = Callable[[str], None]


def wait_for_both(settings: Settings, database: Database, say: Say) -> None:
    """Until database and broker answer. Raises `CannotServe` when `startup_wait_s` are over."""
    limit_s = settings.startup_wait_s
    if not database.is_sqlite:
        wait_for("PostgreSQL", lambda: _ask(database), limit_s=limit_s, say=say)
    if not settings.embedded:
        wait_for("the broker", lambda: check_broker(settings), limit_s=limit_s, say=say)


def wait_for(what: str, look: Callable[[], None], *, limit_s: float, say: Say) -> None:
    """Until `look` raises no more that it is unavailable; says so once. Raises `CannotServe` after `limit_s`, and at
    once where no waiting helps."""
    until = clock.elapsed() + limit_s
    has_said = False
    while True:
        try:
            look()
            break
        except (DatabaseUnavailable, BrokerUnavailable) as error:
            reason = error.detail.removeprefix("the database does not answer: ")
            if _FINAL.search(reason):
                raise CannotServe(f"{what} refuses: {reason}") from error
            if not has_said:
                say(f"Waiting for {what}, {limit_s:g} s at most: {reason}")
                has_said = True
            if clock.elapsed() >= until:
                raise CannotServe(
                    f"{what} did not answer within {limit_s:g} s ({reason}); start it, or wait longer with "
                    "DECLOUD_STARTUP_WAIT_S"
                ) from error
        threading.Event().wait(min(_LOOK_S, max(0.0, until - clock.elapsed())))
    if has_said:
        say(f"{what[0].upper()}{what[1:]} answers.")


def _ask(database: Database) -> None:
    with database.read() as connection:
        connection.execute(select(1))
