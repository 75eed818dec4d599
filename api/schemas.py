"""The documents of the API, as OpenAPI shows them. OGC's names are OGC's; ours carry units and are in snake_case."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from api.parameters import Parameters, Whole
from worker.jobs import PRIORITIES

Status = Literal["accepted", "running", "successful", "failed", "dismissed"]
Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
_LONGEST_URL = 2000
_ID = "5d8b1c0e-7f3a-4c55-9a39-0d6c2f1a7b11"


def _only_when_given(schema: dict[str, Any]) -> None:
    """Members that are absent where there is nothing to say; they are never null."""
    for name, value in schema.get("properties", {}).items():
        kinds = value.pop("anyOf", None)
        value.pop("default", None)
        if kinds:
            kept = [kind for kind in kinds if kind.get("type") != "null"]
            schema["properties"][name] = {**(kept[0] if len(kept) == 1 else {"anyOf": kept}), **value}


class Document(BaseModel):
    """What we answer."""

    model_config = ConfigDict(json_schema_extra=_only_when_given)


class Asked(BaseModel):
    """What we are asked: nothing is guessed, nothing unknown is overlooked."""

    model_config = ConfigDict(extra="forbid", strict=True)


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
    """All processes: one."""

    processes: list[ProcessSummary]
    links: list[Link]


class InputDescription(Document):
    """An input; `schema` is JSON Schema."""

    model_config = ConfigDict(json_schema_extra=_only_when_given, populate_by_name=True)

    title: str
    description: str
    schema_: dict[str, Any] = Field(alias="schema")
    minOccurs: int | None = None  # noqa: N815
    maxOccurs: int | None = None  # noqa: N815


class OutputDescription(Document):
    """An output; `schema` is JSON Schema."""

    model_config = ConfigDict(json_schema_extra=_only_when_given, populate_by_name=True)

    title: str
    description: str
    schema_: dict[str, Any] = Field(alias="schema")


class Process(ProcessSummary):
    """A process with everything it takes and gives."""

    inputs: dict[str, InputDescription]
    outputs: dict[str, OutputDescription]


class Reference(Asked):
    """An upload, by the address that it was given: `/uploads/ID`."""

    model_config = ConfigDict(extra="forbid", strict=True, title="Reference")

    href: str = Field(
        max_length=_LONGEST_URL,
        examples=[f"/uploads/{_ID}"],
        json_schema_extra={"pattern": "^/uploads/[A-Za-z0-9-]{1,64}$"},
    )
    type: str | None = Field(default=None, max_length=100)
    rel: str | None = Field(default=None, max_length=100)
    title: str | None = Field(default=None, max_length=200)


_Positive = Annotated[int, Field(ge=1, le=1_000_000), Whole]


class Shape(Asked):
    """What you know of the sequence; the import finds out for itself. Here it gives an estimate beforehand."""

    dates: _Positive
    bands: Annotated[int, Field(ge=1, le=13), Whole] = 10
    height: _Positive
    width: _Positive


class Changes(Parameters):
    """Settings by name; what is left out keeps its default."""

    model_config = ConfigDict(extra="forbid", strict=True, title="Settings")

    # Test environments only.
    simulated: SkipJsonSchema[dict[str, Any] | None] = None


class Inputs(Changes):
    """The sequence, and how it is to be restored."""

    model_config = ConfigDict(extra="forbid", strict=True, title="Inputs", json_schema_extra={"required": ["sequence"]})

    sequence: Reference | SkipJsonSchema[None] = Field(default=None, description="The upload to make cloud-free.")
    shape: Shape | None = None


_WebAddress = Annotated[
    str,
    Field(
        max_length=_LONGEST_URL,
        json_schema_extra={"pattern": r"^https://[a-z0-9][a-z0-9-]*\.[a-z]{2,}(:[1-9][0-9]{0,3})?(/[!-~]*)?$"},
    ),
]


class Subscriber(Asked):
    """https addresses that are told when the job gets there (OGC API - Processes, callback), by Standard Webhooks 1.0;
    `failedUri` also of a cancellation. `GET /webhook-secret` has what they verify the signatures with."""

    successUri: _WebAddress | None = None  # noqa: N815
    inProgressUri: _WebAddress | None = None  # noqa: N815
    failedUri: _WebAddress | None = None  # noqa: N815


OUTPUT_IDS = ("declouded", "uncertainty", "cloud_mask", "report", "preview", "stac", "manifest", "archive")
OutputID = Literal["declouded", "uncertainty", "cloud_mask", "report", "preview", "stac", "manifest", "archive"]


class _Submission(Asked):
    name: str | None = Field(default=None, min_length=1, max_length=200, description="For you; shown in lists.")
    priority: Annotated[int, Field(ge=PRIORITIES[0], le=PRIORITIES[-1]), Whole] = Field(
        default=0, description="Among your own jobs; higher is sooner."
    )
    resource_class: str | None = Field(
        default=None, max_length=40, description="Which workers may run it; by default the operator's first."
    )
    subscriber: Subscriber | None = None


class Execute(_Submission):
    """A job to be done."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"inputs": {"sequence": {"href": f"/uploads/{_ID}"}, "max_minutes": 5}, "name": "fields"}]
        },
    )

    inputs: Inputs
    outputs: dict[OutputID, dict[str, Any]] | None = Field(
        default=None, description="Taken for OGC's clients; every job has all outputs, by reference."
    )
    response: Literal["document"] = "document"


class Resubmission(_Submission):
    """What is to be different from the first job; `null` sets a setting back to its default."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [{"inputs": {"seed": 1}}]})

    inputs: Changes = Field(default_factory=Changes)


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

    model_config = ConfigDict(extra="allow", json_schema_extra=_only_when_given)

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[dict[str, Any]] | None = None


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
