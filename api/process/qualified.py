"""Qualified values of OGC API - Processes: an input as `{"value": ..., "mediaType": ...}` is the input as its value."""

from typing import Any

from pydantic_core import PydanticCustomError

_MEDIA_TYPE = "application/json"
_ENCODING = "utf-8"
_SCHEMA = "ValueSchema"
_MEMBERS = {"value", "mediaType", "encoding", "schema"}


def unqualified(given: Any) -> Any:
    """The value; anything else as it is. Raises where it says to be in another form than JSON."""
    if not isinstance(given, dict) or "value" not in given or not set(given) <= _MEMBERS:
        return given
    for name, only in (("mediaType", _MEDIA_TYPE), ("encoding", _ENCODING)):
        if given.get(name, only) != only:
            raise PydanticCustomError(
                "qualified_value", "{name} must be {only}: inputs are JSON", {"name": name, "only": only}
            )
    if not isinstance(given.get("schema", {}), dict | str):
        raise PydanticCustomError("qualified_value", "schema must be an object or an address")
    return given["value"]


def with_qualified(schema: dict[str, Any]) -> None:
    """Each property of an object's schema may be qualified."""
    properties = schema.get("properties", {})
    for name, plain in properties.items():
        about = {key: plain.pop(key) for key in ("title", "description", "default") if key in plain}
        properties[name] = {"anyOf": [*_alternatives(plain), _qualified(plain)], **about}


def _alternatives(plain: dict[str, Any]) -> list[dict[str, Any]]:
    return list(plain["anyOf"]) if set(plain) == {"anyOf"} else [plain]


def _qualified(plain: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["value"],
        "additionalProperties": False,
        "properties": {
            "value": plain,
            "mediaType": {"const": _MEDIA_TYPE},
            "encoding": {"const": _ENCODING},
            "schema": {"type": ["object", "string"], "description": "Not looked at."},
        },
    }


def named_apart(schemas: dict[str, Any]) -> None:
    """The qualified form of each input has a name among OpenAPI's components, so that generators make none up."""
    for owner in ("Inputs", "Changes", "ComparisonInputs", "ComparisonChanges"):
        whose = owner.removesuffix("Inputs").removesuffix("Changes")
        for name, alternatives in schemas[owner]["properties"].items():
            title = f"Qualified{whose}{name.title().replace('_', '')}"
            qualified = {**alternatives["anyOf"][-1], "title": title}
            schemas[_SCHEMA] = {**qualified["properties"]["schema"], "title": _SCHEMA}
            qualified["properties"]["schema"] = {"$ref": f"#/components/schemas/{_SCHEMA}"}
            schemas[title] = qualified
            alternatives["anyOf"][-1] = {"$ref": f"#/components/schemas/{title}"}
