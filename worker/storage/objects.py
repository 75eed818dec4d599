"""Files as objects of an S3-compatible store."""

import os
import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from worker.errors import InvalidKey, InvalidSettings, NotFound, ServiceError, StorageFullError, StorageUnavailable
from worker.storage.checks import check_key, check_range
from worker.storage.files import Source, land, open_plain

if TYPE_CHECKING:
    from obstore import Attributes
    from obstore.store import ClientConfig, RetryConfig, S3Config

# One request for each window: a slow reader keeps no connection open, a broken one costs a window.
_WINDOW_BYTES = 4 * 2**20
_PART_BYTES = 8 * 2**20
# S3 takes 10 000 parts; files of known size get larger ones where these would be too many.
_MOST_PARTS = 9_000
_PARTS_AT_ONCE = 4
_RETRIES = 6
_RETRY_FOR = timedelta(seconds=30)
_FOR_THE_CLIENT = frozenset({"allow_http", "allow_invalid_certificates", "proxy_url", "root_certificate"})

_STATUS = re.compile(r"status code: (\d{3}[ \w]*)")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_FULL = re.compile(r"\b507\b|StorageFull|QuotaExceeded")


class ObjectStorage:
    """Keeps files in a bucket, or below a prefix of it. The store shows an object whole or not at all.

    A put that fails is aborted. One whose process is killed leaves parts that no listing shows and only a lifecycle
    rule of the bucket (AbortIncompleteMultipartUpload) removes.
    """

    def __init__(self, url: str, options: Mapping[str, str] | None = None) -> None:
        """`s3://BUCKET/PREFIX`; options by obstore's names: endpoint, region, access_key_id, secret_access_key, ...

        What is not given comes from the environment variables AWS defines. Nothing is connected to yet.
        """
        self._store = _open(url, dict(options or {}))

    def put(self, key: str, source: Source, *, take: bool = False, media_type: str | None = None) -> None:
        """Stores the source's bytes; with `take` the file `source` is gone after. media_type: as others see it."""
        check_key(key)
        with _translated(key, "stored"):
            self._send(key, source, {"Content-Type": media_type} if media_type else None)
        if take and isinstance(source, Path):
            source.unlink()

    def get(self, key: str, path: Path, *, link: bool = False) -> None:
        """Writes the object to `path`. `link` changes nothing: there is no file to link to."""
        land(path, self.open_range(key))

    def open_range(self, key: str, start: int = 0, end: int | None = None) -> Generator[bytes, None, None]:
        """Reads bytes `start` to `end` (exclusive; None: to the last) in pieces. This call raises what is wrong."""
        chunks = self._range(key, start, end)
        next(chunks)
        return chunks

    def read_now(self, key: str, start: int, end: int) -> None:
        """Returns None: objects are far away."""

    def delete_prefix(self, prefix: str) -> None:
        """Deletes the key `prefix` and all below `prefix/`. Nothing there: no error."""
        check_key(prefix)
        with _translated(prefix, "deleted"):
            for found in obstore.list(self._store, prefix, chunk_size=1000):
                obstore.delete(self._store, [each["path"] for each in found])
            obstore.delete(self._store, prefix)

    def _send(self, key: str, source: Source, about: "Attributes | None") -> None:
        if isinstance(source, Path):
            with open_plain(source) as handle, open(handle, "rb", closefd=False) as file:
                size = os.fstat(handle).st_size
                part = max(_PART_BYTES, -(-size // _MOST_PARTS))
                obstore.put(self._store, key, file, attributes=about, chunk_size=part, max_concurrency=_PARTS_AT_ONCE)
        else:
            whole = source if isinstance(source, bytes) else iter(source)
            obstore.put(
                self._store, key, whole, attributes=about, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE
            )

    def _look_up(self, key: str) -> tuple[int, str | None]:
        check_key(key)
        with _translated(key, "read"):
            try:
                found = obstore.head(self._store, key)
            except FileNotFoundError:
                # An answer to HEAD has no words: whether the bucket is missing, only another question tells.
                next(obstore.list(self._store, key, chunk_size=1), None)
                raise
        return found["size"], found["e_tag"]

    def _range(self, key: str, start: int, end: int | None) -> Generator[bytes, None, None]:
        chunk, size, e_tag = self._first(key, start, end)
        at, stop = check_range(key, start, end, size)
        yield b""  # `open_range` takes this one, so that the object is found and judged when it returns
        while at < stop:
            if not chunk:
                chunk = self._window(key, at, stop, e_tag)
            at += len(chunk)
            yield chunk
            chunk = b""

    def _first(self, key: str, start: int, end: int | None) -> tuple[bytes, int, str | None]:
        """The first window, the object's size and its mark, of one moment. No bytes where the range has none."""
        check_key(key)
        stop = start + _WINDOW_BYTES if end is None else min(end, start + _WINDOW_BYTES)
        if 0 <= start < stop:
            with _translated(key, "read"):
                try:
                    got = obstore.get(self._store, key, options={"range": (start, stop)})
                    return got.bytes().to_bytes(), got.meta["size"], got.meta["e_tag"]
                except BaseError as error:
                    if not _answer(error).startswith("416"):  # beyond the end: the size will tell
                        raise
        return b"", *self._look_up(key)

    def _window(self, key: str, at: int, stop: int, e_tag: str | None) -> bytes:
        window = (at, min(at + _WINDOW_BYTES, stop))
        with _translated(key, "read"):
            # if_match: never the beginning of one object and the end of the next
            got = obstore.get(self._store, key, options={"range": window, "if_match": e_tag})
            chunk = got.bytes().to_bytes()
        if len(chunk) != window[1] - window[0]:
            raise StorageUnavailable(f"{key} cannot be read: {len(chunk)} bytes came for {window}", key=key)
        return chunk


def _open(url: str, options: dict[str, str]) -> S3Store:
    bucket, prefix = _parse(url)
    client: ClientConfig = {"connect_timeout": "10s", "timeout": "120s"}
    if options.get("endpoint", "").startswith("http://"):
        client["allow_http"] = True
    client |= {name: value for name, value in options.items() if name in _FOR_THE_CLIENT}  # type: ignore[typeddict-item]
    config: S3Config = {name: value for name, value in options.items() if name not in _FOR_THE_CLIENT}  # type: ignore[assignment]
    retries: RetryConfig = {"max_retries": _RETRIES, "retry_timeout": _RETRY_FOR}
    try:
        return S3Store(bucket, prefix=prefix, config=config, client_options=client, retry_config=retries)
    except (BaseError, ValueError, TypeError) as error:
        raise InvalidSettings(f"storage_options: {_first_line(error)}") from None


def _parse(url: str) -> tuple[str, str | None]:
    """Bucket and prefix. The URL is not repeated in what is raised: somebody may have put a password into it."""
    parts = urlsplit(url)
    prefix = parts.path.strip("/")
    if parts.scheme != "s3" or not parts.netloc or set("@:") & set(parts.netloc) or parts.query or parts.fragment:
        raise InvalidSettings("storage_url is not of the form s3://BUCKET or s3://BUCKET/PREFIX")
    try:
        return parts.netloc, "/".join(check_key(prefix)) if prefix else None
    except InvalidKey as error:
        raise InvalidSettings(f"storage_url, its prefix: {error.detail}") from None


@contextmanager
def _translated(key: str, done: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        if error.errno is not None:  # from the source, not from the store
            raise
        raise _problem(key, done, error) from error
    except BaseError as error:
        raise _problem(key, done, error) from error


def _problem(key: str, done: str, error: Exception) -> ServiceError:
    answer = _answer(error)
    if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in answer:
        return NotFound(f"no file {key} is stored", key=key)
    if _FULL.search(answer):
        return StorageFullError(f"no space for {key}: the object store is full ({answer})", key=key)
    return StorageUnavailable(f"{key} cannot be {done}: the object store said {answer or 'nothing'}", key=key)


def _answer(error: Exception) -> str:
    """`404 Not Found NoSuchBucket`; empty where nothing answered."""
    text = str(error)
    return " ".join(found[1].strip() for found in (_STATUS.search(text), _CODE.search(text)) if found)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
