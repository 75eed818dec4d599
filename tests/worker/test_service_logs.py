"""One JSON object a line, with the ids it belongs to, and never a secret."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from worker import logs

log = logging.getLogger("worker.test")


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = io.StringIO()
    logs.configure("info", stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_line_carries_what_is_bound_and_what_the_call_gave(written: io.StringIO) -> None:
    with logs.bound(job_id="j", attempt=2), logs.bound(request_id="r"):
        log.info("ended with %d", 75, extra={"exit_status": 75})
    log.info("after")
    first, after = lines(written)
    assert first["message"] == "ended with 75"
    assert (first["job_id"], first["attempt"], first["request_id"], first["exit_status"]) == ("j", 2, "r", 75)
    assert first["time"].endswith("+00:00")
    assert "job_id" not in after


def test_a_trace_is_part_of_its_line(written: io.StringIO) -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        log.exception("failed")
    (line,) = lines(written)
    assert "ValueError: two\nlines" in line["trace"]


@pytest.mark.parametrize(
    "text",
    [
        "key dcl_ab12_hidden-hidden was used",
        "Authorization: Bearer hidden",
        "connecting to postgresql://decloud:hidden@host/decloud",
        "redis://:hidden@host:6379/0",
        "GET /jobs/1/results/a.tif?expires=1&signature=hidden",
        "https://bucket/key?X-Amz-Signature=hidden&X-Amz-Credential=hidden",
        "signed with whsec_hidden",
    ],
)
def test_no_secret_is_written(written: io.StringIO, text: str) -> None:
    log.info("%s", text)
    log.info("told", extra={"url": text, "data": {"inner": [text]}})
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("failed")
    assert len(lines(written)) == 3
    assert "hidden" not in written.getvalue()


def test_a_value_under_a_secret_name_is_not_written(written: io.StringIO) -> None:
    log.info("told", extra={"signing_secret": "hidden", "headers": {"authorization": "hidden", "accept": "shown"}})
    assert "hidden" not in written.getvalue()
    assert "shown" in written.getvalue()


def test_what_json_cannot_hold_is_written_as_text(written: io.StringIO) -> None:
    log.info("told", extra={"thing": {1, 2} & {1}, "loss": float("nan"), "lines": "a\nb"})
    (line,) = lines(written)
    assert line["thing"] == "{1}"
    assert line["lines"] == "a\nb"
    assert line["loss"] is None
