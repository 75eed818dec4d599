"""What was sent, and what is in it."""

from typing import Any, Literal

from pydantic import ConfigDict

from api.schemas.base import Document, Link, Timestamp, only_when_given


class UploadInfo(Document):
    """offset: bytes stored so far. sha256: of the whole, when state is `complete`. concat: a `partial` one is to become
    a part of a `final` one."""

    id: str
    href: str
    name: str | None = None
    state: Literal["receiving", "complete"]
    length: int | None = None
    offset: int
    sha256: str | None = None
    concat: Literal["partial", "final"] | None = None
    created: Timestamp
    expires: Timestamp
    links: list[Link]


class UploadList(Document):
    """Newest first."""

    uploads: list[UploadInfo]


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
