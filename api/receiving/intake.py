"""Receiving uploads: which request may send to which upload, and what becomes of it afterwards."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from api.errors import Refusal
from api.receiving.completion import Completion
from api.receiving.reception import Reception, Sending, Sink
from worker.errors import OffsetConflict
from worker.jobs import uploads
from worker.jobs.uploads import Upload

if TYPE_CHECKING:
    from hashlib import _Hash

# Sums of uploads whose sender pauses between two requests.
_REMEMBERED = 1000


class Intake:
    """Lets one request at a time send to an upload. A second one takes over from the first, which may be dead."""

    def __init__(self, sink: Sink, completion: Completion) -> None:
        self._sink, self._completion = sink, completion
        self._active: dict[str, Reception] = {}
        self._digests: dict[str, tuple[int, _Hash]] = {}

    async def receive(self, upload: Upload, pieces: AsyncIterator[bytes], sending: Sending, *, offset: int) -> Upload:
        """Adds the pieces to what is stored, and completes the upload when they were the last.

        What has come before a failure counts, unless a checksum was to be verified. Raises `OffsetConflict`,
        `ChecksumMismatch`, `StorageFullError`, `Refusal`, and whatever reading the pieces raises.
        """
        self._sink.incoming.check_place()
        async with self._turn(upload.id) as reception:
            upload = await _find(self._sink, upload.id, sending.owner)
            if upload.offset != offset or upload.state == "complete":
                raise OffsetConflict(
                    f"bytes from {offset} sent, {upload.offset} are stored", expected=upload.offset, got=offset
                )
            await reception.run(upload, pieces, sending)
        return await self.settle(upload.id, sending.owner)

    async def receive_whole(self, upload: Upload, pieces: AsyncIterator[bytes], sending: Sending) -> Upload:
        """Receives a single shot: all of it, or nothing is left of it."""
        try:
            async with self._turn(upload.id) as reception:
                if not await reception.run(upload, pieces, sending):
                    raise Refusal("invalid-request", "the body is empty: send the bytes of a file")
            return await self._complete(upload.id, sending.owner)
        except BaseException:
            await asyncio.shield(self.discard(upload.id, sending.owner))
            raise

    async def receive_first(self, upload: Upload, pieces: AsyncIterator[bytes], sending: Sending) -> Upload:
        """Receives what comes with the request that began the upload. Where that fails nothing is left: its sender was
        never answered where to go on."""
        try:
            return await self.receive(upload, pieces, sending, offset=0)
        except BaseException:
            await asyncio.shield(self.discard(upload.id, sending.owner))
            raise

    @asynccontextmanager
    async def _turn(self, upload_id: str) -> AsyncIterator[Reception]:
        await self.release(upload_id)
        reception = self._active[upload_id] = Reception(self._sink, self._digests.pop(upload_id, None))
        try:
            yield reception
        finally:
            del self._active[upload_id]
            if reception.digest is not None:
                self._digests[upload_id] = reception.digest
                if len(self._digests) > _REMEMBERED:
                    del self._digests[next(iter(self._digests))]
            reception.ended.set()

    async def release(self, upload_id: str) -> None:
        """Interrupts whoever is sending this upload; afterwards its offset is final."""
        while (active := self._active.get(upload_id)) is not None:
            active.interrupt(OffsetConflict("another request goes on with this upload"))
            await active.ended.wait()

    def interrupt_all(self) -> None:
        """Interrupts everybody, as the server stops: what has come is recorded, and can be continued later."""
        self._completion.stop()
        for reception in self._active.values():
            reception.interrupt(Refusal("not-ready", "the server is stopping; go on in a moment"))

    async def settle(self, upload_id: str, owner: str) -> Upload:
        """The upload as it is now; one whose bytes are all here becomes complete, also after a crash in between."""
        upload = await _find(self._sink, upload_id, owner)
        if upload.state == "complete" or (not upload.parts and upload.length != upload.offset):
            return upload
        if upload.parts:  # may take a minute: whoever looks is not kept waiting
            self._completion.of_parts(upload)
            return upload
        return await self._complete(upload_id, owner)

    async def join(self, final: Upload) -> Upload:
        """A final upload, when it is complete; also one that a crash, or a full disk, left unfinished."""
        if final.state == "complete":
            return final
        return await asyncio.shield(self._completion.of_parts(final))

    async def _complete(self, upload_id: str, owner: str) -> Upload:
        """Goes on when the one who asked for it has gone."""
        digest = None if self._completion.is_completing(upload_id) else self._digests.pop(upload_id, None)
        return await asyncio.shield(self._completion.of_file(upload_id, owner, digest))

    async def discard(self, upload_id: str, owner: str) -> None:
        """Removes the upload in any state, also while it is being sent. Raises `UploadInUse`, `NotFound`."""
        await _find(self._sink, upload_id, owner)
        await self.release(upload_id)
        await self._completion.wait(upload_id)  # else its file would appear after its row is gone
        await self._sink.threads.run(uploads.discard, self._sink.database, upload_id, owner)
        self._digests.pop(upload_id, None)
        await self._sink.threads.run(self._sink.incoming.remove, upload_id)

    async def sweep(self) -> None:
        """Deletes files that nobody will go on with."""
        await self._sink.threads.run(self._sink.incoming.sweep, self._sink.database, self._active)


async def _find(sink: Sink, upload_id: str, owner: str) -> Upload:
    return await sink.threads.run(uploads.get, sink.database, upload_id, owner)
