"""The API as OGC API - Processes: its documents, and a client that is not ours."""

import json
from typing import Any

import owslib.ogcapi
import pytest
from jsonschema import Draft202012Validator
from owslib.ogcapi.processes import Processes
from service_api import ServedApi, User

from seq2seq.config import SETTINGS, ReconstructionConfig


@pytest.fixture
def client(user: User, monkeypatch: pytest.MonkeyPatch) -> Processes:
    """OWSLib's, with the user's key."""
    monkeypatch.setattr(owslib.ogcapi, "REQUEST_HEADERS", {})  # which it shares between all clients
    return Processes(user.api.url, headers={"Authorization": f"Bearer {user.key}"})


def test_owslib_lists_and_describes_the_process(client: Processes) -> None:
    summary, other, looking = client.processes()
    assert (summary["id"], other["id"], looking["id"]) == ("decloud", "benchmark", "inspect")
    assert set(summary["jobControlOptions"]) == {"async-execute", "dismiss"}
    process = client.process("decloud")
    assert process["inputs"]["sequence"]["minOccurs"] == 1
    assert process["inputs"]["seed"]["schema"]["maximum"] == 2**31 - 1
    assert process["outputs"]["declouded"]["schema"]["items"]["contentMediaType"].startswith("image/tiff")
    assert process["outputs"]["preview"]["schema"]["contentMediaType"] == "image/png"
    assert "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/core" in client.conformance()["conformsTo"]


def test_owslib_executes_the_process_and_finds_the_job(api: ServedApi, user: User, client: Processes) -> None:
    upload = user.upload()
    inputs = {"sequence": {"href": f"/uploads/{upload}"}, "max_minutes": 5}
    accepted = client.execute("decloud", inputs=inputs, outputs={"declouded": {}}, async_=True)
    assert accepted["status"] == "accepted"
    assert client.response_headers["Location"] == f"{api.url}/jobs/{accepted['jobID']}"
    assert client.response_headers["Preference-Applied"] == "respond-async"
    api.finish(accepted["jobID"], {"report.json": b"{}", "declouded/2021-05-01.tif": b"II*"})
    listed = client._request(path="jobs")["jobs"]
    assert [job["status"] for job in listed] == ["successful"]
    assert set(client._request(path=f"jobs/{accepted['jobID']}/results")) == {"declouded"}


def test_owslib_is_told_what_is_wrong(client: Processes) -> None:
    with pytest.raises(RuntimeError, match=r"inputs\.sequence"):
        client.execute("decloud", inputs={"seed": 1})
    with pytest.raises(RuntimeError, match="no-such-process"):
        client.process("magic")


def test_every_setting_of_the_engine_is_an_input_with_its_range_and_default(user: User) -> None:
    inputs = user.get("/processes/decloud").json()["inputs"]
    defaults = ReconstructionConfig().to_dict()
    assert defaults.pop("validation_settings") == {}, "the proof is nobody's to tune from afar"
    assert set(inputs) == {"sequence", "method_settings", *(each.name for each in SETTINGS)}
    for name, default in defaults.items():
        schema = inputs[name]["schema"]
        Draft202012Validator.check_schema(schema)
        assert schema["default"] == default
        Draft202012Validator(schema).validate(default)
    ranges = {each.name: (each.low, each.high) for each in SETTINGS if each.low is not None and each.high is not None}
    assert len(ranges) == 12
    for name, (low, high) in ranges.items():
        validator = Draft202012Validator(inputs[name]["schema"])
        assert [validator.is_valid(value) for value in (low, high, low - 1, high + 1)] == [True, True, False, False]


def test_links_lead_somewhere(api: ServedApi, user: User) -> None:
    job = user.submit()
    api.finish(job)
    seen: set[str] = set()

    def follow(document: Any) -> None:
        if isinstance(document, dict):
            href = document.get("href")
            if isinstance(href, str) and href.startswith("http") and href not in seen:
                seen.add(href)
                if href.endswith(("/events", "/execution")):
                    return
                answer = user.get(href)
                assert answer.status_code == 200, href
                if "json" in answer.headers["content-type"] and "openapi" not in href:
                    follow(answer.json())
            for value in document.values():
                follow(value)
        for value in document if isinstance(document, list) else ():
            follow(value)

    follow(user.get("/").json())
    assert len(seen) > 12
    assert any("results" in href for href in seen)


def test_the_api_describes_itself_with_examples_that_are_valid(user: User) -> None:
    document = user.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    bodies = [
        operation["requestBody"]["content"]["application/json"]["schema"]
        for path in document["paths"].values()
        for operation in path.values()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    ]
    assert len(bodies) == 7
    for name in ("Execute", "Resubmission"):
        validator = Draft202012Validator({**schemas[name], "components": document["components"]})
        for example in schemas[name]["examples"]:
            validator.validate(json.loads(json.dumps(example)))
    assert "HTTPValidationError" not in schemas
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)


def test_descriptions_follow_the_names_of_both_versions_of_the_standard(user: User) -> None:
    told = user.get(f"/jobs/{user.submit()}").json()
    first, second = {"jobID", "processID", "type", "status"}, {"id", "process", "type", "status"}
    assert first | second <= set(told)
    assert told["process"]["href"].endswith("/processes/decloud")
    assert None not in told.values()  # their schemas know no null
