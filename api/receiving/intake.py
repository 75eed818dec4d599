"""Receiving uploads: bytes go to disk as they come, and count when they are there to stay."""

import asyncio
import hashlib
import logging
import shutil
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from api.errors import Refusal
from api.receiving.joining import join
from api.receiving.staging import StagedFile, alone, is_idle, sha256_of
from worker.database.connections import Database
from worker.errors import (
    ChecksumMismatch,
    DatabaseUnavailable,
    NotFound,
    OffsetConflict,
    ServiceError,
    StorageFullError,
    StorageUnavailable,
)
from worker.jobs import uploads
from worker.jobs.uploads import Upload
from worker.places import Place
from worker.settings import Settings
from worker.storage import Storage

if TYPE_CHECKING:
    from hashlib import _Hash

_log = logging.getLogger(__name__)
T = TypeVar("T")

FOLDER = "incoming"
# One write; two of them are in memory for each upload.
_PIECE_BYTES = 1 << 20
# How often what has come is made safe, the free space looked at, and the sender's key asked for again.
_KEEP_S = 1.0
_IDLE_S = 60.0
# Sums of uploads whose sender pauses between two requests.
_REMEMBERED = 1000
# Younger files may belong to a request that has not locked them yet.
_SWEPT_AFTER_S = 60.0
# In `Upload.metadata`: nobody can go on with it, so it goes when its request ends.
SINGLE_SHOT = {"decloud": "single-shot"}
# Final uploads that are made of their parts at the same time; the other threads stay for what arrives.
_JOINED_AT_ONCE = 4


@dataclass(frozen=True)
class Sending:
    """Who sends, what limits hold for them, and how to ask whether they still may. checksum: algorithm and sum.

    single_shot: what does not come whole is thrown away.
    """

    owner: str
    limits: Settings
    admit: Callable[[], Awaitable[object]]
    checksum: tuple[str, bytes] | None = None
    single_shot: bool = False

    @property
    def counts_at_once(self) -> bool:
        """Whether bytes may be recorded before the last has come: not those of a chunk that is to be verified."""
        return self.checksum is None or self.single_shot


