"""The documents that the API answers with. OGC's names are OGC's; ours carry units and are in snake_case."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Status = Literal["accepted", "running", "successful", "failed", "dismissed"]
Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


def only_when_given(schema: dict[str, Any]) -> None:
    """Makes members optional, and never null: they are absent where they have no value."""
    for name, value in schema.get("properties", {}).items():
        kinds = value.pop("anyOf", None)
        value.pop("default", None)
        if kinds:
            kept = [kind for kind in kinds if kind.get("type") != "null"]
            schema["properties"][name] = {**(kept[0] if len(kept) == 1 else {"anyOf": kept}), **value}


class Document(BaseModel):
    """What we answer."""

    model_config = ConfigDict(json_schema_extra=only_when_given)


class Link(Document):
    """RFC 8288."""

    href: str
    rel: str | None = None
    type: str | None = None
    title: str | None = None


class LandingPage(Document):
    """Where to go from here."""

    title: str
    description: str
    links: list[Link]


class Conformance(Document):
    """URIs of OGC's conformance classes."""

    conformsTo: list[str]  # noqa: N815  OGC's name


class ProcessSummary(Document):
    """A process without its inputs and outputs."""

    id: str
    version: str
    title: str
    description: str
    keywords: list[str]
    jobControlOptions: list[str]  # noqa: N815
    outputTransmission: list[str]  # noqa: N815
    links: list[Link]


class ProcessList(Document):
    """All processes."""

    processes: list[ProcessSummary]
    links: list[Link]


class InputDescription(Document):
    """An input; `schema` is JSON Schema."""

    model_config = ConfigDict(json_schema_extra=only_when_given, populate_by_name=True)

    title: str
    description: str
    schema_: dict[str, Any] = Field(alias="schema")
    minOccurs: int | None = None  # noqa: N815
    maxOccurs: int | None = None  # noqa: N815


class OutputDescription(Document):
    """An output; `schema` is JSON Schema."""

    model_config = ConfigDict(json_schema_extra=only_when_given, populate_by_name=True)

    title: str
    description: str
    schema_: dict[str, Any] = Field(alias="schema")


class Process(ProcessSummary):
    """A process with everything it takes and gives."""

    inputs: dict[str, InputDescription]
    outputs: dict[str, OutputDescription]
    additionalParameters: dict[str, list[dict[str, Any]]] | None = None  # noqa: N815


class Estimate(Document):
    """seconds on two CPU cores, memory_gb at the peak, right within a factor of two; tiles: how many there will be.

    Without a shape only `limits` are known; the import will tell the rest.
    """

    seconds: float | None = None
    memory_gb: float | None = None
    tiles: int | None = None
    detail: str
    limits: dict[str, float]


class Validation(Document):
    """The job would be accepted now."""

    valid: Literal[True]
    resource_class: str
    estimate: Estimate


class Problem(Document):
    """RFC 9457. `code` is the end of `type`; `errors` name the field, file, band or date."""

    model_config = ConfigDict(extra="allow", json_schema_extra=only_when_given)

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[dict[str, Any]] | None = None


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
    """What the result claims where pixels were missing: the fields of `holdout.gain` in report.json."""

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


class WebhookSecret(Document):
    """As Standard Webhooks' libraries take it: `whsec_` and base64."""

    secret: str


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


def _split(value: object) -> object:
    """`a,b` and `a` with `b` are the same list."""
    if isinstance(value, list):
        return [part for item in value for part in str(item).split(",")]
    return value


Statuses = Annotated[list[Status], BeforeValidator(_split)]
