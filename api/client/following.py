"""Jobs from afar: lists, waiting for the end, events as they happen."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx

from api.client.calls import Calls, Patience, Trouble
from api.client.errors import NotAServer, StillRunning
from api.client.jobs import RemoteJob
from seq2seq.progress import OnProgress, Progress

# The server holds an answer for so long while nothing changes; proxies cut what is silent for a minute.
_HOLD_S = 25.0
# A job that changes all the time is looked at no more often, and one whose server does not hold answers ever less.
_SHORTEST_S, _LONGEST_S = 0.5, 15.0
_PAGE = 100
# Events that are sentences for people; the others are figures.
_REPORTED = ("log", "status", "delivery")


@dataclass(frozen=True)
class Event:
    """One entry of a job's log. kind: status, log, step, ... time: RFC 3339. data: what it is about."""

    id: int
    kind: str
    level: str
    time: str
    message: str
    data: dict[str, Any]

    @classmethod
    def from_json(cls, entry: Any) -> "Event":
        """Raises `NotAServer`."""
        try:
            return cls(
                int(entry["id"]),
                str(entry["kind"]),
                str(entry["level"]),
                str(entry["time"]),
                str(entry["message"]),
                dict(entry["data"]),
            )
        except (KeyError, TypeError, ValueError):
            raise NotAServer("the job's log is not readable; is it a decloud server?") from None


def listing(
    calls: Calls, statuses: tuple[str, ...], limit: int | None, tags: Sequence[str] = ()
) -> Iterator[RemoteJob]:
    """Page after page."""
    query: dict[str, Any] = {
        "limit": min(limit or _PAGE, _PAGE),
        **({"status": ",".join(statuses)} if statuses else {}),
        **({"tag": list(tags)} if tags else {}),
    }
    while True:
        page = calls.json("GET", "/jobs", params=query)
        yield from (RemoteJob.from_json(entry) for entry in page.get("jobs") or ())
        after = _next_after(page)
        if after is None:
            return
        query["after"] = after


def _next_after(page: dict[str, Any]) -> str | None:
    """Of the link `next`, only the position counts: its host may be known to the server alone."""
    for link in page.get("links") or ():
        if isinstance(link, dict) and link.get("rel") == "next":
            return next(iter(parse_qs(urlsplit(str(link.get("href"))).query).get("after", [])), None)
    return None


def wait(
    calls: Calls, job_id: str, *, on_progress: OnProgress, timeout_s: float | None, delivered: bool = False
) -> RemoteJob:
    """The job when it has ended; with `delivered`, when its result is where it is to go, or never will be.

    Each sentence of its log is reported once, as a progress's message.
    """
    until = None if timeout_s is None else time.monotonic() + timeout_s
    follower = _Follower(calls, job_id, on_progress)
    pause_s = _SHORTEST_S
    while True:
        began = time.monotonic()
        left_s = _HOLD_S if until is None else max(0.0, min(_HOLD_S, until - began))
        changed = follower.look(left_s)
        if follower.job.ended and not (delivered and follower.job.on_its_way):
            return follower.job
        if until is not None and time.monotonic() >= until:
            raise StillRunning(f"job {job_id} is {follower.job.status} after {timeout_s:g} s; it goes on")
        pause_s = _SHORTEST_S if changed else min(1.5 * pause_s, _LONGEST_S)
        calls.sleep(max(0.0, pause_s - (time.monotonic() - began)))


class _Follower:
    """What is known of a job so far."""

    def __init__(self, calls: Calls, job_id: str, on_progress: OnProgress) -> None:
        self._calls, self._path, self._on_progress = calls, f"/jobs/{quote(job_id, safe='')}", on_progress
        self._etag: str | None = None
        self._received = 0
        self._shown = Progress("waiting")
        self.job: RemoteJob

    def look(self, hold_s: float) -> bool:
        """Whether it has changed; waits for that, up to `hold_s` seconds, except the first time."""
        known = {"If-None-Match": self._etag} if self._etag else {}
        query = {"wait": f"{hold_s:.1f}"} if self._etag else {}
        answer = self._calls.call("GET", self._path, params=query, headers=known)
        if answer.status_code == httpx.codes.NOT_MODIFIED:
            return False
        is_first, self._etag = self._etag is None, answer.headers.get("etag")
        self.job = RemoteJob.from_json(self._calls.to_json(answer))
        if not (is_first and self.job.ended and not self.job.on_its_way):  # else there was nothing to follow
            self._report()
        return True

    def _report(self) -> None:
        self._shown = self._shown if self.job.ended else self.job.progress
        for message in self._news():
            self._on_progress(replace(self._shown, message=message))
        self._on_progress(self._shown)

    def _news(self) -> Iterator[str]:
        while True:
            entries = self._calls.json("GET", f"{self._path}/log", params={"offset": self._received, "limit": _PAGE})
            found = [Event.from_json(entry) for entry in entries.get("logs") or ()]
            yield from (event.message for event in found if event.kind in _REPORTED)
            if found:
                self._received = found[-1].id
            if len(found) < _PAGE:
                return


def events(calls: Calls, job_id: str, *, after: int) -> Iterator[Event]:
    """Server-Sent Events, taken up again after the last one that came when the line breaks."""
    path, patience = f"/jobs/{quote(job_id, safe='')}/events", Patience(calls)
    while True:
        try:
            with calls.stream("GET", path, headers={"Last-Event-ID": str(after)}) as answer:
                if answer.status_code == httpx.codes.NO_CONTENT:
                    return
                for kind, number, data in _parse(answer.iter_lines()):
                    patience.renew()
                    if kind == "end":
                        return
                    if number is not None and number > after:
                        after = number
                        yield Event.from_json(data)
            raise Trouble("the stream of events ended")
        except Trouble as trouble:
            patience.wait(trouble)


def _parse(lines: Iterator[str]) -> Iterator[tuple[str, int | None, Any]]:
    """Kind, id and data of each event (HTML, section 9.2.6). One that is cut off in the middle is none."""
    kind, number, data = "message", None, ""
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield kind, number, _to_json(data)
            kind, number, data = "message", None, ""
        elif name == "event":
            kind = value
        elif name == "id":
            number = int(value) if value.isdecimal() and value.isascii() else None
        elif name == "data":
            data += value


def _to_json(data: str) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        raise NotAServer("an event of the job is not readable; is it a decloud server?") from None
