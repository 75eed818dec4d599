"""What OGC API - Processes 1.0 (18-062r2) asks of its documents, as JSON Schemas."""

from typing import Any

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_TIME = {"type": "string", "format": "date-time"}


def _object(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


LINK = _object(("href",), href=_TEXT, rel=_TEXT, type=_TEXT, hreflang=_TEXT, title=_TEXT)
LINKS = {"type": "array", "items": LINK}
LANDING_PAGE = _object(("links",), title=_TEXT, description=_TEXT, links=LINKS)
CONFORMANCE = _object(("conformsTo",), conformsTo=_TEXTS)
_MODES = {"type": "array", "items": {"enum": ["value", "reference"]}}
_OPTIONS = {"type": "array", "items": {"enum": ["sync-execute", "async-execute", "dismiss"]}}
PROCESS_SUMMARY = _object(
    ("id", "version"),
    **dict.fromkeys(("id", "version", "title", "description"), _TEXT),
    keywords=_TEXTS,
    jobControlOptions=_OPTIONS,
    outputTransmission=_MODES,
    links=LINKS,
)
PROCESS_LIST = _object(("processes", "links"), processes={"type": "array", "items": PROCESS_SUMMARY}, links=LINKS)

# OpenAPI 3.0's Schema Object, which knows no other members: no `const`, no `$defs`, no type null.
_COUNT = {"type": "integer", "minimum": 0}
_INNER = {"$ref": "#/$defs/schema"}
_INNERS = {"type": "array", "items": _INNER}
_BOOLEAN = {"type": "boolean"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "type": {"enum": ["array", "boolean", "integer", "number", "object", "string"]},
        "enum": {"type": "array", "minItems": 1},
        "default": True,
        "example": True,
        "items": _INNER,
        "not": _INNER,
        "properties": {"type": "object", "additionalProperties": _INNER},
        "additionalProperties": {"anyOf": [_INNER, _BOOLEAN]},
        "required": {**_TEXTS, "minItems": 1, "uniqueItems": True},
        **dict.fromkeys(("allOf", "anyOf", "oneOf"), _INNERS),
        **{name: {"type": "number"} for name in ("minimum", "maximum", "multipleOf")},
        **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _COUNT),
        **dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum", "uniqueItems", "nullable"), _BOOLEAN),
        **dict.fromkeys(("readOnly", "writeOnly", "deprecated"), _BOOLEAN),
        **dict.fromkeys(("title", "description", "format", "pattern"), _TEXT),
        **dict.fromkeys(("contentMediaType", "contentEncoding", "contentSchema"), _TEXT),
    },
}
_OCCURS = {"minOccurs": {"type": "integer"}, "maxOccurs": {"anyOf": [{"type": "integer"}, {"const": "unbounded"}]}}
INPUT = _object(("schema",), title=_TEXT, description=_TEXT, schema=_INNER, **_OCCURS)
OUTPUT = _object(("schema",), title=_TEXT, description=_TEXT, schema=_INNER)
PROCESS = {
    "$defs": {"schema": SCHEMA},
    "allOf": [
        PROCESS_SUMMARY,
        _object(
            (),
            inputs={"type": "object", "additionalProperties": INPUT},
            outputs={"type": "object", "additionalProperties": OUTPUT},
        ),
    ],
}
STATUS = {"enum": ["accepted", "running", "successful", "failed", "dismissed"]}
STATUS_INFO = _object(
    ("jobID", "status", "type"),
    jobID=_TEXT,
    processID=_TEXT,
    type={"const": "process"},
    status=STATUS,
    message=_TEXT,
    **dict.fromkeys(("created", "started", "finished", "updated"), _TIME),
    progress={"type": "integer", "minimum": 0, "maximum": 100},
    links=LINKS,
)
# With the class job-list, every job says its process.
JOB_LIST = _object(
    ("jobs", "links"),
    jobs={"type": "array", "items": {**STATUS_INFO, "required": ["jobID", "status", "type", "processID"]}},
    links=LINKS,
)
_QUALIFIED = _object(("value",), mediaType=_TEXT, encoding=_TEXT, schema={"type": ["string", "object"]})
# An output: a plain value that is no object, a qualified one, a link, or a list.
_ONE = {"oneOf": [{"type": ["string", "number", "boolean"]}, _QUALIFIED, LINK]}
RESULTS = {"type": "object", "additionalProperties": {"anyOf": [_ONE, {"type": "array", "items": _ONE}]}}
EXCEPTION = _object(("type",), type=_TEXT, title=_TEXT, status={"type": "integer"}, detail=_TEXT, instance=_TEXT)
_INLINE = {"anyOf": [{"type": ["string", "number", "boolean", "array", "null"]}, _QUALIFIED, LINK]}
EXECUTE = _object(
    (),
    inputs={"type": "object", "additionalProperties": {"anyOf": [_INLINE, {"type": "array", "items": _INLINE}]}},
    outputs={
        "type": "object",
        "additionalProperties": _object(
            (),
            format=_object((), mediaType=_TEXT, encoding=_TEXT, schema={"type": ["string", "object"]}),
            transmissionMode={"enum": ["value", "reference"]},
        ),
    },
    response={"enum": ["raw", "document"]},
    subscriber=_object((), **dict.fromkeys(("successUri", "inProgressUri", "failedUri"), _TEXT)),
)
