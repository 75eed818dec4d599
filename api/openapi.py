"""The API's own description: what FastAPI derives from the routes, the problems' table, and four lines to paste."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.errors import KINDS, type_of
from api.schemas import Problem

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


def document(app: FastAPI) -> dict[str, Any]:
    """OpenAPI 3.1; made once."""
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
        for path in schema["paths"].values():
            for operation in path.values():
                _without_default_validation(operation)
        app.openapi_schema = schema
    return app.openapi_schema


def query_parameters(document: dict[str, Any]) -> dict[tuple[str, str], frozenset[str]]:
    """The names that each operation knows, by method and path."""
    return {
        (method.upper(), path): frozenset(
            parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"
        )
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


def _without_default_validation(operation: dict[str, Any]) -> None:
    """FastAPI adds a 422 of its own kind where a route names none; ours are 400."""
    described = operation["responses"].get("422", {}).get("content", {}).get("application/json", {})
    if described.get("schema", {}).get("$ref", "").endswith("/HTTPValidationError"):
        del operation["responses"]["422"]


def _problems() -> str:
    rows = "".join(f"| {kind.status} | `{code}` | {kind.title} | `{type_of(code)}` |\n" for code, kind in KINDS.items())
    return f"| status | code | | type |\n|---|---|---|---|\n{rows}"
