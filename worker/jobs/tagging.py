"""Tags: an owner's own words for their jobs."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from worker.database.connections import Database
from worker.database.tables import job_tags, jobs
from worker.errors import InvalidRequest
from worker.jobs.rows import Job
from worker.jobs.transitions import change, lock_owned
from worker.values import storable

MOST_TAGS = 20
LONGEST_TAG = 50


def checked(tags: Sequence[str]) -> list[str]:
    """Each tag once, sorted. Raises `InvalidRequest`."""
    found = sorted(set(tags))
    if len(found) > MOST_TAGS:
        raise InvalidRequest(f"{len(found)} tags were given, a job may have {MOST_TAGS}", field="tags")
    for tag in found:
        is_plain = tag.isprintable() and tag == tag.strip() and "," not in tag and storable(tag, LONGEST_TAG) == tag
        if not tag or not is_plain:
            raise InvalidRequest(
                f"a tag has 1 to {LONGEST_TAG} printable characters, no comma, and no space at its ends", field="tags"
            )
    return found


def insert_tags(connection: Connection, job_id: str, tags: Sequence[str]) -> None:
    """Has a job that has none found by its tags, within the transaction that sets them."""
    rows: list[dict[str, Any]] = [{"tag": tag, "job_id": job_id} for tag in tags]
    if rows:
        connection.execute(insert(job_tags), rows)


def has_tag(tag: str) -> ColumnElement[bool]:
    """The condition for jobs that have it."""
    return jobs.c.id.in_(select(job_tags.c.job_id).where(job_tags.c.tag == tag))


def label(database: Database, job_id: str, owner: str, **values: Any) -> Job:
    """Sets the `name` or the `tags` of the owner's job, in any status. Raises `NotFound`, `InvalidRequest`."""
    tags = values.get("tags")
    if tags is not None:
        values["tags"] = checked(tags) or None
    with database.begin() as connection:
        job = lock_owned(connection, job_id, owner)
        if tags is not None:
            connection.execute(delete(job_tags).where(job_tags.c.job_id == job.id))
            insert_tags(connection, job.id, values["tags"] or ())
        return change(connection, job, **values)
