"""Uploads: rows about bytes that arrive. The bytes themselves are kept by whoever calls, below `uploads/ID`."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, delete, func, insert, select, update

from worker import clock
from worker.access import quotas
from worker.database.connections import Database
from worker.database.sql import lock_owner
from worker.database.tables import jobs, uploads
from worker.errors import InvalidRequest, NotFound, OffsetConflict, UploadInUse, UploadNotReady
from worker.jobs import garbage
from worker.settings import Settings
from worker.values import is_id, storable

_MAX_NAME = 255


@dataclass(frozen=True)
class Upload:
    """length: bytes, None while it is not announced. offset: bytes stored so far. metadata: the sender's own.

    sha256: of the whole, known when complete. expires: when it is deleted, unless a job that has not ended needs it.
    concat, parts, part_of: see `worker.jobs.joining`.
    """

    id: str
    owner: str
    name: str | None
    length: int | None
    offset: int
    sha256: str | None
    state: Literal["receiving", "complete"]
    metadata: dict[str, Any]
    created: float
    updated: float
    expires: float
    concat: str | None = None
    parts: tuple[str, ...] = ()
    part_of: str | None = None

    @property
    def is_partial(self) -> bool:
        """Whether it is to become a part of another, and no job's input."""
        return self.concat is not None and not self.parts

    @property
    def key(self) -> str:
        """The key of its bytes in storage."""
        return key_of(self.id)


def key_of(upload_id: str) -> str:
    """The key of an upload's bytes in storage."""
    return f"uploads/{upload_id}"


_COLUMNS = (
    uploads.c.id,
    uploads.c.owner,
    uploads.c.name,
    uploads.c.length,
    uploads.c.offset,
    uploads.c.sha256,
    uploads.c.state,
    uploads.c.metadata,
    uploads.c.created,
    uploads.c.updated,
    uploads.c.expires,
    uploads.c.concat,
    uploads.c.parts,
    uploads.c.part_of,
)


def create(
    database: Database,
    *,
    owner: str,
    length: int | None,
    limits: Settings,
    name: str | None = None,
    metadata: dict[str, Any] | None = None,
    concat: str | None = None,
) -> Upload:
    """Makes room for `length` bytes, counted at once. concat: as the sender wrote it, of a partial upload.

    Raises `UploadTooLarge`, `QuotaExceeded`.
    """
    if length is not None:
        if length < 0:
            raise InvalidRequest(f"an upload of {length} bytes", length=length)
        quotas.check_upload(limits, length)
    row = new_row(str(uuid.uuid4()), owner, length, limits, name=name, metadata=metadata, concat=concat)
    with database.begin() as connection:
        lock_owner(connection, owner)
        # An unknown length asks for one byte: an owner who is at the limit must not begin.
        quotas.check_stored(quotas.usage_within(connection, owner), limits, 1 if length is None else length)
        return insert_row(connection, row)


def new_row(
    upload_id: str, owner: str, length: int | None, limits: Settings, *, name: str | None, **more: Any
) -> dict[str, Any]:
    """The row of an upload that begins now."""
    now = clock.now()
    return {
        "id": upload_id,
        "owner": owner,
        "name": None if name is None else storable(name, _MAX_NAME),
        "length": length,
        "offset": 0,
        "sha256": None,
        "state": "receiving",
        "created": now,
        "updated": now,
        "expires": now + limits.upload_expiry_s,
        **more,
        "metadata": more.get("metadata") or {},
    }


def insert_row(connection: Connection, row: dict[str, Any]) -> Upload:
    """Adds an upload, within the transaction that has found it to be within the owner's limits."""
    return _to_upload(connection.execute(insert(uploads).values(row).returning(*_COLUMNS)).one())


def get(database: Database, upload_id: str, owner: str | None) -> Upload:
    """The upload. Raises `NotFound`, also for another owner's; owner None is the operator."""
    with database.read() as connection:
        return _find(connection, upload_id, owner)


def listing(database: Database, owner: str, *, limit: int = 100) -> tuple[Upload, ...]:
    """The owner's uploads, newest first, without those that are parts of another."""
    own = (uploads.c.owner == owner, uploads.c.part_of.is_(None))
    query = select(*_COLUMNS).where(*own).order_by(uploads.c.created.desc(), uploads.c.id)
    with database.read() as connection:
        return tuple(_to_upload(row) for row in connection.execute(query.limit(limit)))


def among(connection: Connection, owner: str, ids: Sequence[str]) -> dict[str, Upload]:
    """Those of the owner's uploads that have these ids, locked, by id."""
    own = (uploads.c.owner == owner, uploads.c.id.in_(ids))
    rows = connection.execute(select(*_COLUMNS).where(*own).order_by(uploads.c.id).with_for_update())
    return {upload.id: upload for upload in map(_to_upload, rows)}


def advance(
    database: Database, upload_id: str, owner: str, *, old: int, new: int, limits: Settings, length: int | None = None
) -> Upload:
    """Counts bytes `old` to `new` as stored. `length`: announced now, where it was not known before.

    Fenced on the old offset: of two senders one gets `OffsetConflict`. Raises `UploadTooLarge`, `QuotaExceeded`.
    """
    with database.begin() as connection:
        lock_owner(connection, owner)
        upload = _find(connection, upload_id, owner, lock=True)
        length = upload.length if upload.length is not None else length
        _check_advance(upload, old=old, new=new, length=length)
        quotas.check_upload(limits, max(new, length or 0))
        if upload.length is None:
            asked = max(new, length or 0) - upload.offset
            quotas.check_stored(quotas.usage_within(connection, owner), limits, asked)
        now = clock.now()
        return _change(
            connection, upload_id, offset=new, length=length, updated=now, expires=now + limits.upload_expiry_s
        )


