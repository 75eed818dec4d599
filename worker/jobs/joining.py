"""Uploads made of others, by tus' extension concatenation: rows about whose bytes come in which order.

A sender begins several partial uploads, fills them side by side, and then asks for a final one made of them. From that
transaction on the final one counts their bytes and they count none; nobody else can take them. Their rows stay until
they expire, so that whoever missed an answer finds the upload complete, in place of sending it once more.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import update

from worker.access import quotas
from worker.database.connections import Database
from worker.database.sql import lock_owner
from worker.database.tables import uploads as table
from worker.errors import InvalidRequest, UploadInUse
from worker.jobs.uploads import Upload, among, check_complete, insert_row, new_row
from worker.settings import Settings

PARTIAL = "partial"
MOST_PARTS = 1000
# Ids of final uploads follow from their parts: who asks twice gets the first one.
_FINALS = uuid.UUID("6a1f3d0e-5b0c-4f0e-9a55-6f1c9d1f7f0e")


def create_final(
    database: Database,
    *,
    owner: str,
    concat: str,
    parts: Sequence[str],
    limits: Settings,
    name: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> Upload:
    """An upload made of the owner's partial ones `parts`, in this order; the same again for the same parts.

    concat: as the sender wrote it. Raises `InvalidRequest` for what is no part, `UploadNotReady` for one that is not
    complete, `UploadInUse` for one that another final upload has taken, `UploadTooLarge`.
    """
    _check_list(parts)
    final_id = str(uuid.uuid5(_FINALS, "\n".join((owner, *parts))))
    with database.begin() as connection:
        lock_owner(connection, owner)
        found = among(connection, owner, (final_id, *parts))
        if final_id in found:
            return found[final_id]
        length = sum(_checked(found, part, final_id).offset for part in parts)
        if length == 0:
            raise InvalidRequest("an empty file is no sequence")
        quotas.check_upload(limits, length)
        row = new_row(final_id, owner, length, limits, name=name, metadata=metadata, concat=concat, parts=list(parts))
        taken = update(table).where(table.c.id.in_(parts), table.c.owner == owner)
        connection.execute(taken.values(part_of=final_id, expires=row["expires"]))
        return insert_row(connection, row)


def _check_list(parts: Sequence[str]) -> None:
    if not 1 <= len(parts) <= MOST_PARTS:
        raise InvalidRequest(f"Upload-Concat: names {len(parts)} uploads, must name 1 to {MOST_PARTS}")
    if len(set(parts)) != len(parts):
        raise InvalidRequest("Upload-Concat: names an upload twice; each is taken once")


def _checked(found: Mapping[str, Upload], part: str, final_id: str) -> Upload:
    """The upload, fit to be taken. Another owner's reads as one that does not exist."""
    upload = found.get(part)
    if upload is None or not upload.is_partial:
        raise InvalidRequest(f"Upload-Concat: {part} is no partial upload of yours (Upload-Concat: partial)")
    check_complete(upload)
    if upload.part_of not in (None, final_id):
        raise UploadInUse(f"upload {part} is a part of upload {upload.part_of} already", upload=upload.part_of)
    return upload
