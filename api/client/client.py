"""`Client`: everything a user does with a server, as calls that return when it is done."""

import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from api.client import downloading, following, uploading
from api.client.asking import Asking
from api.client.calls import Calls
from api.client.following import Event
from api.client.groups import Groups
from api.client.jobs import RemoteJob
from api.client.packing import OnBytes, packed
from api.client.uploading import Bookmarks, Upload
from seq2seq.processes import DECLOUD
from seq2seq.progress import OnProgress, Progress, ignore

DEFAULT_URL = "http://127.0.0.1:8000"
_MB = 1_000_000


class Client(Asking, AbstractContextManager["Client"]):
    """A server and a key of it. Closes its connections with `with`, or `close`. Raises `ClientError`s, one line each.

    A server that does not answer, or answers that it cannot now, is asked again: patience_s long, a few seconds only
    where it has never answered. on_notice is called when that begins. bookmarks: a file in which unfinished uploads are
    remembered, so that another process continues them; None: nothing is written. `groups`: many jobs at once.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        key: str | None = None,
        *,
        patience_s: float = 3600.0,
        bookmarks: Path | None = None,
        on_notice: Callable[[str], None] = lambda line: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._calls = Calls(url, key, patience_s=patience_s, on_notice=on_notice, sleep=sleep)
        self._bookmarks = Bookmarks(bookmarks) if bookmarks else None
        self.groups = Groups(self._calls)

    @property
    def url(self) -> str:
        """The server's address."""
        return self._calls.url

    def upload(self, path: str | Path, *, on_progress: OnProgress = ignore) -> Upload:
        """A file, or a folder with S2/ (and S1/, MASK/); what the server has of it already is not sent again."""
        packing, sending = _in_megabytes("packing", on_progress), _in_megabytes("uploading", on_progress)
        with packed(Path(path), on_bytes=packing) as payload:
            return uploading.upload(self._calls, payload, bookmarks=self._bookmarks, on_bytes=sending)

    def submit(
        self,
        upload: Upload | str | Mapping[str, Any],
        settings: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        priority: int = 0,
        resource_class: str | None = None,
        idempotency_key: str | None = None,
        process: str = DECLOUD,
        destination: Mapping[str, Any] | None = None,
        tags: Sequence[str] = (),
    ) -> RemoteJob:
        """A job on a complete upload (or its id), with those fields of `seq2seq.ReconstructionConfig` that differ.

        Where the operator allows it the server fetches: upload may be {"href": "https://... or s3://..."}, of a file or
        STAC, or {"area": [W, S, E, N] or GeoJSON, "dates": "FIRST/LAST", "catalog": name or address}.
        Everywhere it may be {"sample": "fields"}, which the server simulates.
        However often the answer is lost there is one job. idempotency_key: the same key gives the same job also in
        another process of yours. process: of the server, by the names of `seq2seq.processes`; `benchmark` compares
        methods, and has settings of its own. destination: where the server brings the result as well, `{"href":
        "s3://BUCKET/PREFIX"}` or `{"put": {"results.zip": "https://..."}}`, as far as its operator allows.
        tags: words of yours, by which `jobs` finds it.
        """
        about = {"name": name, "resource_class": resource_class, "destination": destination, "tags": list(tags) or None}
        body = {
            "inputs": {"sequence": _sequence(upload), **(settings or {})},
            "priority": priority,
            **{field: value for field, value in about.items() if value is not None},
        }
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return RemoteJob.from_json(
            self._calls.json("POST", f"/processes/{process}/execution", json=body, headers=headers)
        )

    def job(self, job_id: str) -> RemoteJob:
        """The job as it is now."""
        return RemoteJob.from_json(self._calls.json("GET", _path(job_id)))

    def jobs(
        self, *, statuses: tuple[str, ...] = (), tags: Sequence[str] = (), limit: int | None = None
    ) -> Iterator[RemoteJob]:
        """Your jobs, newest first, page by page as they are taken. tags: those that have all of them."""
        return islice(following.listing(self._calls, statuses, limit, tags), limit)

    def wait(
        self,
        job_id: str,
        *,
        on_progress: OnProgress = ignore,
        timeout_s: float | None = None,
        delivered: bool = False,
    ) -> RemoteJob:
        """The job when it has ended, however. on_progress gets what a run on this machine would report.

        delivered: waits until its result is where it is to go as well, or never will be.

        Raises `StillRunning` when `timeout_s` is over; the job goes on.
        """
        return following.wait(self._calls, job_id, on_progress=on_progress, timeout_s=timeout_s, delivered=delivered)

    def events(self, job_id: str, *, after: int = 0) -> Iterator[Event]:
        """What happens to the job, each event once and in order, beginning after the id `after`, until it ends."""
        return following.events(self._calls, job_id, after=after)

    def cancel(self, job_id: str) -> RemoteJob:
        """Asks for the end of a job that has not ended; one that has stays as it is."""
        return RemoteJob.from_json(self._calls.json("DELETE", _path(job_id), params={"keep": "true"}))

    def download(
        self,
        job_id: str,
        out: str | Path,
        *,
        outputs: Collection[str] = (),
        overwrite: bool = False,
        on_progress: OnProgress = ignore,
    ) -> Path:
        """The result of a successful job as the folder `out`, which appears when it is complete and checked.

        outputs: those alone, by the names of `seq2seq.products`, and a manifest of them.
        """
        on_bytes = _in_megabytes("downloading", on_progress)
        return downloading.download(
            self._calls, job_id, Path(out), outputs=outputs, overwrite=overwrite, on_bytes=on_bytes
        )

    def close(self) -> None:
        """Closes the connections."""
        self._calls.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _sequence(upload: Upload | str | Mapping[str, Any]) -> dict[str, Any]:
    """As the body of a request names it."""
    if isinstance(upload, Mapping):
        return dict(upload)
    return {"href": f"/uploads/{upload if isinstance(upload, str) else upload.id}"}


def _path(job_id: str) -> str:
    return f"/jobs/{quote(job_id, safe='')}"


def _in_megabytes(phase: str, on_progress: OnProgress) -> OnBytes:
    """Progress in whole megabytes, each reported once, with the time left at the rate so far."""
    began: list[tuple[float, int]] = []
    reported: list[int] = [-1]

    def on_bytes(done: int, of: int) -> None:
        total = max(1, round(of / _MB))
        step = total if done >= of else min(total - 1, done // _MB)
        if step == reported[0]:
            return
        reported[0], now = step, time.monotonic()
        if not began:
            began.append((now, done))
        since, first = began[0]
        eta_s = (now - since) * (of - done) / (done - first) if done > first and now - since > 1 else None
        on_progress(Progress(f"{phase} megabytes", step, total, eta_s=eta_s))

    return on_bytes
