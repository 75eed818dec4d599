"""The API's most frequent question: one job and its place in the queue, in one statement.

On SQLite it is prepared once and asked over a connection of its own, right in the event loop: readers of a WAL never
wait for writers, and what SQLAlchemy and a thread add takes ten times as long as the answer.
"""

import sqlite3
from dataclasses import fields
from typing import Any

import orjson
from anyio import to_thread
from sqlalchemy import JSON, ColumnElement, Select, and_, bindparam, case, func, or_, select
from sqlalchemy.dialects import sqlite

from api.errors import Refusal
from worker.database.connections import Database
from worker.database.sql import is_id
from worker.database.tables import jobs
from worker.errors import DatabaseUnavailable
from worker.jobs.rows import COLUMNS, Job

_JSON = tuple(index for index, column in enumerate(COLUMNS) if isinstance(column.type, JSON))
_WIDTH = len(fields(Job))
# Readers meet a lock only while the database recovers from a crash.
_BUSY_S = 1.0


class Glance:
    """Close it in the thread of the event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: sqlite3.Connection | None = None
        dialect = sqlite.dialect(paramstyle="named")
        compiled = _QUERY.compile(dialect=dialect)
        self._statement, self._constants = str(compiled), dict(compiled.params)

    async def job(self, job_id: str, owner: str) -> tuple[Job, int | None]:
        """Raises `Refusal` by OGC's name for a job that is not there, or is another owner's."""
        row: Any = None
        if is_id(job_id):
            values = {"job_id": job_id, "owner": owner}
            if self._database.is_sqlite:
                row = self._fetch(values)
            else:
                row = await to_thread.run_sync(self._fetch_by_engine, values)
        if row is None:
            raise Refusal("no-such-job", f"there is no job {job_id[:64]!r}")
        return Job(*row[:_WIDTH]), row[_WIDTH]

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

    def close(self) -> None:
        """The connection, if there ever was one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _place() -> ColumnElement[int | None]:
    """As `worker.jobs.queue_position`: 1 for the next of its resource class; null when it is not waiting."""
    others = jobs.alias("others")
    sooner = or_(
        others.c.priority > jobs.c.priority,
        and_(others.c.priority == jobs.c.priority, others.c.number < jobs.c.number),
    )
    before = select(func.count()).where(
        others.c.status == "accepted", others.c.resource_class == jobs.c.resource_class, sooner
    )
    return case((jobs.c.status == "accepted", 1 + before.scalar_subquery()))


_QUERY: Select[Any] = select(*COLUMNS, _place().label("place")).where(
    jobs.c.id == bindparam("job_id"), jobs.c.owner == bindparam("owner")
)
