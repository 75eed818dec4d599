"""One job as a value: a row of the table `jobs` at the moment it was read."""

from dataclasses import dataclass, fields
from typing import Any, Literal

from sqlalchemy import Row, bindparam, select

from worker.database.tables import jobs

JobStatus = Literal["accepted", "running", "successful", "failed", "dismissed"]
ENDED: tuple[JobStatus, ...] = ("successful", "failed", "dismissed")


@dataclass(frozen=True)
class Job:
    """A row's columns. `number` orders jobs by submission; `id` is public; `attempt` with `lease_owner` is the fence.

    source: of an input that is fetched and no upload, {"href"}, {"area", "dates", "catalog"} or {"sample"},
    and {"max_bytes"}.
    process: by the names of `seq2seq.processes`. error: {"code", "detail", ...} of a failed job. retry: what the next
    attempt must do otherwise, such as {"tile_px": 128}. progress: the fields of `seq2seq.progress.Progress` as last
    reported. destination: where its result goes, and how far that has come, by `worker.jobs.exports`. tags: its owner's
    words for it. group_id: of those it was submitted with. gain: what its result claims, by
    `seq2seq.validation.claim.Claim`. Times: seconds since 1970.
    """

    number: int
    id: str
    owner: str
    name: str | None
    status: JobStatus
    process: str
    params: dict[str, Any]
    input_id: str | None
    source: dict[str, Any] | None
    priority: int
    resource_class: str
    idempotency_key: str | None
    request_sha256: str
    subscriber: dict[str, Any] | None
    delivery: dict[str, Any] | None
    destination: dict[str, Any] | None
    max_attempts: int
    max_running: int
    keep_s: float
    max_pixels_dates: float | None
    max_run_s: float | None
    phase: str | None
    progress: dict[str, Any] | None
    message: str | None
    attempt: int
    refunds: int
    lease_owner: str | None
    lease_until: float | None
    cancel_requested_at: float | None
    not_before: float | None
    last_ring_at: float | None
    checkpoint: str | None
    retry: dict[str, Any] | None
    created: float
    started: float | None
    finished: float | None
    updated: float
    expires: float | None
    error: dict[str, Any] | None
    usage: dict[str, Any] | None
    result_prefix: str | None
    result_bytes: int | None
    tags: list[str] | None = None
    group_id: str | None = None
    gain: dict[str, Any] | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.status in ENDED

    @property
    def attempts_left(self) -> int:
        """Attempts that may still begin after this one if none of them stores a newer checkpoint; those that were given
        back do not count."""
        return max(0, self.max_attempts - (self.attempt - self.refunds))

    @property
    def attempt_prefix(self) -> str:
        """The prefix of this attempt's results in storage. No two attempts ever share it."""
        return f"results/{self.id}/{self.attempt}"

    @property
    def checkpoint_prefix(self) -> str:
        """The prefix of the job's checkpoint in storage; all attempts share it."""
        return f"checkpoints/{self.id}"


COLUMNS = tuple(jobs.c[field.name] for field in fields(Job))
# Built once: the API's most frequent query takes 90 us so, 250 us built anew each time.
ONE = select(*COLUMNS).where(jobs.c.id == bindparam("job_id"))
ONE_OWNED = ONE.where(jobs.c.owner == bindparam("owner"))


def to_job(row: Row[Any]) -> Job:
    """The job of a row that a query selected or returned as `COLUMNS`."""
    return Job(*tuple(row))
