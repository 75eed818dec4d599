"""Our OpenAPI as generators of clients and of requests read it: exact, with examples, and without surprises."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from service_api import User

PROBLEM = {"$ref": "#/components/schemas/Problem"}
BYTES = {"type": "string", "format": "binary"}
GENERATOR = "openapi-python-client"
# Bounded by what they are: read by rules of HTTP, never stored, and no longer than the gate lets headers be.
UNBOUNDED = {"If-None-Match", "Repr-Digest", "Content-Digest"}

LENGTH, LATER, FINAL = {"Upload-Length": "5"}, {"Upload-Defer-Length": "1"}, {"Upload-Concat": "final;/uploads/x"}
BEGINNINGS: tuple[dict[str, str], ...] = (
    {}, LENGTH, LATER, LENGTH | LATER, FINAL, FINAL | LENGTH, FINAL | LATER,
)  # fmt: skip


@pytest.fixture(scope="module")
def described(api: Any) -> dict[str, Any]:
    return dict(api.anybody().get("/openapi.json").json())


def operations(described: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def schemas_within(schema: Any) -> Iterator[dict[str, Any]]:
    """A schema and those inside it; references are not followed."""
    if isinstance(schema, dict):
        yield schema
        for name, value in schema.items():
            if name in ("properties", "$defs"):
                for each in value.values():
                    yield from schemas_within(each)
            elif name in ("items", "additionalProperties"):
                yield from schemas_within(value)
            elif name in ("anyOf", "oneOf", "allOf"):
                for each in value:
                    yield from schemas_within(each)


def is_bounded(schema: dict[str, Any]) -> bool:
    if "enum" in schema or "const" in schema:
        return True
    if schema.get("type") == "string":
        return bool({"maxLength", "pattern"} & set(schema))
    if schema.get("type") in ("integer", "number"):
        return {"minimum", "maximum"} <= set(schema)
    return True


def test_every_operation_has_a_short_name_of_its_own(described: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(described)]
    assert len(set(names)) == len(names) > 25
    assert all(re.fullmatch("[a-z_]{2,30}", name) for name in names)


def test_every_refusal_is_a_problem_document(described: dict[str, Any]) -> None:
    for name, operation in operations(described):
        refusals = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert "400" in refusals, name
        for status, answer in refusals.items():
            expected = {} if name.startswith("HEAD") else {"application/problem+json": {"schema": PROBLEM}}
            assert answer.get("content", {}) == expected, (name, status)
            if status in ("429", "503"):
                assert answer["headers"]["Retry-After"]["required"], (name, status)


def test_bytes_are_described_as_bytes(described: dict[str, Any]) -> None:
    seen = []
    for name, operation in operations(described):
        contents = [operation.get("requestBody", {}).get("content", {})]
        contents += [answer.get("content", {}) for answer in operation["responses"].values()]
        for content in contents:
            assert not [kind for kind in content if "*" in kind], name
            for kind, about in content.items():
                if kind in ("application/octet-stream", "application/zip", "image/tiff", "image/png"):
                    seen.append(name)
                    assert {**BYTES, **about["schema"]} == {**about["schema"], **BYTES}, (name, kind)
    assert {"PUT /uploads/{name}", "PATCH /uploads/{upload_id}", "GET /jobs/{job_id}/results.zip"} <= set(seen)


def test_no_parameter_is_null_or_without_bounds(described: dict[str, Any]) -> None:
    for name, operation in operations(described):
        for parameter in operation.get("parameters", ()):
            about = (name, parameter["name"], parameter["schema"])
            assert "null" not in json.dumps(parameter["schema"]), about
            assert "anyOf" not in parameter["schema"], about
            if parameter["in"] == "header":
                assert parameter["name"] == parameter["name"].title(), about
            if parameter["name"] not in UNBOUNDED and parameter["schema"].get("type") != "array":
                assert is_bounded(parameter["schema"]) or parameter["name"] == "path", about


def test_what_a_body_may_hold_is_bounded_and_nothing_else_is_taken(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    asked = {"Execute", "Resubmission"}
    while more := _referred(schemas, asked) - asked:
        asked |= more
    assert {"Inputs", "Subscriber", "Output", "QualifiedSeed"} <= asked
    for name in asked - {"ValueSchema"}:
        for schema in schemas_within(schemas[name]):
            assert is_bounded(schema), (name, schema)
            if "properties" in schema:
                assert schema["additionalProperties"] is False, (name, schema)


def _referred(schemas: dict[str, Any], names: set[str]) -> set[str]:
    return {found for name in names for found in re.findall(r"#/components/schemas/(\w+)", json.dumps(schemas[name]))}


def test_tus_says_its_version_as_a_constant_and_that_there_is_one_length(described: dict[str, Any]) -> None:
    versions = [
        parameter["schema"]["enum"]
        for _, operation in operations(described)
        for parameter in operation.get("parameters", ())
        if parameter["name"] == "Tus-Resumable"
    ]
    assert len(versions) == 4
    assert all(version == ["1.0.0"] for version in versions)
    either = Draft202012Validator(described["paths"]["/uploads"]["post"]["x-headers"])
    assert [either.is_valid(headers) for headers in BEGINNINGS] == [False, True, True, False, True, False, False]


def test_uploads_are_begun_as_the_description_of_their_headers_says(described: dict[str, Any], user: User) -> None:
    either = Draft202012Validator(described["paths"]["/uploads"]["post"]["x-headers"])
    part = {"Tus-Resumable": "1.0.0", "Upload-Length": "1", "Upload-Concat": "partial"}
    location = user.post("/uploads", headers=part).headers["location"]
    piece = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/octet-stream"}
    assert user.patch(location, headers=piece, content=b"x").status_code == 204
    for headers in BEGINNINGS:
        if "Upload-Concat" in headers:
            headers = {**headers, "Upload-Concat": f"final;{location}"}
        answer = user.post("/uploads", headers={"Tus-Resumable": "1.0.0", **headers})
        assert answer.status_code == (201 if either.is_valid(headers) else 400), headers


def test_every_document_has_an_example_that_is_valid(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    whole = {
        about["schema"]["$ref"].rpartition("/")[2]
        for _, operation in operations(described)
        for part in (operation.get("requestBody", {}), *operation["responses"].values())
        for about in part.get("content", {}).values()
        if "$ref" in about["schema"]
    }
    assert {"Execute", "StatusInfo", "Problem", "UploadInfo"} <= whole
    for name in whole:
        validator = Draft202012Validator({**schemas[name], "components": described["components"]})
        assert schemas[name].get("examples"), name
        for example in schemas[name]["examples"]:
            validator.validate(example)


def test_a_client_is_generated_without_a_warning(described: dict[str, Any], tmp_path: Path) -> None:
    beside = Path(sys.executable).with_name(GENERATOR)
    program = str(beside) if beside.exists() else shutil.which(GENERATOR)
    if program is None:
        pytest.skip(f"{GENERATOR} is not installed (pip install {GENERATOR})")
    (tmp_path / "openapi.json").write_text(json.dumps(described))
    command = [program, "generate", "--path", "openapi.json", "--meta", "none", "--output-path", "client"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "warning" not in said.lower().replace("skipping integration", ""), said
    generated = {file.stem for file in (tmp_path / "client" / "api").rglob("*.py")} - {"__init__"}
    assert generated == {operation["operationId"] for _, operation in operations(described)}
