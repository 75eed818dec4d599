"""The bodies of requests, as OpenAPI shows them: a job to be done, and another like it."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, SecretStr, WrapValidator, field_validator, model_validator
from pydantic_core import PydanticCustomError

from api.process.comparing import ComparisonParameters
from api.process.delivery import Mode
from api.process.parameters import Parameters, Whole
from api.process.processes import media_types
from api.process.qualified import unqualified, with_qualified
from api.process.sequences import Asked, Sequence
from api.schemas.base import only_when_given
from seq2seq.processes import BENCHMARK, DECLOUD, INSPECT
from worker.jobs import PRIORITIES
from worker.jobs.tagging import LONGEST_TAG, MOST_TAGS

_LONGEST_URL = 2000
_ID = "5d8b1c0e-7f3a-4c55-9a39-0d6c2f1a7b11"


_Path = Annotated[str, Field(min_length=1, max_length=1024)]
_Presigned = Annotated[SecretStr, Field(max_length=4096)]
_MOST_ADDRESSES = 200
_Positive = Annotated[int, Field(ge=1, le=1_000_000), Whole]


class Shape(Asked):
    """What you know of the sequence; the import finds out for itself. Here it gives an estimate beforehand."""

    dates: _Positive
    bands: Annotated[int, Field(ge=1, le=13), Whole] = 10
    height: _Positive
    width: _Positive


class Changes(Parameters):
    """Settings by name; what is left out keeps its default."""

    model_config = ConfigDict(extra="forbid", strict=True, title="Settings", json_schema_extra=with_qualified)

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, given: Any) -> Any:
        """`{"value": 5}` is 5."""
        return unqualified(given)


def _inputs_schema(schema: dict[str, Any]) -> None:
    with_qualified(schema)
    schema["required"] = ["sequence"]


class Inputs(Changes):
    """The sequence, and how it is to be restored."""

    model_config = ConfigDict(extra="forbid", strict=True, title="Inputs", json_schema_extra=_inputs_schema)

    sequence: Sequence = Field(
        default=None, description="What to make cloud-free: an upload, an address, an area or a sample."
    )
    shape: Shape | None = None


class ComparisonChanges(ComparisonParameters):
    """Settings of a comparison by name; what is left out keeps its default."""

    model_config = ConfigDict(
        extra="forbid", strict=True, title="Settings of a comparison", json_schema_extra=with_qualified
    )

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, given: Any) -> Any:
        """`{"value": 5}` is 5."""
        return unqualified(given)


class ComparisonInputs(ComparisonChanges):
    """The sequence, and what is to be compared on it."""

    model_config = ConfigDict(
        extra="forbid", strict=True, title="Inputs of a comparison", json_schema_extra=_inputs_schema
    )

    sequence: Sequence = Field(
        default=None, description="What to compare methods on: an upload, an address, an area or a sample."
    )


_WebAddress = Annotated[
    str,
    Field(
        max_length=_LONGEST_URL,
        json_schema_extra={"pattern": r"^https://[a-z0-9][a-z0-9-]*\.[a-z]{2,}(:[1-9][0-9]{0,3})?(/[!-~]*)?$"},
    ),
]


def _one_place(schema: dict[str, Any]) -> None:
    only_when_given(schema)
    schema.update(minProperties=1, maxProperties=1)


class Destination(Asked):
    """Where the result goes beside the service's own storage, when the job is done: either `href`, a bucket that the
    operator allows, or `put`, a presigned https address for `results.zip` (all files) or for each path of the result.
    `destination` of the job says how far that has come. Addresses are secrets, and never shown again."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_one_place)

    href: str | None = Field(
        default=None, max_length=_LONGEST_URL, json_schema_extra={"pattern": r"^s3://[a-z0-9][a-z0-9.-]+(/.*)?$"}
    )
    put: Annotated[dict[_Path, _Presigned], Field(min_length=1, max_length=_MOST_ADDRESSES)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.model_fields_set) != 1 or (self.href, self.put) == (None, None):
            raise PydanticCustomError("one_place", "must have either href or put")
        return self


