"""A final upload's bytes: those of its parts one after the other, stored whole or not at all. Its calls block."""

import hashlib
from collections.abc import Callable, Iterator, Sequence

from api.errors import Refusal
from worker.database.connections import Database
from worker.errors import NotFound
from worker.jobs import uploads
from worker.jobs.uploads import Upload
from worker.storage import Storage


def join(database: Database, storage: Storage, final: Upload, check_stop: Callable[[], None]) -> str:
    """Stores the final upload's bytes; their SHA-256. Doing it again, after a crash or beside another server, stores
    the same. check_stop: raises what shall end it early. Raises `Refusal` where a part is gone."""
    parts = [uploads.get(database, part, final.owner) for part in final.parts]
    digest = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        for piece in _pieces(storage, parts):
            check_stop()
            digest.update(piece)
            yield piece

    try:
        storage.put(final.key, pieces())
    except NotFound:
        raise Refusal("upload-gone", "bytes of a part are no longer there: begin a new upload") from None
    return digest.hexdigest()


def _pieces(storage: Storage, parts: Sequence[Upload]) -> Iterator[bytes]:
    """Exactly as many bytes as each part has: storage raises where they are fewer."""
    for part in parts:
        if part.offset:
            yield from storage.open_range(part.key, 0, part.offset)
