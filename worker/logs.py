"""The operator's log: one JSON object a line, with the request, job and attempt it belongs to, and no secret.

The user's log is another thing: events of the job, in prose (`worker.jobs.record`).
"""

import json
import logging
import math
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

_FIELDS = ("request_id", "job_id", "attempt", "worker_id")
_bound: ContextVar[dict[str, Any] | None] = ContextVar("log_fields", default=None)

# What a plain record already has; everything else came in `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_SECRETS = (
    # our keys: dcl_ID_SECRET keeps its id
    (re.compile(r"\b(dcl_[A-Za-z0-9]+_)[A-Za-z0-9_-]+"), r"\1***"),
    (re.compile(r"\b(Bearer|Basic)\s+[^\s\"',]+", re.IGNORECASE), r"\1 ***"),
    # user:password@ in an URL
    (re.compile(r"(\w+://[^\s:/@]*):[^\s@/]+@"), r"\1:***@"),
    # signed addresses, ours and S3's
    (re.compile(r"(/signed/)[^/\s\"']+"), r"\1***"),
    (re.compile(r"([?&](?:[\w-]*signature|sig|token|x-amz-[\w-]+)=)[^&\s\"']+", re.IGNORECASE), r"\1***"),
    (re.compile(r"\b(whsec_)[A-Za-z0-9+/=_-]+"), r"\1***"),
)
_SECRET_NAME = re.compile(r"password|secret|authorization|api_?key|credential|token", re.IGNORECASE)


@contextmanager
def bound(**values: Any) -> Iterator[None]:
    """Has everything logged inside, in this thread or task, carry `values` (request_id, job_id, attempt, worker_id)."""
    unknown = set(values) - set(_FIELDS)
    assert not unknown, unknown
    before = _bound.set({**(_bound.get() or {}), **values})
    try:
        yield
    finally:
        _bound.reset(before)


def configure(level: str, stream: TextIO | None = None) -> None:
    """Sends all logging of this process to `stream` (stderr) as JSON lines; each program's start calls it once."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("httpcore").setLevel(logging.INFO)  # its debug lines repeat what receivers of notices answer


def without_secrets(text: str) -> str:
    """Replaces keys, passwords and signatures in the text by ***."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class JsonFormatter(logging.Formatter):
    """Writes time, level, logger, message, then what is bound and what the call gave as `extra`, then the trace."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the record as one line."""
        extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **(_bound.get() or {}),
            **extra,
        }
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        return json.dumps({name: _plain(name, value) for name, value in entry.items()}, ensure_ascii=False)


def _plain(name: str, value: Any) -> Any:
    if _SECRET_NAME.search(name):
        return "***"
    if isinstance(value, dict):
        return {str(key): _plain(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain("", item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None  # JSON has no NaN
    if value is None or isinstance(value, bool | int):
        return value
    return without_secrets(str(value))
