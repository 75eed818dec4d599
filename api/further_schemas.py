"""More documents that the API answers with: what is in an upload, what is used, many jobs as one."""

from typing import Any

from pydantic import ConfigDict, Field

from api.schemas import Document, Link, Status, Timestamp, only_when_given


class Queue(Document):
    """Where a job would wait that were submitted now. jobs: of the class, that wait or run, without inspections.

    wait_s: about how long until a worker is free for it, by the jobs before it; absent where that cannot be told.
    """

    model_config = ConfigDict(json_schema_extra=only_when_given)

    resource_class: str
    jobs: int
    wait_s: float | None = None


class DatePreview(Document):
    """One date as it came: a WebP of at most 96 px a side. path: among the job's results, which `href` leads to."""

    date: str
    path: str
    href: str


class Inspection(Document):
    """What is in an upload, in the words of `decloud inspect --json`.

    cloud_fraction: for each date, cloud, shadow or no data. previews: of up to 12 dates, evenly spaced, in one stretch.
    s1: the acquisition paired to each date. outline: of the grid, [longitude, latitude], closed. estimate: of a job
    with the settings that were sent. queue: as it is now.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra=only_when_given)

    jobID: str  # noqa: N815
    upload: str
    name: str
    dates: list[str]
    bands: list[str]
    cloud_fraction: list[float]
    previews: list[DatePreview]
    grid: dict[str, Any]
    outline: list[list[float]]
    s1: dict[str, Any]
    s1_acquisitions: list[str]
    format: str | None = None
    mask_source: str
    warnings: list[str]
    estimate: dict[str, Any]
    queue: Queue
    links: list[Link]


class Share(Document):
    """left: how much more there may be now."""

    used: int
    limit: int
    left: int


class RecentJobs(Document):
    """jobs: by status, of those that are there still, without inspections. run_s: how long they ran."""

    jobs: dict[Status, int]
    run_s: float


class UsageInfo(Document):
    """What you use, and what this key may. inspections: that wait; they take no place of a job. limits: of one upload,
    of one job (pixels times dates, seconds), and of requests."""

    stored_bytes: Share
    queued: Share
    inspections: Share
    running: Share
    uploads: int
    limits: dict[str, float]
    last_30_days: RecentJobs


class LoginInfo(Document):
    """offered: a browser may stay signed in. owner: who asks, by key or cookie; nobody where it is left out."""

    model_config = ConfigDict(json_schema_extra=only_when_given)

    offered: bool
    owner: str | None = None


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
