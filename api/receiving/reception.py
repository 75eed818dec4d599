"""One request's bytes on their way into one upload's file: on disk as they come, counted when they are safe."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.errors import Refusal
from api.receiving.incoming import IncomingFolder
from api.receiving.staging import StagedFile
from api.receiving.threads import ReceivingThreads
from worker.database.connections import Database
from worker.errors import ChecksumMismatch, DatabaseUnavailable, ServiceError
from worker.jobs import uploads
from worker.jobs.uploads import Upload
from worker.settings import Settings

if TYPE_CHECKING:
    from hashlib import _Hash

_log = logging.getLogger(__name__)

# One write; two of them are in memory for each upload.
_PIECE_BYTES = 1 << 20
# How often what has come is made safe, the free space looked at, and the sender's key asked for again.
_KEEP_S = 1.0
_IDLE_S = 60.0


@dataclass(frozen=True)
class Sending:
    """The sender, the limits that hold for them, and how to ask whether they still may. checksum: algorithm and sum.

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


@dataclass(frozen=True)
class Sink:
    """Takes bytes: into a file of `incoming`, written in `threads`, counted in `database`. received: called with each
    piece's size."""

    database: Database
    incoming: IncomingFolder
    threads: ReceivingThreads
    received: Callable[[float], object]


class _Arrivals:
    """Counts what arrives of one upload, and verifies it where a checksum was sent."""

    def __init__(self, upload: Upload, sending: Sending) -> None:
        self._length, self._limit = upload.length, sending.limits.max_upload_bytes
        self._checksum = sending.checksum
        self._digest = hashlib.new(sending.checksum[0]) if sending.checksum else None
        self.position = upload.offset

    def count(self, more: int) -> None:
        """Raises `Refusal` where they are more than were announced, or than an upload may have."""
        self.position += more
        if self._length is not None and self.position > self._length:
            detail = f"more bytes came than the {self._length} that were announced"
            raise Refusal("invalid-request", detail, length=self._length)
        if self.position > self._limit:
            detail = f"one upload may have {self._limit} bytes"
            raise Refusal("upload-too-large", detail, limit=self._limit, asked=self.position)

    def update(self, content: bytearray) -> None:
        """Adds to the sum what was written."""
        if self._digest is not None:
            self._digest.update(content)

    def verify(self) -> None:
        """Raises `ChecksumMismatch`."""
        if self._digest is None or self._checksum is None:
            return
        algorithm, expected = self._checksum
        if self._digest.digest() != expected:
            raise ChecksumMismatch(
                f"the {algorithm} of what arrived is {self._digest.hexdigest()}, announced was {expected.hex()}",
                expected=expected.hex(),
                got=self._digest.hexdigest(),
            )


class Reception:
    """Receives one request's bytes. digest: position and sum, where the next request may go on with it."""

    def __init__(self, sink: Sink, digest: "tuple[int, _Hash] | None") -> None:
        self._sink, self.digest = sink, digest
        self.ended = asyncio.Event()
        self._over = asyncio.Event()
        self._reason: Exception | None = None
        self._deadline: asyncio.Timeout | None = None

    def interrupt(self, reason: Exception) -> None:
        """Ends it: what has come is kept; the sender, if there is one, is answered with the reason."""
        self._reason = self._reason or reason
        self._set_deadline(0.0)

    def _set_deadline(self, in_s: float) -> None:
        if self._deadline is not None and not self._over.is_set() and not self._deadline.expired():
            self._deadline.reschedule(asyncio.get_running_loop().time() + in_s)

    async def run(self, upload: Upload, pieces: AsyncIterator[bytes], sending: Sending) -> int:
        """Takes the pieces until they end, or something ends them; the number of their bytes."""
        self._upload, self._sending = upload, sending
        self._kept = upload.offset
        position, digest = self.digest or (0, None)
        self.digest = None
        known = digest if position == upload.offset else None
        file = self._sink.incoming.file_of(upload.id)
        self._file = await self._sink.threads.run(StagedFile, file, upload.offset, known)
        self._arrivals = _Arrivals(upload, sending)
        self._before = self._file.digest.copy() if sending.checksum and self._file.digest else None
        keeper = asyncio.create_task(self._keep())
        try:
            await self._take_all(pieces)
            self._arrivals.verify()
        except BaseException:
            if sending.counts_at_once:
                await asyncio.shield(self._end(keeper))
            raise
        else:
            await asyncio.shield(self._end(keeper))
        finally:
            self._over.set()
            await asyncio.shield(self._close(keeper))
        return self._arrivals.position - upload.offset

    async def _take_all(self, pieces: AsyncIterator[bytes]) -> None:
        loop, threads = asyncio.get_running_loop(), self._sink.threads
        waiting, writing = bytearray(), None
        try:
            async with asyncio.timeout(0 if self._reason else _IDLE_S) as self._deadline:
                async for piece in pieces:
                    if self._reason is not None:
                        raise self._reason
                    self._set_deadline(_IDLE_S)
                    self._arrivals.count(len(piece))
                    waiting += piece
                    if len(waiting) >= _PIECE_BYTES:
                        # While one is written the next one comes.
                        if writing is not None:
                            await writing
                        writing, waiting = loop.run_in_executor(threads, self._write, waiting), bytearray()
        except TimeoutError:
            raise self._reason or Refusal("request-timeout", f"nothing arrived for {_IDLE_S:.0f} s") from None
        finally:
            self._over.set()
            if writing is not None:
                await asyncio.shield(writing)
            if waiting:
                await asyncio.shield(loop.run_in_executor(threads, self._write, waiting))

    def _write(self, content: bytearray) -> None:
        self._file.write(content)
        self._arrivals.update(content)
        self._sink.received(len(content))

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
            self._sink.incoming.check_room(0)
            if self._sending.counts_at_once:
                await self._sink.threads.run(self._advance)
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
                self._sink.database,
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
        await self._sink.threads.run(self._advance)

    async def _close(self, keeper: "asyncio.Task[None]") -> None:
        await keeper
        digest = self._file.digest if self._file.position == self._kept else self._before
        if digest is not None:
            self.digest = self._kept, digest
        await self._sink.threads.run(self._file.close)
