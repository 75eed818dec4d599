"""The files of a result."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, insert, select

from worker.database.connections import Database
from worker.database.tables import artifacts
from worker.errors import NotFound


@dataclass(frozen=True)
class Artifact:
    """path: relative to the result's prefix, with `/`. size: bytes. date: YYYY-MM-DD or None.

    role: what it is for (declouded, uncertainty, report, stac, preview, manifest, ...).
    """

    path: str
    role: str
    size: int
    sha256: str
    crc32: int
    media_type: str
    date: str | None = None


_COLUMNS = tuple(
    artifacts.c[name] for name in ("path", "role", "size", "sha256", "crc32", "media_type", "date")
)  # the order of the fields above


def insert_all(connection: Connection, job_id: str, files: Sequence[Artifact]) -> None:
    """Adds files, within the transaction that makes the job successful."""
    if files:
        connection.execute(insert(artifacts), [{"job_id": job_id, **asdict(file)} for file in files])


def delete_all(connection: Connection, job_id: str) -> None:
    """Forgets files, within the transaction that gives them to `garbage`."""
    connection.execute(delete(artifacts).where(artifacts.c.job_id == job_id))


def listing(database: Database, job_id: str) -> tuple[Artifact, ...]:
    """All files of the job's result, by path."""
    query = select(*_COLUMNS).where(artifacts.c.job_id == job_id).order_by(artifacts.c.path)
    with database.read() as connection:
        return tuple(Artifact(*tuple(row)) for row in connection.execute(query))


def get(database: Database, job_id: str, path: str) -> Artifact:
    """The file of this path, which is looked up, never opened. Raises `NotFound`."""
    if "\x00" in path:
        raise NotFound("no such file in the result")
    query = select(*_COLUMNS).where(artifacts.c.job_id == job_id, artifacts.c.path == path)
    with database.read() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"the result of job {job_id} has no file {path}")
    return Artifact(*tuple(row))
