"""The API's most frequent question: one job and its place in the queue, in one statement.

On SQLite the statement is prepared once and asked over a connection of its own: readers of a WAL never wait for
writers, and what SQLAlchemy adds takes longer than the answer.
"""

import sqlite3
from dataclasses import fields
from typing import Any

import orjson
from sqlalchemy import JSON, ColumnElement, Select, bindparam, case, func, select
from sqlalchemy.dialects import sqlite

from worker.database.connections import Database
from worker.database.tables import jobs
from worker.errors import DatabaseUnavailable, NotFound
from worker.jobs.queries import waits_before
from worker.jobs.rows import COLUMNS, Job
from worker.values import is_id

_JSON = tuple(index for index, column in enumerate(COLUMNS) if isinstance(column.type, JSON))
_WIDTH = len(fields(Job))
# Readers meet a lock only while the database recovers from a crash.
_BUSY_S = 1.0


def _queue_position() -> ColumnElement[int | None]:
    """As `worker.jobs.queue_position`: 1 for the next of its resource class; null for a job that does not wait."""
    others = jobs.alias("others")
    before = select(func.count()).where(*waits_before(others, jobs.c.resource_class, jobs.c.priority, jobs.c.number))
    return case((jobs.c.status == "accepted", 1 + before.scalar_subquery()))


_QUERY: Select[Any] = select(*COLUMNS, _queue_position().label("queue_position")).where(
    jobs.c.id == bindparam("job_id"), jobs.c.owner == bindparam("owner")
)


class JobLookup:
    """Finds one job at a time. On SQLite it belongs to the thread that first asks, which has to close it as well."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: sqlite3.Connection | None = None
        compiled = _QUERY.compile(dialect=sqlite.dialect(paramstyle="named"))
        self._statement, self._constants = str(compiled), dict(compiled.params)

    def find(self, job_id: str, owner: str) -> tuple[Job, int | None]:
        """The owner's job and its place in the queue, None where it does not wait. Raises `NotFound`."""
        row = None
        if is_id(job_id):
            values = {"job_id": job_id, "owner": owner}
            row = self._fetch(values) if self._database.is_sqlite else self._fetch_by_engine(values)
        if row is None:
            raise NotFound("no such job")
        return Job(*row[:_WIDTH]), row[_WIDTH]

    def close(self) -> None:
        """Closes the connection, if there ever was one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _fetch(self, values: dict[str, str]) -> list[Any] | None:
        try:
            if self._connection is None:
                self._connection = self._open()
            row = self._connection.execute(self._statement, {**self._constants, **values}).fetchone()
        except sqlite3.OperationalError as error:
            raise DatabaseUnavailable(f"the database does not answer: {error}") from error
        if row is None:
            return None
        decoded = list(row)
        for index in _JSON:
            if decoded[index] is not None:
                decoded[index] = orjson.loads(decoded[index])
        return decoded

    def _open(self) -> sqlite3.Connection:
        file = str(self._database.engine.url.database)
        connection = sqlite3.connect(file, timeout=_BUSY_S, isolation_level=None)
        connection.execute("PRAGMA query_only=ON")
        return connection

    def _fetch_by_engine(self, values: dict[str, str]) -> Any:
        with self._database.read() as connection:
            return connection.execute(_QUERY, values).one_or_none()
