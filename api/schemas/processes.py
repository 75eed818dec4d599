"""What can be asked for, what it takes and gives, and what it would cost."""

from typing import Any, Literal

from pydantic import ConfigDict, Field

from api.schemas.base import Document, Link, only_when_given


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
