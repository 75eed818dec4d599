"""What one owner may use, what is used, and the refusal that carries both."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, case, func, select

from seq2seq.processes import DECLOUD, INSPECT
from worker.database.connections import Database
from worker.database.tables import jobs, uploads
from worker.errors import InvalidRequest, QuotaExceeded, UploadTooLarge
from worker.settings import Settings

# The settings that a key may carry its own figure of.
QUOTAS = (
    "max_upload_bytes",
    "max_stored_bytes_per_owner",
    "max_queued_per_owner",
    "max_running_per_owner",
    "max_pixels_dates",
    "max_run_s",
    "requests_per_minute",
)
_LARGEST_QUOTA = 2**53  # what JSON carries exactly


@dataclass(frozen=True)
class Usage:
    """Counts what an owner uses.

    queued, running: jobs, without inspections. stored_bytes: uploads, counted at their full length once it is known,
    and results. inspections: that wait.
    """

    queued: int
    running: int
    stored_bytes: int
    inspections: int = 0


def check_names(quota: Mapping[str, Any]) -> None:
    """Raises `InvalidRequest` for what is not a quota or not a whole number."""
    for name, value in quota.items():
        if name not in QUOTAS:
            raise InvalidRequest(f"{name} is no quota; known are {', '.join(QUOTAS)}", quota=name)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LARGEST_QUOTA:
            raise InvalidRequest(f"{name} is {value!r}, must be a whole number from 1 to {_LARGEST_QUOTA}", quota=name)


def limits_for(settings: Settings, quota: Mapping[str, Any]) -> Settings:
    """Returns the settings with a key's own figures in place of the general ones."""
    return settings.model_copy(update=dict(quota)) if quota else settings


def usage(database: Database, owner: str) -> Usage:
    """Returns what the owner uses now."""
    with database.read() as connection:
        return usage_within(connection, owner)


def usage_within(connection: Connection, owner: str) -> Usage:
    """Counts the same inside a transaction; exact until its end if that has called `sql.lock_owner`."""
    kind = (jobs.c.status, jobs.c.process)
    active = select(*kind, func.count()).where(jobs.c.owner == owner, jobs.c.status.in_(("accepted", "running")))
    counts: Counter[tuple[str, bool]] = Counter()
    for status, process, count in connection.execute(active.group_by(*kind)):
        counts[status, process == INSPECT] += count
    return Usage(
        queued=counts["accepted", False],
        running=counts["running", False],
        stored_bytes=_stored_bytes(connection, owner),
        inspections=counts["accepted", True],
    )


def _stored_bytes(connection: Connection, owner: str) -> int:
    length = func.coalesce(uploads.c.length, 0)
    claimed = case((length > uploads.c.offset, length), else_=uploads.c.offset)
    # Bytes that a final upload has taken are counted there.
    own = (uploads.c.owner == owner, uploads.c.part_of.is_(None))
    in_uploads = select(func.coalesce(func.sum(claimed), 0)).where(*own)
    in_results = select(func.coalesce(func.sum(jobs.c.result_bytes), 0)).where(jobs.c.owner == owner)
    # PostgreSQL sums bigints to a decimal.
    return int(connection.scalar(in_uploads) or 0) + int(connection.scalar(in_results) or 0)


def check_queued(used: Usage, limits: Settings, asked: int = 1, process: str = DECLOUD) -> None:
    """Raises `QuotaExceeded` when not so many more jobs may wait; of inspections as many as of all others."""
    waiting, what = (used.inspections, "inspections") if process == INSPECT else (used.queued, "jobs")
    if waiting + asked > limits.max_queued_per_owner:
        more = "" if asked == 1 else f" and {asked} more were asked for"
        remedy = "try again when one has begun" if asked <= limits.max_queued_per_owner else "ask for fewer at a time"
        raise QuotaExceeded(
            f"{waiting} {what} are waiting{more}, {limits.max_queued_per_owner} may; {remedy}",
            quota="max_queued_per_owner",
            limit=limits.max_queued_per_owner,
            used=waiting,
            asked=asked,
        )


def check_stored(used: Usage, limits: Settings, asked: int) -> None:
    """Raises `QuotaExceeded` when `asked` more bytes would be too many; delete uploads or finished jobs first."""
    limit = limits.max_stored_bytes_per_owner
    if used.stored_bytes + asked > limit:
        raise QuotaExceeded(
            f"{used.stored_bytes} bytes are stored and {asked} more were asked for, {limit} may be; "
            "delete uploads or finished jobs",
            quota="max_stored_bytes_per_owner",
            limit=limit,
            used=used.stored_bytes,
            asked=asked,
        )


def check_upload(limits: Settings, length: int) -> None:
    """Raises `UploadTooLarge` for one upload of more bytes than one may have."""
    if length > limits.max_upload_bytes:
        raise UploadTooLarge(
            f"the upload has {length} bytes, one upload may have {limits.max_upload_bytes}",
            quota="max_upload_bytes",
            limit=limits.max_upload_bytes,
            asked=length,
        )
