"""One file by its address, whole: continued where an earlier transfer, or an earlier attempt, has ended."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import unquote, urlsplit

from seq2seq.fetching.addresses import shown
from seq2seq.fetching.answers import FileFacts
from seq2seq.fetching.failures import ChangedError, FetchError, RefusedAddressError, StatusError
from seq2seq.fetching.metering import Meter
from seq2seq.fetching.signing import SignedAddress, Signer, Unsigned
from seq2seq.fetching.spans import Span
from seq2seq.fetching.transport import Sink, Transport
from worker.fetching.budget import Budget, InputTooLargeError, Pace
from worker.running.job_folder import UNFINISHED

# The first answer states how large the file is; only then the rest is asked for.
_FIRST_BYTES = 64 * 1024
_FACTS = ".facts.json"
_GONE_BEYOND = 416
_SIGNED = frozenset({400, 401, 403})

# Told how many bytes of how many are there; of 0 while that is not known.
OnBytes = Callable[[int, int], None]


class Source(Protocol):
    """A file somewhere else. Both raise `FetchError`."""

    @property
    def name(self) -> str:
        """Its name, without folders."""

    def read(self, span: Span, sink: Sink, expected: FileFacts | None) -> FileFacts:
        """Gives the bytes of `span` to `sink`, or those of the whole file, and returns what the file is."""


@dataclass(frozen=True)
class WebFile:
    """A file at an https address."""

    href: str
    transport: Transport
    signer: Signer = field(default_factory=Unsigned)

    @property
    def name(self) -> str:
        """The end of the address."""
        return unquote(urlsplit(self.href).path).rstrip("/").rpartition("/")[2][:200] or "input"

    def read(self, span: Span, sink: Sink, expected: FileFacts | None) -> FileFacts:
        """Gives bytes, as often as the transport tries again."""
        return self.transport.read(SignedAddress(self.href, self.signer), span, sink, Meter(), expected)


@contextlib.contextmanager
def naming(href: str) -> Iterator[None]:
    """Errors inside say which address they are about; of signatures, that they may have expired."""
    what = shown(href)
    try:
        yield
    except RefusedAddressError as error:
        text = str(error)
        raise RefusedAddressError(text if text.startswith(what) else f"{what}: {text}") from error
    except StatusError as error:
        signed = error.status in _SIGNED and "?" in href
        hint = "; its address is signed, and the signature may have expired: give a fresh one" if signed else ""
        raise StatusError(f"{what}: {error}{hint}", error.status) from error
    except FetchError as error:
        raise FetchError(f"{what}: {error}") from error
    except InputTooLargeError as error:
        raise InputTooLargeError(f"{what}: {error}") from error


def fetch_file(source: Source, path: Path, *, budget: Budget, pace: Pace, on_bytes: OnBytes) -> FileFacts:
    """Fetches a file to `path`, where it appears complete, and at once if it was.

    Beside it lies what has come so far, and which file that is of. Raises `FetchError`, `InputTooLargeError`, `Stopped`
    and OSError.
    """
    partial = _Partial.at(path)
    if path.exists():
        size = path.stat().st_size
        budget.take(size)
        return partial.facts or FileFacts(size, "")
    pace.start()
    try:
        facts = partial.fetch(source, budget, pace, on_bytes)
    except (ChangedError, StatusError) as error:
        if not partial.size or (isinstance(error, StatusError) and error.status != _GONE_BEYOND):
            raise
        partial.forget()  # of a file that has been replaced since
        facts = partial.fetch(source, budget, pace, on_bytes)
    budget.take(facts.size)
    partial.publish(path)
    return facts


class _Partial:
    """What has come of one file, from its beginning on."""

    def __init__(self, part: Path, facts_file: Path) -> None:
        self._part, self._facts_file = part, facts_file
        self.facts = self._saved()

    @classmethod
    def at(cls, path: Path) -> "_Partial":
        return cls(path.with_name(path.name + UNFINISHED), path.with_name(path.name + _FACTS))

    @property
    def size(self) -> int:
        """Bytes that are there, of a file that is known."""
        return self._part.stat().st_size if self.facts and self._part.exists() else 0

    def fetch(self, source: Source, budget: Budget, pace: Pace, on_bytes: OnBytes) -> FileFacts:
        """Fetches what is lacking."""
        self._part.parent.mkdir(parents=True, exist_ok=True)
        if self.facts is not None and self.size == self.facts.size:
            return self.facts
        with open(self._part, "r+b" if self.size else "wb", buffering=0) as file:
            transfer = _Transfer(file, self.size, budget, pace, on_bytes)
            if self.facts is None:
                self._begin(source.read(Span(0, _FIRST_BYTES), transfer.take, None))
            facts = self.facts
            assert facts is not None
            budget.check(facts.size, lacking=facts.size - transfer.at)
            transfer.of = facts.size
            if transfer.at < facts.size:
                source.read(Span(transfer.at, facts.size), transfer.take, facts)
            file.truncate(facts.size)
        return facts

    def _begin(self, facts: FileFacts) -> None:
        new = self._facts_file.with_suffix(".new")
        new.write_text(json.dumps(asdict(facts)))
        new.replace(self._facts_file)
        self.facts = facts

    def forget(self) -> None:
        """Begins anew."""
        self._facts_file.unlink(missing_ok=True)
        self._part.unlink(missing_ok=True)
        self.facts = None

    def publish(self, path: Path) -> None:
        """The file is complete."""
        self._part.replace(path)
        self._facts_file.unlink(missing_ok=True)

    def _saved(self) -> FileFacts | None:
        try:
            found = json.loads(self._facts_file.read_text())
            return FileFacts(int(found["size"]), str(found["etag"]))
        except (OSError, ValueError, LookupError, TypeError):
            return None


class _Transfer:
    """Bytes on their way into a file. at: how many are there. of: how many there will be, 0 where that is not known."""

    def __init__(self, file: IO[bytes], at: int, budget: Budget, pace: Pace, on_bytes: OnBytes) -> None:
        self._file, self._budget, self._pace, self._on_bytes = file, budget, pace, on_bytes
        self.at, self.of = at, 0

    def take(self, position: int, content: bytes) -> None:
        """Writes bytes where they belong."""
        end = position + len(content)
        self._budget.arrived(end)
        self._pace.add(len(content))
        self._file.seek(position)
        view = memoryview(content)
        while view:
            view = view[self._file.write(view) :]
        self.at = max(self.at, end)
        if self.of or self.at > _FIRST_BYTES:
            self._on_bytes(self.at, self.of)
