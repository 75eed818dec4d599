"""Checks that the database answers, and takes writes; they change nothing."""

from sqlalchemy import select, update

from worker.database.connections import Database
from worker.database.tables import owners


def check_readable(database: Database) -> None:
    """Raises `DatabaseUnavailable` while the database does not answer; it may be without tables."""
    with database.read() as connection:
        connection.execute(select(1))


def check_writable(database: Database) -> None:
    """Takes the writer's lock in a transaction that changes nothing. Raises `DatabaseUnavailable`."""
    with database.begin() as connection:
        connection.execute(update(owners).where(owners.c.owner == "").values(served=0))
