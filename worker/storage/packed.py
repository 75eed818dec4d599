"""Files in a stored ZIP whose entries are not compressed: each is a range of its bytes, found without reading them."""

import io
import zipfile
from dataclasses import dataclass
from typing import Self

from worker.errors import StorageUnavailable
from worker.storage import Storage

_HEAD = 30  # bytes of an entry's own header, before its name
_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class PackedFile:
    """Where a file lies in its pack: `size` bytes from `start`."""

    start: int
    size: int
    crc32: int


class Pack:
    """The table of contents of one pack. bytes_kept: what holding it takes, about."""

    def __init__(self, files: dict[str, PackedFile]) -> None:
        self._files = files

    @classmethod
    def open(cls, storage: Storage, key: str, size: int) -> Self:
        """Reads the contents of the pack stored under `key`. Raises what the storage raises, `StorageUnavailable` for
        what is no pack."""
        try:
            with zipfile.ZipFile(io.BufferedReader(_Stored(storage, key, size), _AT_ONCE)) as archive:
                entries = archive.infolist()
        except zipfile.BadZipFile as error:
            raise StorageUnavailable(f"{key} is damaged: {error}", key=key) from error
        plain = (entry for entry in entries if entry.compress_type == zipfile.ZIP_STORED and not entry.is_dir())
        return cls({entry.filename: _placed(entry) for entry in plain})

    def find(self, path: str) -> PackedFile | None:
        """The file at this path, which is looked up, never opened."""
        return self._files.get(path)

    def __len__(self) -> int:
        return len(self._files)


def _placed(entry: zipfile.ZipInfo) -> PackedFile:
    """Ours have nothing between name and content."""
    start = entry.header_offset + _HEAD + len(entry.orig_filename.encode())
    return PackedFile(start, entry.file_size, entry.CRC)


class _Stored(io.RawIOBase):
    """A stored file as zipfile reads one."""

    def __init__(self, storage: Storage, key: str, size: int) -> None:
        self._storage, self._key, self._size, self._at = storage, key, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("before the beginning")  # as of any file; zipfile goes on
        self._at = base + offset
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        stop = min(self._at + len(buffer), self._size)
        if stop <= self._at:
            return 0
        content = b"".join(self._storage.open_range(self._key, self._at, stop))
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)
