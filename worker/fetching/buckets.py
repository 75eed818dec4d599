"""An object of an S3-compatible store, by `s3://BUCKET/KEY`: with the operator's credentials, or as everybody reads it.

The store is the operator's choice (its endpoint), and so is the bucket; of the user's address only the key is used.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, PreconditionError, UnauthenticatedError
from obstore.store import S3Store

from seq2seq.fetching.answers import FileFacts
from seq2seq.fetching.failures import ChangedError, FetchError, StatusError
from seq2seq.fetching.spans import Span
from seq2seq.fetching.transport import Sink

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

# One request for each: a broken one costs no more, and between two it is looked whether to stop.
_WINDOW_BYTES = 4 * 2**20
_FOR_THE_CLIENT = frozenset({"allow_http", "allow_invalid_certificates", "proxy_url", "root_certificate"})
_ATTEMPTS, _PAUSE_S = 4, 1.0
_STATUS = re.compile(r"status code: (\d{3})( [\w ]+)?|\b(\d{3}) (Forbidden|Not Found)")


@dataclass(frozen=True)
class BucketFile:
    """One object. check_stop: raises where the fetch was stopped."""

    store: S3Store
    key: str
    check_stop: Callable[[], None]

    @classmethod
    def at(cls, href: str, options: Mapping[str, str], check_stop: Callable[[], None]) -> "BucketFile":
        """Opens the store that `options` describe, as `Settings.input_storage_options`. Raises `FetchError`."""
        parts = urlsplit(href)
        return cls(_opened(parts.netloc, dict(options)), parts.path.removeprefix("/"), check_stop)

    @property
    def name(self) -> str:
        """The end of the key."""
        return self.key.rpartition("/")[2][:200]

    def read(self, span: Span, sink: Sink, expected: FileFacts | None) -> FileFacts:
        """Gives the bytes of `span`, as far as there are so many."""
        facts: FileFacts = self._asked(self._facts)
        if expected is not None and facts != expected:
            raise ChangedError("changed while it was read")
        at, end = span.start, min(span.end, facts.size)
        while at < end:
            window = Span(at, min(at + _WINDOW_BYTES, end))
            content = self._asked(lambda window=window: self._window(window, facts))  # type: ignore[misc]
            sink(at, content)
            at += len(content)
        return facts

    def _facts(self) -> FileFacts:
        found = obstore.head(self.store, self.key)
        return FileFacts(int(found["size"]), str(found["e_tag"] or ""))

    def _window(self, window: Span, facts: FileFacts) -> bytes:
        options: Any = {"range": (window.start, window.end), **({"if_match": facts.etag} if facts.etag else {})}
        content = obstore.get(self.store, self.key, options=options).bytes().to_bytes()
        if len(content) != window.end - window.start:
            raise BaseError(f"{len(content)} bytes came for {window.end - window.start}")
        return content

    def _asked(self, ask: Callable[[], Any]) -> Any:
        """The answer, after a few attempts where another one may help."""
        for attempt in range(1, _ATTEMPTS + 1):
            self.check_stop()
            try:
                return ask()
            except PreconditionError as error:
                raise ChangedError("changed while it was read") from error
            except (FileNotFoundError, NotFoundError) as error:
                raise StatusError("404 Not Found", 404) from error
            except (BaseError, PermissionError) as error:
                status = _status(error)
                if 400 <= status < 500 and status not in (408, 429):
                    raise StatusError(_words(error), status) from error
                if attempt == _ATTEMPTS:
                    raise FetchError(f"the object store said {_words(error)}, {attempt} times in a row") from error
                self._pause(_PAUSE_S * attempt)
        raise AssertionError("unreachable")

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.check_stop()
            time.sleep(0.1)


def _opened(bucket: str, options: dict[str, str]) -> S3Store:
    """Without keys nothing is signed, and none are looked for on this machine, unless `skip_signature` says so."""
    if "access_key_id" not in options and "aws_access_key_id" not in options:
        options.setdefault("skip_signature", "true")
    client: ClientConfig = {"connect_timeout": "10s", "timeout": "30s"}
    if options.get("endpoint", "").startswith("http://"):
        client["allow_http"] = True
    client |= {name: value for name, value in options.items() if name in _FOR_THE_CLIENT}  # type: ignore[typeddict-item]
    config: S3Config = {name: value for name, value in options.items() if name not in _FOR_THE_CLIENT}  # type: ignore[assignment]
    retries: RetryConfig = {"max_retries": 2, "retry_timeout": timedelta(seconds=10)}
    try:
        return S3Store(bucket, config=config, client_options=client, retry_config=retries)
    except (BaseError, ValueError, TypeError) as error:
        raise FetchError(f"the operator's DECLOUD_INPUT_STORAGE_OPTIONS do not fit: {_first_line(error)}") from None


def _status(error: Exception) -> int:
    found = _STATUS.search(str(error))
    if found is not None:
        return int(found[1] or found[3])
    return 403 if isinstance(error, PermissionError | PermissionDeniedError | UnauthenticatedError) else 0


def _words(error: Exception) -> str:
    found = _STATUS.search(str(error))
    return found[0].removeprefix("status code: ").strip() if found else _first_line(error)[:160]


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
