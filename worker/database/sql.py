"""What the two databases say differently."""

from typing import Any

from sqlalchemy import Connection, Table, select, text
from sqlalchemy.dialects import postgresql, sqlite

from worker.database.tables import owners

LARGEST_NUMBER = 2**63 - 1
# Any constants will do; they only must differ from those of other programs on the same PostgreSQL database.
CLAIM_LOCK = 0x0DEC10DC1A13
MIGRATION_LOCK = 0x0DEC10D316A7E


def insert_missing(connection: Connection, table: Table, **values: Any) -> None:
    """Inserts unless a row with this key is there."""
    if connection.dialect.name == "sqlite":
        connection.execute(sqlite.insert(table).values(values).on_conflict_do_nothing())
    else:
        connection.execute(postgresql.insert(table).values(values).on_conflict_do_nothing())


def one_at_a_time(connection: Connection, lock: int) -> None:
    """Waits for everybody else in the same section, until the end of the transaction. SQLite's writers always do."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})


def lock_owner(connection: Connection, owner: str) -> None:
    """Locks what an owner uses: two transactions must not count it at the same time."""
    insert_missing(connection, owners, owner=owner)
    connection.execute(select(owners.c.owner).where(owners.c.owner == owner).with_for_update())
