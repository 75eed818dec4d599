"""What every document of the API is made of. OGC's names are OGC's; ours carry units and are in snake_case."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

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


class Problem(Document):
    """RFC 9457. `code` is the end of `type`; `errors` name the field, file, band or date."""

    model_config = ConfigDict(extra="allow", json_schema_extra=only_when_given)

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[dict[str, Any]] | None = None
