"""The API's own description: what FastAPI derives from the routes, made exact, the problems' table, and four lines to
paste."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.errors import KINDS, type_of
from api.examples import EXAMPLES
from api.http.headers import EXACTLY_ONE, OF_REQUESTS, answered_headers
from api.process.processes import NAMES
from api.process.qualified import named_apart
from api.receiving import tus
from api.schemas.base import Problem
from seq2seq.processes import DECLOUD
from worker.values import ID_PATTERN

_INTRODUCTION = """
Upload a Sentinel-2 sequence, with Sentinel-1 if you have it; download it cloud-free, with a measure of how well.

```sh
curl -H "Authorization: Bearer $DECLOUD_KEY" -T fields.zip "$DECLOUD_URL/uploads/fields.zip"
curl -H "Authorization: Bearer $DECLOUD_KEY" --json '{"inputs": {"sequence": {"href": "/uploads/ID"}}}' \\
     "$DECLOUD_URL/processes/decloud/execution"
curl -H "Authorization: Bearer $DECLOUD_KEY" "$DECLOUD_URL/jobs/ID?wait=25"
curl -H "Authorization: Bearer $DECLOUD_KEY" -OJ -C - "$DECLOUD_URL/jobs/ID/results.zip"
```

Jobs, statuses and results follow OGC API - Processes 1.0. Resumable uploads follow tus 1.0.

## Problems

Whatever goes wrong is answered with a problem document (RFC 9457, `application/problem+json`). `code` is stable:

"""
_ID = {"type": "string", "pattern": f"^{ID_PATTERN}$", "examples": ["5d8b1c0e-7f3a-4c55-9a39-0d6c2f1a7b11"]}
# Others are not there: 404, as OGC wants it.
_IN_PATHS: dict[str, dict[str, Any]] = {
    "job_id": _ID,
    "upload_id": _ID,
    "group_id": _ID,
    "process_id": {"type": "string", "enum": list(NAMES)},
    "token": {"type": "string", "pattern": "^[0-9]{1,20}-[A-Za-z0-9_-]{1,100}$"},
    "path": {"type": "string", "minLength": 1, "examples": ["declouded/2021-05-01.tif"]},
}
_BYTES = "application/octet-stream"


def document(app: FastAPI) -> dict[str, Any]:
    """The document in OpenAPI 3.1; made once."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            summary="Cloud-free Sentinel-2 sequences",
            description=_INTRODUCTION.lstrip() + _problems(),
            routes=app.routes,
        )
        schemas = schema["components"]["schemas"]
        schemas[Problem.__name__] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        named_apart(schemas)
        for name, examples in EXAMPLES.items():
            schemas[name]["examples"] = examples
        for path, operations in schema["paths"].items():
            for method, operation in operations.items():
                _made_exact(method, path, operation)
        app.openapi_schema = schema
    return app.openapi_schema


def query_parameters(document: dict[str, Any]) -> dict[tuple[str, str], frozenset[str]]:
    """The names of query parameters that each operation knows, by method and path."""
    return {
        (method.upper(), path): frozenset(
            parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"
        )
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


def _made_exact(method: str, path: str, operation: dict[str, Any]) -> None:
    _without_default_validation(operation)
    for parameter in operation.get("parameters", ()):
        _exact_parameter(parameter)
        if (method, parameter["name"]) == ("post", "process_id"):  # others have an operation of their own
            parameter["schema"]["enum"] = [DECLOUD]
    _exact_body(operation)
    if (either := EXACTLY_ONE.get((method, path))) is not None:
        operation["x-headers"] = either
    for status, response in operation["responses"].items():
        if method == "head":
            response.pop("content", None)
        if headers := answered_headers(method, path, status):
            response["headers"] = headers


def _exact_parameter(parameter: dict[str, Any]) -> None:
    """A parameter that is not sent is not null; headers are written as people write them."""
    schema = parameter["schema"]
    if parameter["in"] == "path":
        schema.update(_IN_PATHS.get(parameter["name"], {}))
    if parameter["in"] == "header":
        parameter["name"] = parameter["name"].title()
        schema.update(OF_REQUESTS.get(parameter["name"], {}))
    if "const" in schema:  # generators of clients know no const of a header
        schema["enum"] = [schema.pop("const")]
    kinds = [kind for kind in schema.get("anyOf", ()) if kind.get("type") != "null"]
    if len(kinds) == 1:
        del schema["anyOf"]
        schema.update({**kinds[0], **schema})


def _exact_body(operation: dict[str, Any]) -> None:
    """Bytes are bytes: tus' own media type is one that few generators of clients know, and both are taken."""
    content = operation.get("requestBody", {}).get("content", {})
    if (about := content.pop(tus.CONTENT_TYPE, None)) is not None:
        content[_BYTES] = about


def _without_default_validation(operation: dict[str, Any]) -> None:
    """FastAPI adds a 422 of its own kind where a route names none; ours are 400."""
    described = operation["responses"].get("422", {}).get("content", {}).get("application/json", {})
    if described.get("schema", {}).get("$ref", "").endswith("/HTTPValidationError"):
        del operation["responses"]["422"]


def _problems() -> str:
    rows = "".join(f"| {kind.status} | `{code}` | {kind.title} | `{type_of(code)}` |\n" for code, kind in KINDS.items())
    return f"| status | code | | type |\n|---|---|---|---|\n{rows}"
