"""Uploads whose bytes are all here become complete: put into storage, with their sum, from a file or from parts."""

import asyncio
import hashlib
import logging
import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from api.errors import Refusal
from api.receiving.joining import join
from api.receiving.reception import Sink
from api.receiving.staging import alone, sha256_of
from worker.errors import NotFound
from worker.jobs import uploads
from worker.jobs.uploads import Upload
from worker.settings import Settings
from worker.storage import Storage

if TYPE_CHECKING:
    from hashlib import _Hash

_log = logging.getLogger(__name__)

# Final uploads that are made of their parts at the same time; the other threads stay for what arrives.
_JOINED_AT_ONCE = 4


class Completion:
    """Completes each upload once, however many ask for it, and also when those who asked have gone."""

    def __init__(self, sink: Sink, storage: Storage, settings: Settings) -> None:
        self._sink, self._storage, self._settings = sink, storage, settings
        self._tasks: dict[str, asyncio.Task[Upload]] = {}
        self._joining = asyncio.Semaphore(_JOINED_AT_ONCE)
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ends what may take long; it can be done at the next start."""
        self._stopping.set()

    def is_completing(self, upload_id: str) -> bool:
        """Whether somebody has asked for it, and it is not done."""
        return upload_id in self._tasks

    async def wait(self, upload_id: str) -> None:
        """Returns when nothing is being done with the upload, however that went."""
        if (task := self._tasks.get(upload_id)) is not None:
            await asyncio.wait({task})

    def of_file(self, upload_id: str, owner: str, digest: "tuple[int, _Hash] | None") -> "asyncio.Task[Upload]":
        """The task that puts the upload's file into storage. digest: position and sum, where they are known."""
        return self._once(upload_id, self._sink.threads.run(self._put_file, upload_id, owner, digest))

    def of_parts(self, final: Upload) -> "asyncio.Task[Upload]":
        """The task that makes a final upload of its parts."""
        return self._once(final.id, self._join(final))

    def _once(self, upload_id: str, work: Coroutine[Any, Any, Upload]) -> "asyncio.Task[Upload]":
        """One task for each upload; the first one's work is done."""
        if (task := self._tasks.get(upload_id)) is not None:
            work.close()
            return task

        def over(done: "asyncio.Task[Upload]") -> None:
            self._tasks.pop(upload_id, None)
            if not done.cancelled() and (error := done.exception()):
                _log.info("upload not completed: %s", error, extra={"upload_id": upload_id})

        task = self._tasks[upload_id] = asyncio.create_task(work)
        task.add_done_callback(over)
        return task

    async def _join(self, final: Upload) -> Upload:
        async with self._joining:
            return await self._sink.threads.run(self._put_parts, final.id, final.owner)

    def _put_parts(self, upload_id: str, owner: str) -> Upload:
        database = self._sink.database
        final = uploads.get(database, upload_id, owner)
        if final.state == "complete":
            return final
        self._sink.incoming.check_room(final.length or 0)
        try:
            sha256 = join(database, self._storage, final, self._check_going_on)
        except Refusal:
            final = uploads.get(database, upload_id, owner)
            if final.state == "complete":  # by another server, whose reaper has taken the parts' bytes meanwhile
                return final
            raise
        return uploads.complete(database, upload_id, owner, sha256=sha256, limits=self._settings)

    def _check_going_on(self) -> None:
        if self._stopping.is_set():
            raise Refusal("not-ready", "the server is stopping; ask again in a moment")

    def _put_file(self, upload_id: str, owner: str, digest: "tuple[int, _Hash] | None") -> Upload:
        upload = uploads.get(self._sink.database, upload_id, owner)
        if upload.state == "complete":
            return upload
        staged = self._sink.incoming.file_of(upload_id)
        try:
            with alone(staged):
                known = digest is not None and digest[0] == upload.offset == staged.stat().st_size
                sha256 = digest[1].hexdigest() if digest and known else sha256_of(staged, upload.offset)
                self._storage.put(upload.key, staged, take=True)
        except FileNotFoundError:  # put away just before a crash
            self._sink.incoming.check_place()
            sha256 = self._stored_sha256(upload)
        return uploads.complete(self._sink.database, upload_id, owner, sha256=sha256, limits=self._settings)

    def _stored_sha256(self, upload: Upload) -> str:
        try:
            digest = hashlib.sha256()
            for piece in self._storage.open_range(upload.key, 0, upload.offset):
                digest.update(piece)
        except NotFound:
            raise Refusal("upload-gone", "the upload's bytes are not on this server: begin a new one") from None
        return digest.hexdigest()
