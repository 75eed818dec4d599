"""What waits in a table to be sent, and is due: rows with `owner`, `host` and the time of their `next_try`."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Table, func, or_, select

from worker import clock
from worker.database.connections import Database

# What lies further ahead was written before the clock was set back.
LONGEST_DELAY_S = 2 * 86_400.0


def is_due(table: Table) -> ColumnElement[bool]:
    """True for a row whose time has come."""
    now, next_try = clock.now(), table.c.next_try
    return or_(next_try <= now, next_try > now + LONGEST_DELAY_S)


def waiting(
    database: Database, table: Table, *, passed_over: Collection[str] = (), limit: int = 100
) -> tuple[tuple[str, str], ...]:
    """Owner and receiver's host of what is due, each pair once, those that waited longest first; but for the owners
    that are passed over."""
    column = table.c
    query = (
        select(column.owner, column.host)
        .where(is_due(table), column.owner.not_in(passed_over))
        .group_by(column.owner, column.host)
        .order_by(func.min(column.next_try))
        .limit(limit)
    )
    with database.read() as connection:
        return tuple((owner, host) for owner, host in connection.execute(query))
