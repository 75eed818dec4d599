"""Which workers there are: a row each, refreshed by its heartbeat. For people and health checks; claims ignore it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import delete, select, update

from worker import clock
from worker.database.connections import Database
from worker.database.sql import insert_missing
from worker.database.tables import workers

# Signs of life come every `heartbeat_s`; one or two may be late. Who is silent for longer is not counted as there.
HEARTBEATS = 3


@dataclass(frozen=True)
class Worker:
    """Describes a worker. device: such as cpu or cuda:0. memory_mb: of the device, where known.

    job_id: what it runs now. lacks: what keeps it from claiming jobs, a sentence.
    """

    id: str
    host: str
    device: str
    memory_mb: int | None
    classes: tuple[str, ...]
    job_id: str | None
    lacks: str | None
    started: float
    last_seen: float


def seen(
    database: Database,
    worker_id: str,
    *,
    host: str,
    device: str,
    classes: Sequence[str],
    memory_mb: int | None = None,
    job_id: str | None = None,
    lacks: str | None = None,
) -> None:
    """Notes that the worker lives and does this. Its first call makes its row."""
    now = clock.now()
    known = {"host": host, "device": device, "memory_mb": memory_mb, "classes": list(classes)}
    values = {**known, "job_id": job_id, "lacks": lacks}
    with database.begin() as connection:
        insert_missing(connection, workers, id=worker_id, started=now, last_seen=now, **values)
        connection.execute(update(workers).where(workers.c.id == worker_id).values(last_seen=now, **values))


def gone(database: Database, worker_id: str) -> None:
    """Drops the row of a worker that stops in an orderly way."""
    with database.begin() as connection:
        connection.execute(delete(workers).where(workers.c.id == worker_id))


def forget_silent(database: Database, *, silent_s: float) -> None:
    """Drops the rows of workers that were not heard of for `silent_s`."""
    with database.begin() as connection:
        connection.execute(delete(workers).where(workers.c.last_seen < clock.now() - silent_s))


def listing(database: Database) -> tuple[Worker, ...]:
    """Returns all known workers, by id."""
    columns = [workers.c[name] for name in Worker.__dataclass_fields__]
    with database.read() as connection:
        found = [Worker(*tuple(row)) for row in connection.execute(select(*columns).order_by(workers.c.id))]
    return tuple(replace(worker, classes=tuple(worker.classes)) for worker in found)
