"""The folder of files that grow: whether it is still there, whether there is room, and what is left in it."""

import logging
import shutil
import time
from collections.abc import Container
from pathlib import Path

from api.receiving.staging import is_idle
from worker.database.connections import Database
from worker.errors import NotFound, ServiceError, StorageFullError, StorageUnavailable
from worker.jobs import uploads
from worker.places import Place
from worker.settings import Settings

_log = logging.getLogger(__name__)

FOLDER = "incoming"
# In `Upload.metadata`: nobody can go on with it, so it goes when its request ends.
SINGLE_SHOT = {"decloud": "single-shot"}
# Younger files may belong to a request that has not locked them yet.
_SWEPT_AFTER_S = 60.0


class IncomingFolder:
    """Holds a file for each upload that is not complete, named by its id."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.path = settings.data / FOLDER
        self.path.mkdir(parents=True, exist_ok=True)
        self._place = Place.of(settings.data)

    def file_of(self, upload_id: str) -> Path:
        """The path of an upload's file."""
        return self.path / upload_id

    def remove(self, upload_id: str) -> None:
        """Deletes an upload's file, if there is one."""
        self.file_of(upload_id).unlink(missing_ok=True)

    def check_place(self) -> None:
        """Raises `StorageUnavailable` while the data folder is not the one this server began with: what is accepted
        into another, or into none, nobody would find again."""
        if trouble := self._place.trouble():
            _log.error("nothing is accepted: %s %s; put it back", self._place.path, trouble)
            raise StorageUnavailable(
                "the server's data folder is not the one that was opened; the operator must mend it"
            )

    def check_room(self, needed: int) -> None:
        """Raises `StorageFullError` if `needed` more bytes would leave less free than the operator wants, and what
        `check_place` raises."""
        self.check_place()
        free = shutil.disk_usage(self.path).free
        floor = self.settings.disk_floor_bytes
        if free - needed < floor:
            raise StorageFullError(
                f"no room on the server's disk: {needed} bytes are to come, {free} are free, {floor} must stay free",
                needed_bytes=needed,
                free_bytes=free,
                floor_bytes=floor,
            )

    def sweep(self, database: Database, active: Container[str]) -> None:
        """Deletes files of uploads that are complete, gone or expired, and single shots whose process died; none of
        those that are `active`."""
        for path in self.path.iterdir():
            try:
                if path.name not in active and _is_forsaken(path, database):
                    path.unlink()
            except FileNotFoundError:  # moved or removed meanwhile
                continue
            except ServiceError as error:
                _log.warning("not swept: %s", error.detail)


def _is_forsaken(path: Path, database: Database) -> bool:
    if time.time() - path.stat().st_mtime < _SWEPT_AFTER_S or not is_idle(path):
        return False
    try:
        upload = uploads.get(database, path.name, None)
    except NotFound:
        return True
    if upload.state == "receiving" and upload.metadata == SINGLE_SHOT:
        uploads.discard(database, upload.id, None)
        return True
    # Of a complete upload it would be what another process is putting away.
    return False
