"""What is sent: the files of a result, each for itself or all in one, read from storage as they go."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from seq2seq.products import ARCHIVE, MANIFEST
from worker.errors import ServiceError
from worker.exports.lease import NotNow
from worker.jobs import Artifact, Job
from worker.storage import Storage
from worker.storage.archive import Archive, ArchiveEntry


@dataclass(frozen=True)
class Outgoing:
    """One file. sha256: None for the archive, which is made while it is read; of the same bytes each time."""

    path: str
    size: int
    media_type: str
    sha256: str | None
    open: Callable[[], Iterator[bytes]]

    def pieces(self, beat: Callable[[], None]) -> Iterator[bytes]:
        """Its bytes; ends with `NotNow`, before the last one, where they are not those that the job has made."""
        digest, left = hashlib.sha256(), self.size
        for chunk in self._read():
            beat()
            digest.update(chunk)
            left -= len(chunk)
            if left <= 0 and (left < 0 or self.sha256 not in (None, digest.hexdigest())):
                raise NotNow(f"{self.path} is damaged in our storage")
            yield chunk
        if left:
            raise NotNow(f"{self.path} is cut short in our storage")

    def _read(self) -> Iterator[bytes]:
        try:
            yield from self.open()
        except ServiceError as error:
            raise NotNow(f"{self.path} cannot be read from our storage") from error


def all_files(job: Job, files: Sequence[Artifact], storage: Storage) -> list[Outgoing]:
    """In the order they are sent in: with the manifest, the last, the result is complete."""
    in_order = sorted(files, key=lambda file: (file.path == MANIFEST.path, file.path))
    return [_outgoing(job, file, storage) for file in in_order]


def _outgoing(job: Job, file: Artifact, storage: Storage) -> Outgoing:
    read = partial(storage.open_range, f"{job.result_prefix}/{file.path}")
    return Outgoing(file.path, file.size, file.media_type, file.sha256, read)


def those_named(
    paths: Mapping[str, str], job: Job, files: Sequence[Artifact], storage: Storage
) -> list[tuple[Outgoing, str]]:
    """What the result has of these paths, each with its value, in their order."""
    known = {file.path: _outgoing(job, file, storage) for file in files}
    known[ARCHIVE.path] = _archive(job, files, storage)
    return [(known[path], value) for path, value in paths.items() if path in known]


def _archive(job: Job, files: Sequence[Artifact], storage: Storage) -> Outgoing:
    """As `GET /jobs/ID/results.zip` has it."""
    entries = [ArchiveEntry(file.path, f"{job.result_prefix}/{file.path}", file.size, file.crc32) for file in files]
    archive = Archive(storage, entries, modified=job.finished or job.created)
    return Outgoing(ARCHIVE.path, archive.size, ARCHIVE.media_type, None, archive.open_range)
