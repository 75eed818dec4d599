"""Many sequences at once: a group of jobs on a server."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from api.client.calls import Calls
from api.client.errors import NotAServer, StillRunning
from api.client.jobs import ENDED
from api.client.uploading import Upload
from seq2seq.progress import OnProgress, Progress, ignore

# A group has no long poll of its own.
_SHORTEST_S, _LONGEST_S = 0.5, 10.0


@dataclass(frozen=True)
class RemoteGroup:
    """Jobs that were submitted together. status: of all of them as one, as of a job. counts: jobs by status. jobs: each
    in short, with jobID, status, progress and name, in the order of the submission. values: the whole answer."""

    id: str
    status: str
    counts: Mapping[str, int]
    jobs: tuple[Mapping[str, Any], ...]
    values: Mapping[str, Any]

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "RemoteGroup":
        """Raises `NotAServer` for what tells of no group."""
        group_id, status, jobs = values.get("id"), values.get("status"), values.get("jobs")
        if not isinstance(group_id, str) or not isinstance(status, str) or not isinstance(jobs, list):
            raise NotAServer("the answer tells of no group of jobs; is it a decloud server?")
        return cls(group_id, status, dict(values.get("counts") or {}), tuple(jobs), dict(values))

    @property
    def ended(self) -> bool:
        """Whether nothing will happen to any of its jobs any more."""
        return self.status in ENDED

    @property
    def progress(self) -> Progress:
        """How many of its jobs have ended."""
        done = sum(count for status, count in self.counts.items() if status in ENDED)
        return Progress("jobs", done, max(done, len(self.jobs)))


class Groups:
    """The groups of one server. Raises `ClientError`s, as the client does that this is a part of."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def submit(
        self,
        uploads: Sequence[Upload | str],
        settings: Mapping[str, Any] | None = None,
        *,
        names: Sequence[str] = (),
        name: str | None = None,
        tags: Sequence[str] = (),
        priority: int = 0,
        idempotency_key: str | None = None,
    ) -> RemoteGroup:
        """A job for each upload (or its id) with the same settings, all or none.

        names: of the jobs, in their order. name: of the group. However often the answer is lost there is one group.
        """
        ids = [upload if isinstance(upload, str) else upload.id for upload in uploads]
        sequences: list[dict[str, str]] = [{"href": f"/uploads/{upload_id}"} for upload_id in ids]
        for sequence, title in zip(sequences, names, strict=False):
            sequence["title"] = title
        body = {"sequences": sequences, "inputs": dict(settings or {}), "tags": list(tags), "priority": priority}
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        about = {**body, **({"name": name} if name else {})}
        return RemoteGroup.from_json(self._calls.json("POST", "/groups", json=about, headers=headers))

    def get(self, group_id: str) -> RemoteGroup:
        """The group as it is now."""
        return RemoteGroup.from_json(self._calls.json("GET", _path(group_id)))

    def wait(self, group_id: str, *, on_progress: OnProgress = ignore, timeout_s: float | None = None) -> RemoteGroup:
        """The group when all of its jobs have ended, however. Raises `StillRunning` when `timeout_s` is over."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        pause_s, shown = _SHORTEST_S, None
        while True:
            group = self.get(group_id)
            if group.progress != shown:
                pause_s, shown = _SHORTEST_S, group.progress
                on_progress(shown)
            if group.ended:
                return group
            if until is not None and time.monotonic() >= until:
                raise StillRunning(f"group {group_id} is {group.status} after {timeout_s:g} s; it goes on")
            self._calls.sleep(pause_s if until is None else max(0.0, min(pause_s, until - time.monotonic())))
            pause_s = min(1.5 * pause_s, _LONGEST_S)

    def cancel(self, group_id: str) -> RemoteGroup:
        """Ends the jobs that have not ended. Those that have stay, unless all have: then they are removed."""
        return RemoteGroup.from_json(self._calls.json("DELETE", _path(group_id)))


def _path(group_id: str) -> str:
    return f"/groups/{quote(group_id, safe='')}"