class Intake:
    """All receptions of this process. A second request for an upload takes over from the first, which may be dead."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        settings: Settings,
        *,
        threads: Executor,
        received: Callable[[float], object],
    ) -> None:
        """received: told of each piece's size."""
        self.database, self.storage, self.settings = database, storage, settings
        self.threads, self.received = threads, received
        self.folder = settings.data / FOLDER
        self.folder.mkdir(parents=True, exist_ok=True)
        self._place = Place.of(settings.data)
        self._active: dict[str, _Reception] = {}
        self._digests: dict[str, tuple[int, _Hash]] = {}
        self._finishing: dict[str, asyncio.Task[Upload]] = {}
        self._joining = asyncio.Semaphore(_JOINED_AT_ONCE)
        self._stopping = threading.Event()

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """In a thread of ours."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, function, *arguments)

    def check_place(self) -> None:
        """Raises `StorageUnavailable` while the data folder is not the one this server began with: what is accepted
        into another, or into none, nobody would find again."""
        if said := self._place.trouble():
            _log.error("nothing is accepted: %s %s; put it back", self._place.path, said)
            raise StorageUnavailable(
                "the server's data folder is not the one that was opened; the operator must mend it"
            )

    def check_room(self, needed: int) -> None:
        """Raises `StorageFullError` if `needed` more bytes would leave less free than the operator wants, and what
        `check_place` raises."""
        self.check_place()
        free = shutil.disk_usage(self.folder).free
        floor = self.settings.disk_floor_bytes
        if free - needed < floor:
            raise StorageFullError(
                f"no room on the server's disk: {needed} bytes are to come, {free} are free, {floor} must stay free",
                needed_bytes=needed,
                free_bytes=free,
                floor_bytes=floor,
            )

    async def receive(self, upload: Upload, pieces: AsyncIterator[bytes], sending: Sending, *, offset: int) -> Upload:
        """Adds the pieces to what is stored, and completes the upload when they were the last.

        What has come before a failure counts, unless a checksum was to be verified. Raises `OffsetConflict`,
        `ChecksumMismatch`, `StorageFullError`, `Refusal`, and whatever reading the pieces raises.
        """
        self.check_place()
        async with self._turn(upload.id) as reception:
            upload = await self.run(uploads.get, self.database, upload.id, sending.owner)
            if upload.offset != offset or upload.state == "complete":
                raise OffsetConflict(
                    f"bytes from {offset} sent, {upload.offset} are stored", expected=upload.offset, got=offset
                )
            await reception.run(upload, pieces, sending)
        return await self.settle(upload.id, sending.owner)

    async def receive_whole(self, upload: Upload, pieces: AsyncIterator[bytes], sending: Sending) -> Upload:
        """A single shot: all of it, or nothing is left of it."""
        try:
            async with self._turn(upload.id) as reception:
                if not await reception.run(upload, pieces, sending):
                    raise Refusal("invalid-request", "the body is empty: send the bytes of a file")
            return await self._finish(upload.id, sending.owner)
        except BaseException:
            await asyncio.shield(self.discard(upload.id, sending.owner))
            raise

    async def receive_first(self, upload: Upload, pieces: AsyncIterator[bytes], sending: Sending) -> Upload:
        """What comes with the request that began the upload. Where that fails nothing is left: its sender was never
        told where to go on."""
        try:
            return await self.receive(upload, pieces, sending, offset=0)
        except BaseException:
            await asyncio.shield(self.discard(upload.id, sending.owner))
            raise

    @asynccontextmanager
    async def _turn(self, upload_id: str) -> AsyncIterator["_Reception"]:
        await self.release(upload_id)
        reception = self._active[upload_id] = _Reception(self, self._digests.pop(upload_id, None))
        try:
            yield reception
        finally:
            del self._active[upload_id]
            if reception.digest is not None:
                self._remember(upload_id, reception.digest)
            reception.ended.set()

    def _remember(self, upload_id: str, digest: "tuple[int, _Hash]") -> None:
        self._digests[upload_id] = digest
        if len(self._digests) > _REMEMBERED:
            del self._digests[next(iter(self._digests))]

    async def release(self, upload_id: str) -> None:
        """Whoever is sending this upload is interrupted; afterwards its offset is final."""
        while (active := self._active.get(upload_id)) is not None:
            active.interrupt(OffsetConflict("another request goes on with this upload"))
            await active.ended.wait()

    def interrupt_all(self) -> None:
        """The server stops: what has come is recorded, and can be continued at the next start."""
        self._stopping.set()
        for reception in self._active.values():
            reception.interrupt(Refusal("not-ready", "the server is stopping; go on in a moment"))

    async def settle(self, upload_id: str, owner: str) -> Upload:
        """The upload as it is now; one whose bytes are all here becomes complete, also after a crash in between."""
        upload = await self.run(uploads.get, self.database, upload_id, owner)
        if upload.state == "complete" or (not upload.parts and upload.length != upload.offset):
            return upload
        if upload.parts:  # may take a minute: whoever looks is not kept waiting
            self._finished(upload_id, self._join(upload))
            return upload
        return await self._finish(upload_id, owner)

    async def join(self, final: Upload) -> Upload:
        """A final upload, when it is complete; also one that a crash, or a full disk, left unfinished."""
        if final.state == "complete":
            return final
        return await asyncio.shield(self._finished(final.id, self._join(final)))

    async def _finish(self, upload_id: str, owner: str) -> Upload:
        """Goes on when the one who asked for it has gone."""
        digest = None if upload_id in self._finishing else self._digests.pop(upload_id, None)
        completed = self.run(self._complete, upload_id, owner, digest)
        return await asyncio.shield(self._finished(upload_id, completed))

    def _finished(self, upload_id: str, work: Coroutine[Any, Any, Upload]) -> "asyncio.Task[Upload]":
        """One task for each upload, however many ask; the first one's work is done."""
        if (task := self._finishing.get(upload_id)) is not None:
            work.close()
            return task

        def over(done: "asyncio.Task[Upload]") -> None:
            self._finishing.pop(upload_id, None)
            if not done.cancelled() and (error := done.exception()):
                _log.info("upload not completed: %s", error, extra={"upload_id": upload_id})

        task = self._finishing[upload_id] = asyncio.create_task(work)
        task.add_done_callback(over)
        return task

    async def _join(self, final: Upload) -> Upload:
        async with self._joining:
            return await self.run(self._make_of_parts, final.id, final.owner)

    def _make_of_parts(self, upload_id: str, owner: str) -> Upload:
        final = uploads.get(self.database, upload_id, owner)
        if final.state == "complete":
            return final
        self.check_room(final.length or 0)
        try:
            sha256 = join(self.database, self.storage, final, self._check_going_on)
        except Refusal:
            final = uploads.get(self.database, upload_id, owner)
            if final.state == "complete":  # by another server, whose reaper has taken the parts' bytes meanwhile
                return final
            raise
        return uploads.complete(self.database, upload_id, owner, sha256=sha256, limits=self.settings)

    def _check_going_on(self) -> None:
        if self._stopping.is_set():
            raise Refusal("not-ready", "the server is stopping; ask again in a moment")

    def _complete(self, upload_id: str, owner: str, digest: "tuple[int, _Hash] | None") -> Upload:
        upload = uploads.get(self.database, upload_id, owner)
        if upload.state == "complete":
            return upload
        staged = self.folder / upload_id
        try:
            with alone(staged):
                known = digest is not None and digest[0] == upload.offset == staged.stat().st_size
                sha256 = digest[1].hexdigest() if digest and known else sha256_of(staged, upload.offset)
                self.storage.put(upload.key, staged, take=True)
        except FileNotFoundError:  # put away just before a crash
            self.check_place()
            sha256 = self._stored_sha256(upload)
        return uploads.complete(self.database, upload_id, owner, sha256=sha256, limits=self.settings)

    def _stored_sha256(self, upload: Upload) -> str:
        try:
            digest = hashlib.sha256()
            for piece in self.storage.open_range(upload.key, 0, upload.offset):
                digest.update(piece)
        except NotFound:
            raise Refusal("upload-gone", "the upload's bytes are not on this server: begin a new one") from None
        return digest.hexdigest()

    async def discard(self, upload_id: str, owner: str) -> None:
        """Whatever state it is in, also while it is being sent. Raises `UploadInUse`, `NotFound`."""
        await self.run(uploads.get, self.database, upload_id, owner)
        await self.release(upload_id)
        if upload_id in self._finishing:  # else its file would appear after its row is gone
            await asyncio.wait({self._finishing[upload_id]})
        await self.run(uploads.discard, self.database, upload_id, owner)
        self._digests.pop(upload_id, None)
        await self.run(self._unlink, upload_id)

    def _unlink(self, upload_id: str) -> None:
        (self.folder / upload_id).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Removes files of uploads that are complete, gone or expired, and single shots whose process died."""
        for path in self.folder.iterdir():
            try:
                if self._is_forsaken(path):
                    path.unlink()
            except FileNotFoundError:  # moved or removed meanwhile
                continue
            except ServiceError as error:
                _log.warning("not swept: %s", error.detail)

    def _is_forsaken(self, path: Path) -> bool:
        if path.name in self._active or time.time() - path.stat().st_mtime < _SWEPT_AFTER_S or not is_idle(path):
            return False
        try:
            upload = uploads.get(self.database, path.name, None)
        except NotFound:
            return True
        if upload.state == "receiving" and upload.metadata == SINGLE_SHOT:
            uploads.discard(self.database, upload.id, None)
            return True
        # Of a complete upload it would be what another process is putting away.
        return False


class _Reception:
    """One request's bytes on their way into one upload's file.

    digest: position and sum, where the next request may go on with it.
    """

    def __init__(self, intake: Intake, digest: "tuple[int, _Hash] | None") -> None:
        self._intake, self.digest = intake, digest
        self.ended = asyncio.Event()
        self._over = asyncio.Event()
        self._reason: Exception | None = None
        self._deadline: asyncio.Timeout | None = None

    def interrupt(self, reason: Exception) -> None:
        """What has come is kept; the sender, if there is one, is told the reason."""
        self._reason = self._reason or reason
        self._set_deadline(0.0)

    def _set_deadline(self, in_s: float) -> None:
        if self._deadline is not None and not self._over.is_set() and not self._deadline.expired():
            self._deadline.reschedule(asyncio.get_running_loop().time() + in_s)

    async def run(self, upload: Upload, pieces: AsyncIterator[bytes], sending: Sending) -> int:
        """Until the pieces end, or something ends them; how many bytes there were."""
        self._upload, self._sending = upload, sending
        self._kept = upload.offset
        position, digest = self.digest or (0, None)
        self.digest = None
        known = digest if position == upload.offset else None
        self._file = await self._intake.run(StagedFile, self._path, upload.offset, known)
        self._checked = hashlib.new(sending.checksum[0]) if sending.checksum else None
        self._before = self._file.digest.copy() if self._checked and self._file.digest else None
        keeper = asyncio.create_task(self._keep())
        try:
            await self._take_all(pieces)
            self._verify()
        except BaseException:
            if sending.counts_at_once:
                await asyncio.shield(self._end(keeper))
            raise
        else:
            await asyncio.shield(self._end(keeper))
        finally:
            self._over.set()
            await asyncio.shield(self._close(keeper))
        return self._arrived - upload.offset

    @property
    def _path(self) -> Path:
        return self._intake.folder / self._upload.id

    async def _take_all(self, pieces: AsyncIterator[bytes]) -> None:
        loop = asyncio.get_running_loop()
        waiting, writing = bytearray(), None
        self._arrived = self._upload.offset
        try:
            async with asyncio.timeout(0 if self._reason else _IDLE_S) as self._deadline:
                async for piece in pieces:
                    if self._reason is not None:
                        raise self._reason
                    self._set_deadline(_IDLE_S)
                    self._count(len(piece))
                    waiting += piece
                    if len(waiting) >= _PIECE_BYTES:
                        # While one is written the next one comes.
                        if writing is not None:
                            await writing
                        writing, waiting = loop.run_in_executor(self._intake.threads, self._write, waiting), bytearray()
        except TimeoutError:
            raise self._reason or Refusal("request-timeout", f"nothing arrived for {_IDLE_S:.0f} s") from None
        finally:
            self._over.set()
            if writing is not None:
                await asyncio.shield(writing)
            if waiting:
                await asyncio.shield(loop.run_in_executor(self._intake.threads, self._write, waiting))

    def _count(self, more: int) -> None:
        self._arrived += more
        length, limit = self._upload.length, self._sending.limits.max_upload_bytes
        if length is not None and self._arrived > length:
            raise Refusal("invalid-request", f"more bytes came than the {length} that were announced", length=length)
        if self._arrived > limit:
            raise Refusal("upload-too-large", f"one upload may have {limit} bytes", limit=limit, asked=self._arrived)

    def _write(self, content: bytearray) -> None:
        self._file.write(content)
        if self._checked is not None:
            self._checked.update(content)
        self._intake.received(len(content))

    def _verify(self) -> None:
        if self._checked is None or self._sending.checksum is None:
            return
        algorithm, expected = self._sending.checksum
        if self._checked.digest() != expected:
            raise ChecksumMismatch(
                f"the {algorithm} of what arrived is {self._checked.hexdigest()}, announced was {expected.hex()}",
                expected=expected.hex(),
                got=self._checked.hexdigest(),
            )

    async def _keep(self) -> None:
        """While pieces come."""
        while not self._over.is_set():
            try:
                async with asyncio.timeout(_KEEP_S):
                    await self._over.wait()
            except TimeoutError:
                await self._keep_once()

    async def _keep_once(self) -> None:
        try:
            await self._sending.admit()
            self._intake.check_room(0)
            if self._sending.counts_at_once:
                await self._intake.run(self._advance)
        except DatabaseUnavailable as error:
            _log.warning("upload not recorded for now: %s", error.detail)
        except ServiceError as error:
            self.interrupt(error)

    def _advance(self) -> None:
        """What is written becomes what is stored, once it is safe."""
        new = self._file.position
        if new > self._kept:
            self._file.sync()
            uploads.advance(
                self._intake.database,
                self._upload.id,
                self._sending.owner,
                old=self._kept,
                new=new,
                limits=self._sending.limits,
            )
            self._kept = new

    async def _end(self, keeper: "asyncio.Task[None]") -> None:
        self._over.set()
        await keeper
        await self._intake.run(self._advance)

    async def _close(self, keeper: "asyncio.Task[None]") -> None:
        await keeper
        digest = self._file.digest if self._file.position == self._kept else self._before
        if digest is not None:
            self.digest = self._kept, digest
        await self._intake.run(self._file.close)
