"""Jobs by themselves and as groups: how they stand, their log and their results."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from api.schemas.base import Document, Link, Problem, Status, Timestamp


class DestinationInfo(Document):
    """Where the result goes beside the service's own storage, and how far that has come.

    href, or put: as submitted, of addresses only the server they lead to. files, bytes: that are there. tries: begun so
    far. detail: why it is not there yet, or never will be. next_try, delivered: when.
    """

    href: str | None = None
    put: dict[str, str] | None = None
    state: Literal["waiting", "delivered", "failed"]
    tries: int
    files: int | None = None
    bytes: int | None = None
    detail: str | None = None
    next_try: Timestamp | None = None
    delivered: Timestamp | None = None


class Gain(Document):
    """What the result claims where pixels were missing: the fields of `holdout.gain` in report.json.

    measured_db: PSNR over linear interpolation there, dB; rmse, linear_rmse: the errors of the result and of linear
    interpolation, reflectance. low_db, high_db, rmse_low, rmse_high: 90 % intervals, null where too few dates were
    hidden. dates, pixels: that were hidden, on which this rests. filled: pixels that it is claimed of.
    """

    measured_db: float
    low_db: float | None
    high_db: float | None
    dates: int
    pixels: int
    filled: int | None = None
    rmse: float | None = None
    rmse_low: float | None = None
    rmse_high: float | None = None
    linear_rmse: float | None = None


class StatusInfo(Document):
    """A job, with the member names of OGC API - Processes 1.0 (jobID, processID) and of the 2.0 draft (id, process)."""

    jobID: str  # noqa: N815
    id: str
    processID: str  # noqa: N815
    process: Link
    type: Literal["process"]
    status: Status
    message: str
    created: Timestamp
    updated: Timestamp
    started: Timestamp | None = None
    finished: Timestamp | None = None
    progress: int = Field(ge=0, le=100)
    name: str | None = None
    priority: int
    resource_class: str
    attempt: int
    queue_position: int | None = None
    phase: str | None = None
    step: int | None = None
    of: int | None = None
    loss: float | None = None
    holdout_psnr: float | None = None
    eta_s: float | None = None
    cancel_requested: Timestamp | None = None
    expires: Timestamp | None = None
    inputs: dict[str, Any]
    usage: dict[str, Any] | None = None
    result_bytes: int | None = None
    gain: Gain | None = None
    destination: DestinationInfo | None = None
    tags: list[str] | None = None
    group: str | None = None
    exception: Problem | None = None
    links: list[Link]


class JobList(Document):
    """Newest first; a link `next` where there are more."""

    jobs: list[StatusInfo]
    links: list[Link]


class ResultFile(Document):
    """One file; href works with your key, or signed without one."""

    href: str
    type: str
    title: str
    rel: str | None = None
    path: str | None = None
    date: str | None = None
    size: int
    sha256: str | None = None


class LogEntry(Document):
    """One line of the job's log."""

    id: str
    time: Timestamp
    level: str
    kind: str
    message: str
    attempt: int
    data: dict[str, Any]


class Log(Document):
    """Oldest first; a link `next` where there may be more."""

    logs: list[LogEntry]
    links: list[Link]


class GroupMember(Document):
    """A job of a group in short."""

    jobID: str  # noqa: N815
    href: str
    status: Status
    progress: int = Field(ge=0, le=100)
    sequence: str
    name: str | None = None


class GroupInfo(Document):
    """Jobs that were submitted together. status: accepted until one begins, running until all have ended, then failed
    if one has, dismissed if one was cancelled, else successful. progress: the mean. counts: jobs by status."""

    id: str
    name: str | None = None
    status: Status
    progress: int = Field(ge=0, le=100)
    counts: dict[Status, int]
    created: Timestamp
    jobs: list[GroupMember]
    links: list[Link]


def _split(value: object) -> object:
    """`a,b` and `a` with `b` are the same list."""
    if isinstance(value, list):
        return [part for item in value for part in str(item).split(",")]
    return value


Statuses = Annotated[list[Status], BeforeValidator(_split)]
