"""One file to the server by tus 1.0: in chunks with checksums, continued where a broken line left it."""

import base64
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from api.client.calls import Calls, Patience, Trouble
from api.client.errors import DamagedTransfer, InvalidPayload, NotAServer, Refused
from api.client.packing import OnBytes, Payload

_TUS = {"Tus-Resumable": "1.0.0"}
_FIRST_CHUNK, _SMALLEST_CHUNK, _LARGEST_CHUNK = 8 << 20, 256 << 10, 16 << 20
_PIECE = 128 << 10
_GONE, _CONFLICT, _TOO_LARGE, _LOCKED, _WRONG_SUM = (404, 410), 409, 413, 423, 460
# In a row: more of them is no accident of the line.
_DAMAGES = 5
_REMEMBERED_S = 7 * 24 * 3600.0


@dataclass(frozen=True)
class Upload:
    """A complete upload on the server, ready for jobs."""

    id: str
    name: str
    size: int
    sha256: str

    @property
    def href(self) -> str:
        """What a job's inputs say."""
        return f"/uploads/{self.id}"


class Bookmarks:
    """Which upload on which server holds which bytes, in a file: the next process continues it, or has nothing to do.

    It is a convenience: where the file cannot be read or written, everything is sent again.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def find(self, url: str, payload: Payload) -> str | None:
        """The id of an upload that was begun for these bytes."""
        entry = self._read().get(_fingerprint(url, payload))
        return str(entry["id"]) if entry else None

    def add(self, url: str, payload: Payload, upload_id: str) -> None:
        """Remembers for a week; servers forget sooner."""
        entries = self._read() | {_fingerprint(url, payload): {"id": upload_id, "at": time.time()}}
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            new = self._file.with_name(f".{self._file.name}.{os.getpid()}")
            new.write_text(json.dumps(entries))
            os.replace(new, self._file)

    def _read(self) -> dict[str, Any]:
        try:
            entries = json.loads(self._file.read_text())
            return {name: entry for name, entry in entries.items() if time.time() - entry["at"] < _REMEMBERED_S}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}


def upload(calls: Calls, payload: Payload, *, bookmarks: Bookmarks | None, on_bytes: OnBytes) -> Upload:
    """Sends what the server has not got yet. Raises `Refused`, `ServerUnavailable`, `DamagedTransfer`."""
    sender = _Sender(calls, payload, bookmarks, on_bytes)
    for _ in range(2):
        try:
            return sender.send()
        except Refused as refused:
            if refused.status not in _GONE:
                raise
            gone = refused  # expired, or removed, between two chunks: once more from the start
    raise gone


class _Sender:
    def __init__(self, calls: Calls, payload: Payload, bookmarks: Bookmarks | None, on_bytes: OnBytes) -> None:
        self._calls, self._payload, self._bookmarks, self._on_bytes = calls, payload, bookmarks, on_bytes
        self._chunk, self._largest = _FIRST_CHUNK, _LARGEST_CHUNK
        self._damages = 0

    def send(self) -> Upload:
        upload_id, offset = self._begun() or (self._create(), 0)
        patience = Patience(self._calls)
        path, size = f"/uploads/{upload_id}", self._payload.size
        with self._payload.file.open("rb") as file:
            while offset < size:
                self._on_bytes(offset, size)
                length = min(self._chunk, size - offset)
                try:
                    after = self._patch(path, offset, _read(file, offset, length))
                    self._chunk = min(2 * self._chunk, self._largest)
                except Trouble as trouble:
                    patience.wait(trouble)
                    after = self._offset(path)
                    self._chunk = max(length // 2, _SMALLEST_CHUNK)
                if after > offset:
                    patience.renew()
                offset = after
        self._on_bytes(size, size)
        return self._checked(upload_id)

    def _begun(self) -> tuple[str, int] | None:
        """What an earlier process has sent of these bytes."""
        upload_id = self._bookmarks.find(self._calls.url, self._payload) if self._bookmarks else None
        if upload_id is None:
            return None
        try:
            return upload_id, self._offset(f"/uploads/{upload_id}")
        except Refused:
            return None

    def _create(self) -> str:
        name = base64.b64encode(self._payload.name.encode()).decode()
        answer = self._calls.call(
            "POST",
            "/uploads",
            headers={**_TUS, "Upload-Length": str(self._payload.size), "Upload-Metadata": f"filename {name}"},
        )
        upload_id = str(answer.headers.get("location", "")).rstrip("/").rpartition("/")[2]
        if not upload_id:
            raise NotAServer(f"{self._calls.url}: began an upload without saying where")
        if self._bookmarks:
            self._bookmarks.add(self._calls.url, self._payload, upload_id)
        return upload_id

    def _patch(self, path: str, offset: int, chunk: bytes) -> int:
        """The offset after it. Raises `Trouble` for everything that asking for the offset and going on may mend."""
        headers = {
            **_TUS,
            "Upload-Offset": str(offset),
            "Upload-Checksum": f"sha256 {base64.b64encode(hashlib.sha256(chunk).digest()).decode()}",
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(len(chunk)),
        }
        try:
            after = _offset_in(self._calls.once("PATCH", path, headers=headers, content=_pieces(chunk)))
        except Refused as refused:
            self._judge(refused, len(chunk))
            raise Trouble(str(refused), refused=refused) from refused
        self._damages = 0
        return after

    def _judge(self, refused: Refused, length: int) -> None:
        """Raises what sending again will not mend."""
        if refused.status == _TOO_LARGE and not refused.problem and length > _SMALLEST_CHUNK:
            # Not the server's own word: a proxy before it passes smaller bodies only.
            self._largest = max(length // 2, _SMALLEST_CHUNK)
        elif refused.status == _WRONG_SUM:
            self._damages += 1
            if self._damages >= _DAMAGES:
                raise DamagedTransfer(f"{self._payload.name}: arrived damaged {self._damages} times in a row")
        elif refused.status not in (_CONFLICT, _LOCKED):
            raise refused

    def _offset(self, path: str) -> int:
        """How much the server has."""
        return _offset_in(self._calls.call("HEAD", path, headers=_TUS))

    def _checked(self, upload_id: str) -> Upload:
        """What the server has stored is what was to be sent."""
        payload = self._payload
        stored = self._calls.json("GET", f"/uploads/{upload_id}")
        if stored.get("sha256") != payload.sha256:
            with suppress(Refused):
                self._calls.call("DELETE", f"/uploads/{upload_id}", headers=_TUS)
            raise DamagedTransfer(f"{payload.name}: the server has other bytes (was the file changed meanwhile?)")
        return Upload(upload_id, payload.name, payload.size, payload.sha256)


def _read(file: Any, offset: int, length: int) -> bytes:
    file.seek(offset)
    chunk: bytes = file.read(length)
    if len(chunk) < length:
        raise InvalidPayload(f"{file.name}: became shorter while it was sent")
    return chunk


def _pieces(chunk: bytes) -> Iterator[bytes]:
    """Small, because what a socket has not taken at once is copied before the next try."""
    view = memoryview(chunk)
    return (bytes(view[start : start + _PIECE]) for start in range(0, len(chunk), _PIECE))


def _offset_in(answer: httpx.Response) -> int:
    try:
        return int(answer.headers["upload-offset"])
    except (KeyError, ValueError):
        raise NotAServer(f"{answer.request.url}: says no Upload-Offset; is it a decloud server?") from None


def _fingerprint(url: str, payload: Payload) -> str:
    return hashlib.sha256(f"{url} {payload.name} {payload.size} {payload.sha256}".encode()).hexdigest()
