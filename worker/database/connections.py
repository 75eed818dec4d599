"""One database, SQLite or PostgreSQL, behind two context managers: read and begin."""

import json
import math
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from worker.database.sqlite_file import SqliteFile
from worker.errors import DatabaseUnavailable, InvalidSettings, StorageFullError

# Threads of one process that may hold a connection: the API's pool of 40, the claim loops and the reaper.
_POOL = 16
_OVERFLOW = 40
_POSTGRESQL_DISK_FULL = "53100"
# Nobody waits for ever: not for a lock, not for a session whose process is frozen inside a transaction, not for a
# server that is gone without a word.
_POSTGRESQL_OPTIONS = "-c lock_timeout=10s -c idle_in_transaction_session_timeout=15s"
_POSTGRESQL_CONNECT = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


class Database:
    """Connects to `url`; several threads may use one `Database`, several processes one database.

    SQLite: WAL, and every writing transaction begins IMMEDIATE, so that it never fails half-way for a lock. Writers of
    one process queue at a lock of ours first, because SQLite's own waiting is not fair. `synchronous=FULL`: what was
    answered survives a power cut.
    """

    def __init__(self, url: str, *, busy_s: float = 10.0) -> None:
        """busy_s: how long to wait for others before `DatabaseUnavailable`. Raises `InvalidSettings` for a bad URL."""
        parsed = _parse(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self._file = _file(parsed, busy_s) if self.is_sqlite else None
        self.engine = _engine(parsed, self._file, busy_s)
        self._busy_s = busy_s
        # PostgreSQL is not asked to begin and end a transaction around a query: that would be two more round trips.
        self._reading = self.engine if self.is_sqlite else self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._writing = threading.Lock() if self.is_sqlite else None

    def create(self) -> None:
        """Makes SQLite's file, where there is none; nothing else ever makes one. Raises `ForeignDatabase`."""
        if self._file is not None:
            self._file.create()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Lends a connection for queries that belong together; it sees one state of the database on SQLite."""
        with self._translated(), self._reading.connect() as connection:
            yield connection

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Lends a writing transaction: committed at the end, rolled back on any exception. Must not be nested.

        Raises `DatabaseUnavailable` as well while SQLite's file is not the one that was opened: what is written to a
        file that is gone, or moved away, nobody would find again.
        """
        if self._file is not None:
            self._file.check()
        with self._translated(), self._alone(), self.engine.connect() as connection:
            writing = connection.execution_options(decloud_writes=True)
            with writing.begin():
                yield writing

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self._writing is None:
            yield
            return
        if not self._writing.acquire(timeout=self._busy_s):
            raise DatabaseUnavailable(f"the database stayed locked for {self._busy_s:g} s")
        try:
            yield
        finally:
            self._writing.release()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Errors of the database that are nobody's bug become ours; a broken statement stays what it is."""
        try:
            yield
        except (OperationalError, InterfaceError) as error:
            reason = str(error.orig).strip().partition("\n")[0]
            if _is_full(error):
                raise StorageFullError(f"no space is left for the database: {reason}") from error
            raise DatabaseUnavailable(f"the database does not answer: {reason}") from error
        except PoolTimeoutError as error:
            raise DatabaseUnavailable(f"all connections were busy for {self._busy_s:g} s") from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise DatabaseUnavailable("the database closed the connection") from error
            raise

    def close(self) -> None:
        """Closes idle connections; those in use close when given back."""
        self.engine.dispose()
        if self._file is not None:
            self._file.close()


def _file(parsed: URL, busy_s: float) -> SqliteFile:
    if not parsed.database or parsed.database == ":memory:":
        raise InvalidSettings("database_url names no file: jobs must outlive the process")
    return SqliteFile(Path(parsed.database), busy_s=busy_s)


def _engine(parsed: URL, file: SqliteFile | None, busy_s: float) -> Engine:
    options: dict[str, Any] = {
        "pool_size": _POOL,
        "max_overflow": _OVERFLOW,
        "pool_timeout": busy_s,
        "json_serializer": _to_json,
        # Rows hold addresses that are secrets; what goes wrong with one is logged.
        "hide_parameters": True,
    }
    if file is not None:
        engine = create_engine(parsed, creator=file.connect, **options)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
        ours = {"options": _POSTGRESQL_OPTIONS, **_POSTGRESQL_CONNECT}
        chosen = {name: value for name, value in ours.items() if name not in parsed.query}
        # The ping replaces connections that a restarted server dropped.
        return create_engine(parsed, pool_pre_ping=True, connect_args=chosen, **options)
    raise InvalidSettings(f"database_url is for {parsed.get_backend_name()}; sqlite and postgresql are supported")


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:  # its message holds the URL, and that may hold a password
        raise InvalidSettings("database_url is no URL such as sqlite:///file or postgresql://user@host/name") from None


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("decloud_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _is_full(error: DBAPIError) -> bool:
    cause: Any = error.orig
    sqlite_full = getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return sqlite_full or getattr(cause, "sqlstate", None) == _POSTGRESQL_DISK_FULL


def _to_json(value: Any) -> str:
    return json.dumps(_finite(value), allow_nan=False)


def _finite(value: Any) -> Any:
    """JSON has no NaN; a diverged loss becomes null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
