"""The service itself: where to go, how it is, who uses what, how to get in."""

from typing import Literal

from pydantic import ConfigDict

from api.schemas.base import Document, Link, Status, only_when_given


class LandingPage(Document):
    """Where to go from here."""

    title: str
    description: str
    links: list[Link]


class Conformance(Document):
    """URIs of OGC's conformance classes."""

    conformsTo: list[str]  # noqa: N815  OGC's name


class Health(Document):
    """status: ok, or a problem with 503."""

    status: Literal["ok"]


class Workers(Document):
    """waiting: jobs by class; serving: workers that are alive by class; unheard: running jobs whose lease ran out.

    lacking: for each worker that claims no jobs for want of something, what it lacks.
    """

    status: Literal["ok", "unserved", "unheard", "short"]
    waiting: dict[str, int]
    serving: dict[str, int]
    unheard: int
    lacking: list[str]


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


class WebhookSecret(Document):
    """As Standard Webhooks' libraries take it: `whsec_` and base64."""

    secret: str
