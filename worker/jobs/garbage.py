"""Storage prefixes that nothing refers to any more: listed in the database until their files are deleted."""

from sqlalchemy import Connection, delete, select

from worker import clock
from worker.database.connections import Database
from worker.database.sql import insert_missing
from worker.database.tables import garbage
from worker.storage import Storage


def add(connection: Connection, prefix: str, *, delay_s: float = 0.0) -> None:
    """Lists a prefix, within the transaction that drops the last reference. Twice is once."""
    insert_missing(connection, garbage, prefix=prefix, due=clock.now() + delay_s)


def due(database: Database, *, limit: int = 100) -> tuple[str, ...]:
    """The prefixes whose files may go now, oldest first; they come again until `forget`."""
    query = select(garbage.c.prefix).where(garbage.c.due <= clock.now()).order_by(garbage.c.due).limit(limit)
    with database.read() as connection:
        return tuple(connection.scalars(query))


def collect(database: Database, storage: Storage, prefix: str) -> None:
    """Deletes the files below `prefix`. Raises what storage raises; they come again then."""
    storage.delete_prefix(prefix)
    forget(database, prefix)


def forget(database: Database, prefix: str) -> None:
    """Lists the prefix no more: its files are gone."""
    with database.begin() as connection:
        connection.execute(delete(garbage).where(garbage.c.prefix == prefix))