class Subscriber(Asked):
    """https addresses that are told when the job gets there (OGC API - Processes, callback), by Standard Webhooks 1.0;
    `failedUri` also of a cancellation. `GET /webhook-secret` has what they verify the signatures with."""

    successUri: _WebAddress | None = None  # noqa: N815
    inProgressUri: _WebAddress | None = None  # noqa: N815
    failedUri: _WebAddress | None = None  # noqa: N815


_MediaType = Annotated[str, Field(max_length=100)]
_SchemaOrAddress = dict[str, Any] | Annotated[str, Field(max_length=_LONGEST_URL)]


def _not_null(given: Any) -> Any:
    """Of members that may be left out, and are None in Python then."""
    if given is None:
        raise PydanticCustomError("null", "must not be null: leave it out")
    return given


class Format(Asked):
    """How an output is to be written. There is one way for each: saying it checks it. `schema` is not looked at."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=only_when_given)

    mediaType: _MediaType | None = None  # noqa: N815
    encoding: Literal["utf-8", "base64", "binary"] | None = None
    schema_: _SchemaOrAddress | None = Field(default=None, alias="schema")

    _checked = field_validator("*", mode="before")(_not_null)


class Output(Asked):
    """An output that is wanted. By default a link in a document, and itself in a raw response."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=only_when_given)

    format: Format | None = None
    transmissionMode: Mode | None = None  # noqa: N815

    _checked = field_validator("*", mode="before")(_not_null)


Tags = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=LONGEST_TAG, pattern=r"^[^,\s]([^,\n]*[^,\s])?$")]],
    Field(max_length=MOST_TAGS),
]


class _Submission(Asked):
    name: str | None = Field(default=None, min_length=1, max_length=200, description="For you; shown in lists.")
    priority: Annotated[int, Field(ge=PRIORITIES[0], le=PRIORITIES[-1]), Whole] = Field(
        default=0, description="Among your own jobs; higher is sooner."
    )
    resource_class: str | None = Field(
        default=None, max_length=40, description="Which workers may run it; by default the operator's first."
    )
    subscriber: Subscriber | None = None
    destination: Destination | None = None
    tags: Tags = Field(default=[], description="Words of yours; `GET /jobs?tag=...` lists the jobs that have one.")


_OUTPUTS: Any = Field(default={}, description="Those that the results are to show; all where it is left out or empty.")
_RESPONSE: Any = Field(
    default="document",
    description="document: one JSON with links or values by output. raw: the outputs themselves, or Link headers.",
)
if TYPE_CHECKING:
    OutputID = str
    ComparisonOutputID = str
    InspectionOutputID = str
    GivenChanges = dict[str, Any]
else:
    OutputID, ComparisonOutputID, InspectionOutputID = (
        Literal[tuple(media_types(process))] for process in (DECLOUD, BENCHMARK, INSPECT)
    )
    # As they came: which of the two they must be is known when the job has been found.
    GivenChanges = Annotated[Changes | ComparisonChanges, WrapValidator(lambda given, _: given)]


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
    outputs: dict[OutputID, Output] = _OUTPUTS
    response: Literal["document", "raw"] = _RESPONSE


class ExecuteComparison(_Submission):
    """A comparison to be made."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "inputs": {
                        "sequence": {"href": f"/uploads/{_ID}"},
                        "gaps": ["cloud"],
                    }
                }
            ]
        },
    )

    inputs: ComparisonInputs
    outputs: dict[ComparisonOutputID, Output] = _OUTPUTS
    response: Literal["document", "raw"] = _RESPONSE


class ExecuteInspection(_Submission):
    """An upload to be looked at."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"inputs": {"sequence": {"href": f"/uploads/{_ID}"}}}]},
    )

    inputs: Inputs
    outputs: dict[InspectionOutputID, Output] = _OUTPUTS
    response: Literal["document", "raw"] = _RESPONSE


class Inspect(Asked):
    """The settings that a run is to have, as far as they are known: they decide what it costs."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"inputs": {"max_minutes": 5}}]}
    )

    inputs: Changes = Field(default_factory=Changes, description="Settings of the process `decloud`.")


class Resubmission(_Submission):
    """What is to be different from the first job; `null` sets a setting back to its default."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [{"inputs": {"seed": 1}}]})

    inputs: GivenChanges = Field(default={}, description="Settings of the process that the first job is of.")