def _check_advance(upload: Upload, *, old: int, new: int, length: int | None) -> None:
    if upload.state != "receiving":
        raise OffsetConflict(f"upload {upload.id} is complete", expected=upload.offset, got=old)
    if upload.offset != old:
        raise OffsetConflict(f"bytes from {old} sent, {upload.offset} are stored", expected=upload.offset, got=old)
    if new < old or (length is not None and new > length):
        raise InvalidRequest(f"bytes {old} to {new} of an upload of {length}", length=length, offset=old, end=new)


def complete(database: Database, upload_id: str, owner: str, *, sha256: str, limits: Settings) -> Upload:
    """Marks it complete: every byte is stored, jobs may use it from now on. Twice with the same sum is once."""
    with database.begin() as connection:
        upload = _find(connection, upload_id, owner, lock=True)
        if upload.state == "complete" and upload.sha256 == sha256:
            return upload
        if upload.state == "complete" or (not upload.parts and upload.length not in (None, upload.offset)):
            raise UploadNotReady(
                f"{upload.offset} of {upload.length} bytes are stored", offset=upload.offset, length=upload.length
            )
        for part in upload.parts:
            garbage.add(connection, key_of(part))
        now = clock.now()
        length = upload.length if upload.parts else upload.offset
        return _change(
            connection,
            upload_id,
            state="complete",
            sha256=sha256,
            length=length,
            offset=length,
            updated=now,
            expires=now + limits.upload_expiry_s,
        )


def discard(database: Database, upload_id: str, owner: str | None) -> None:
    """Forget it, in any state, with its parts; its bytes become garbage.

    Raises `UploadInUse` while an active job needs it, or another upload that is being made of it.
    """
    with database.begin() as connection:
        upload = _find(connection, upload_id, owner, lock=True)
        _check_not_taken(connection, upload)
        active = connection.scalar(
            select(func.count()).where(jobs.c.input_id == upload_id, jobs.c.status.in_(("accepted", "running")))
        )
        if active:
            raise UploadInUse(f"{active} jobs that have not ended use upload {upload_id}", jobs=active)
        delete_row(connection, upload)


def _check_not_taken(connection: Connection, upload: Upload) -> None:
    whole = select(uploads.c.state).where(uploads.c.id == upload.part_of)
    if upload.part_of is not None and connection.scalar(whole) == "receiving":
        raise UploadInUse(
            f"upload {upload.part_of} is being made of upload {upload.id}: remove that one", upload=upload.part_of
        )


def delete_row(connection: Connection, upload: Upload) -> None:
    """Deletes it, within a transaction that has locked the row and seen that no job needs it. Its parts go with it."""
    gone = [upload.id, *upload.parts]
    connection.execute(delete(uploads).where(uploads.c.id.in_(gone)))
    for upload_id in gone:
        garbage.add(connection, key_of(upload_id))


def check_complete(upload: Upload) -> None:
    """Raises `UploadNotReady` while bytes are missing."""
    if upload.state != "complete":
        raise UploadNotReady(
            f"upload {upload.id} is not complete: {upload.offset} of {upload.length} bytes",
            offset=upload.offset,
            length=upload.length,
        )


def check_ready(upload: Upload) -> None:
    """Raises `UploadNotReady` for what is no job's input, or not yet."""
    if upload.is_partial:
        raise UploadNotReady(f"upload {upload.id} is a part: make a whole of it first (Upload-Concat: final;...)")
    check_complete(upload)


def keep_for_job(connection: Connection, upload_id: str, owner: str, limits: Settings) -> None:
    """Keeps it, within the submission of a job: it must be complete, and stays for a full expiry from now."""
    upload = _find(connection, upload_id, owner, lock=True)
    check_ready(upload)
    _change(connection, upload_id, expires=max(upload.expires, clock.now() + limits.upload_expiry_s))


def expired(connection: Connection, *, limit: int = 100) -> tuple[Upload, ...]:
    """Those past their time that no active job needs, locked."""
    needed = select(jobs.c.input_id).where(jobs.c.input_id == uploads.c.id, jobs.c.status.in_(("accepted", "running")))
    query = select(*_COLUMNS).where(uploads.c.expires <= clock.now(), ~needed.exists())
    locked = query.order_by(uploads.c.expires).limit(limit).with_for_update(skip_locked=True)
    return tuple(_to_upload(row) for row in connection.execute(locked))


def _find(connection: Connection, upload_id: str, owner: str | None, *, lock: bool = False) -> Upload:
    query = select(*_COLUMNS).where(uploads.c.id == upload_id)
    if owner is not None:
        query = query.where(uploads.c.owner == owner)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none() if is_id(upload_id) else None
    if row is None:
        raise NotFound("no such upload")
    return _to_upload(row)


def _change(connection: Connection, upload_id: str, **values: Any) -> Upload:
    changed = update(uploads).where(uploads.c.id == upload_id).values(values).returning(*_COLUMNS)
    return _to_upload(connection.execute(changed).one())


def _to_upload(row: Any) -> Upload:
    values = dict(row._mapping)
    return Upload(**{**values, "parts": tuple(values["parts"] or ())})
