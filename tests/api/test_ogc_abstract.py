"""The abstract tests of OGC API - Processes 1.0 (18-062r2, annex A) for the classes that the service claims.

docs/ogc.md has them as a table, which is held against this file.
"""

import base64
import email
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import Message
from typing import Any, NamedTuple

import httpx
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from locations import ROOT
from ogc_schemas import (
    CONFORMANCE,
    EXCEPTION,
    EXECUTE,
    JOB_LIST,
    LANDING_PAGE,
    PROCESS,
    PROCESS_LIST,
    RESULTS,
    SCHEMA,
    STATUS_INFO,
)
from service_api import Serve, ServedApi, User
from service_workers import until
from webhook_receiver import Receiver

from seq2seq.methods import METHODS
from seq2seq.products import product_at
from worker import jobs
from worker.notices.courier import Courier, open_signer

EXCEPTIONS = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/"
CLASSES = "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/"
OPENAPI = "application/vnd.oai.openapi+json"
FILES = {
    "declouded/2021-05-01.tif": b"II*\0 first",
    "declouded/2021-05-06.tif": b"II*\0 second",
    "uncertainty/2021-05-01.tif": b"II*\0 sigma",
    "cloud_mask/2021-05-01.tif": b"II*\0 mask",
    "report.json": b'{"psnr_db": 31.5}\n',
    "report.html": b"<!doctype html>",
    "preview.png": b"\x89PNG\r\n\x1a\n and more",
    "stac/collection.json": b'{"type": "Collection"}',
    "stac/2021-05-01.json": b'{"type": "Feature"}',
}
TESTS: dict[str, str] = {}
_Test = Callable[..., None]


def abstract(*names: str) -> Callable[[_Test], _Test]:
    """The abstract tests that a test carries out: `core/http` is `/conf/core/http`."""

    def noted(test: _Test) -> _Test:
        for name in names:
            assert name not in TESTS, name
            TESTS[f"/conf/{name}"] = test.__name__
        return test

    return noted


def valid(answer: httpx.Response, schema: dict[str, Any], status: int = 200) -> Any:
    """The document."""
    assert answer.status_code == status, answer.text
    document = answer.json()
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(document)
    return document


def refused(answer: httpx.Response, name: str) -> None:
    assert valid(answer, EXCEPTION, 404)["type"] == EXCEPTIONS + name


def execute(user: User, inputs: dict[str, Any] | None = None, prefer: str | None = None, **body: Any) -> httpx.Response:
    asked = {"inputs": {"sequence": user.sequence, **(inputs or {})}, **body}
    headers = {"Prefer": prefer} if prefer else {}
    return user.post("/processes/decloud/execution", json=asked, headers=headers)


def created(answer: httpx.Response) -> str:
    """The job's id."""
    document = valid(answer, STATUS_INFO, 201)
    assert answer.headers["location"].endswith(f"/jobs/{document['jobID']}")
    return str(document["jobID"])


class Done(NamedTuple):
    """A successful job."""

    user: User
    id: str

    def results(self, **headers: str) -> httpx.Response:
        return self.user.get(f"/jobs/{self.id}/results", headers=headers)


Finish = Callable[..., Done]


@pytest.fixture
def finish(api: ServedApi, user: User) -> Finish:
    def done(files: dict[str, bytes] = FILES, **body: Any) -> Done:
        job = created(execute(user, **body))
        api.finish(job, files)
        assert valid(user.get(f"/jobs/{job}"), STATUS_INFO)["status"] == "successful"
        return Done(user, job)

    return done


def parts(answer: httpx.Response) -> list[Message]:
    """Of a multipart/related answer (RFC 2387)."""
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("multipart/related")
    whole = b"Content-Type: " + answer.headers["content-type"].encode() + b"\r\n\r\n" + answer.content
    message = email.message_from_bytes(whole)
    assert message.is_multipart()
    assert not message.defects
    return message.get_payload()  # type: ignore[return-value]


def body_of(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload


def modes(mode: str, *outputs: str) -> dict[str, Any]:
    return {name: {"transmissionMode": mode} for name in outputs}


# --- core: landing page, API definition, conformance, HTTP


@abstract("core/landingpage-op", "core/landingpage-success")
def test_the_landing_page_leads_to_everything(user: User) -> None:
    page = valid(user.get("/"), LANDING_PAGE)
    by_rel = {link["rel"]: link for link in page["links"]}
    for rel in ("conformance", "processes", "job-list"):
        assert user.get(by_rel[f"http://www.opengis.net/def/rel/ogc/1.0/{rel}"]["href"]).status_code == 200
    assert by_rel["service-desc"]["type"] == f"{OPENAPI};version=3.1"


@abstract("core/api-definition-op", "core/api-definition-success")
def test_the_api_definition_comes_as_its_link_says(user: User) -> None:
    links = user.get("/").json()["links"]
    (link,) = [link for link in links if link["rel"] == "service-desc"]
    for accept in (link["type"], "*/*", OPENAPI, f"{OPENAPI};q=0.5,application/json;q=0.2"):
        answer = user.get(link["href"], headers={"Accept": accept})
        assert answer.headers["content-type"] == link["type"]
        assert answer.headers["vary"] == "Accept"
        assert answer.json()["openapi"].startswith("3.1")
    for accept in (
        "application/json",
        f"{OPENAPI};q=0.1, application/*",
        "text/html, application/json;q=0.9, */*;q=0.1",
    ):
        assert user.get(link["href"], headers={"Accept": accept}).headers["content-type"] == "application/json"


@abstract("core/conformance-op", "core/conformance-success")
def test_exactly_the_classes_are_claimed_that_have_their_tests_here(user: User) -> None:
    claimed = valid(user.get("/conformance"), CONFORMANCE)["conformsTo"]
    assert sorted(claimed) == sorted({CLASSES + name.split("/")[2] for name in TESTS})


@abstract("core/http")
def test_requests_are_answered_by_http_1_1(user: User) -> None:
    connection = user.raw("GET /conformance HTTP/1.1\r\nConnection: close")
    assert connection.recv(9) == b"HTTP/1.1 "


# --- core: processes


@abstract("core/process-list", "core/process-list-success", "core/pl-links")
def test_the_processes_are_listed(user: User) -> None:
    document = valid(user.get("/processes"), PROCESS_LIST)
    assert [summary["id"] for summary in document["processes"]] == ["decloud", "benchmark", "inspect"]
    (own,) = document["links"]  # JSON is the only representation: no alternate
    assert (own["rel"], user.get(own["href"]).json()) == ("self", document)


@abstract("core/pl-limit-definition")
def test_the_limit_of_processes_is_defined_as_it_must_be(user: User) -> None:
    limit = parameter(user, "/processes", "limit")
    assert (limit["in"], limit["required"]) == ("query", False)
    assert {limit["schema"][name] for name in ("type", "minimum", "maximum", "default")} == {"integer", 1, 10_000, 10}


@abstract("core/pl-limit-response")
def test_no_more_processes_come_than_the_limit_allows(user: User) -> None:
    for limit in (1, 10_000):
        assert len(valid(user.get(f"/processes?limit={limit}"), PROCESS_LIST)["processes"]) <= limit
    for limit in ("0", "-1", "10001", "x", ""):
        assert user.get(f"/processes?limit={limit}").status_code == 400


@abstract("core/process", "core/process-success")
def test_every_process_has_its_description(user: User) -> None:
    for summary in user.get("/processes").json()["processes"]:
        described = valid(user.get(f"/processes/{summary['id']}"), PROCESS)
        assert {name: described[name] for name in summary} == summary


@abstract("core/process-exception-no-such-process")
def test_another_process_is_refused_by_the_standards_name(user: User) -> None:
    refused(user.get("/processes/magic"), "no-such-process")
    refused(user.post("/processes/magic/execution", json={"inputs": {"sequence": user.sequence}}), "no-such-process")


# --- core: execution


@abstract("core/job-creation-op", "core/job-creation-success-async")
def test_an_execution_makes_a_job(user: User) -> None:
    job = created(execute(user))
    assert user.get(f"/jobs/{job}").json()["status"] == "accepted"


@abstract("core/job-creation-default-execution-mode")
def test_a_process_that_can_only_run_asynchronously_does_so_unasked(user: User) -> None:
    assert "sync-execute" not in user.get("/processes/decloud").json()["jobControlOptions"]
    answer = execute(user)
    created(answer)
    assert "preference-applied" not in answer.headers


@abstract("core/job-creation-auto-execution-mode")
def test_a_preference_for_asynchronous_execution_is_applied(user: User) -> None:
    for prefer in ("respond-async", "wait=5, respond-async", "Respond-Async"):
        answer = execute(user, prefer=prefer)
        created(answer)
        assert answer.headers["preference-applied"] == "respond-async"
    assert created(execute(user, prefer="respond-sync, wait=10"))  # what cannot be preferred is no error


@abstract("core/job-creation-request")
def test_what_the_standard_lets_a_request_say_is_taken(user: User) -> None:
    body = {
        "inputs": {"sequence": {"href": f"/uploads/{user.upload()}", "type": "application/zip"}, "seed": {"value": 3}},
        "outputs": {"report": {"format": {"mediaType": "application/json"}, "transmissionMode": "value"}},
        "response": "raw",
        "subscriber": {"successUri": "https://example.org/done"},
    }
    Draft202012Validator(EXECUTE).validate(body)
    created(user.post("/processes/decloud/execution", json=body))


@abstract("core/job-creation-inputs", "core/job-creation-input-inline")
def test_inline_values_are_taken_plain_and_qualified(api: ServedApi, user: User) -> None:
    plain = api.job(created(execute(user, {"seed": 7, "method": "linear", "false_colour": True})))
    qualified = {
        "seed": {"value": 7, "mediaType": "application/json"},
        "method": {"value": "linear", "encoding": "utf-8", "mediaType": "application/json"},
        "false_colour": {"value": True, "schema": {"type": "boolean"}},
    }
    assert api.job(created(execute(user, qualified))).params == plain.params


@abstract("core/job-creation-input-ref")
def test_the_sequence_is_given_by_reference(api: ServedApi, user: User) -> None:
    upload = user.upload()
    answer = user.post("/processes/decloud/execution", json={"inputs": {"sequence": {"href": f"/uploads/{upload}"}}})
    assert api.job(created(answer)).input_id == upload


@abstract("core/job-creation-input-inline-object")
def test_an_object_is_given_as_a_qualified_value(api: ServedApi, user: User) -> None:
    upload = user.upload()
    sequence = {"value": {"href": f"/uploads/{upload}"}, "mediaType": "application/json"}
    answer = user.post("/processes/decloud/execution", json={"inputs": {"sequence": sequence}})
    assert api.job(created(answer)).input_id == upload


@abstract("core/job-creation-input-inline-mixed")
def test_an_input_of_several_types_takes_each(api: ServedApi, user: User) -> None:
    inputs = user.get("/processes/decloud").json()["inputs"]
    mixed = [name for name, about in inputs.items() if {"enum": [None]} in about["schema"].get("anyOf", ())]
    assert "max_minutes" in mixed
    assert {name for name, about in inputs.items() if "anyOf" in about["schema"]} == {*mixed, "method_settings"}
    for name in mixed:
        number, nothing = inputs[name]["schema"]["anyOf"]
        assert nothing == {"enum": [None]}
        for value in (number["maximum"], {"value": number["maximum"]}):
            assert api.job(created(execute(user, {name: value}))).params[name] == number["maximum"]
        for value in (None, {"value": None}):
            assert name not in api.job(created(execute(user, {name: value}))).params


def test_the_settings_of_each_method_are_an_object_that_it_takes(api: ServedApi, user: User) -> None:
    alternatives = user.get("/processes/decloud").json()["inputs"]["method_settings"]["schema"]["anyOf"]
    assert len(alternatives) == len(METHODS)
    other = api.user()  # a quota holds for each
    for info, schema in zip(METHODS, alternatives, strict=True):
        settings = {name: about["default"] for name, about in schema.get("properties", {}).items()}
        for asker, value in ((user, settings), (other, {"value": settings})):
            job = api.job(created(execute(asker, {"method": info.name, "method_settings": value})))
            assert job.params["method_settings"] == settings


@abstract(
    "core/job-creation-input-array", "core/job-creation-input-inline-binary", "core/job-creation-input-inline-bbox"
)
def test_no_input_occurs_several_times_or_is_binary_or_a_bounding_box(user: User) -> None:
    for summary in user.get("/processes").json()["processes"]:
        inputs = user.get(f"/processes/{summary['id']}").json()["inputs"]
        assert len(inputs) > 1
        assert all(about["maxOccurs"] == 1 for about in inputs.values())
        schemas = [about["schema"] for about in inputs.values()]
        assert not [schema for schema in schemas if "contentEncoding" in schema or "bbox" in str(schema)]


@abstract("core/job-creation-input-validation")
def test_a_value_that_breaks_its_schema_is_named(user: User) -> None:
    inputs = user.get("/processes/decloud").json()["inputs"]
    asked = 0
    for name, about in inputs.items():
        for wrong in ("never", -1.5, {"a": 1}, [], 1e300):
            if name != "sequence" and Draft202012Validator(about["schema"]).is_valid(wrong):
                continue
            for value in (wrong, {"value": wrong}, {"value": wrong, "mediaType": "application/json"}):
                asked += 1
                (error, *_) = valid(execute(user, {name: value}), EXCEPTION, 400)["errors"]
                assert error["field"].startswith(f"inputs.{name}")
    assert asked > 200
    for value in (
        {"value": 1, "mediaType": "text/plain"},
        {"value": 1, "encoding": "base64"},
        {"value": 1, "unit": "m"},
    ):
        assert execute(user, {"seed": value}).json()["errors"][0]["field"].startswith("inputs.seed")


@abstract("core/job-creation-default-outputs")
def test_all_outputs_come_where_none_are_named(finish: Finish) -> None:
    described = finish().user.get("/processes/decloud").json()["outputs"]
    # All that this run has made: others are made where an input names them.
    made = {product.name for path in FILES if (product := product_at(path))} | {"manifest", "archive"}
    assert made < set(described)
    for outputs in ({}, {"outputs": {}}):
        assert set(valid(finish(**outputs).results(), RESULTS)) == made
    raw = {part["Content-ID"] for part in parts(finish(response="raw").results())}
    assert raw == made


@abstract(
    "core/job-creation-sync-raw-value-one",
    "core/job-creation-sync-raw-value-multi",
    "core/job-creation-sync-raw-ref",
    "core/job-creation-sync-raw-mixed-multi",
    "core/job-creation-sync-document",
    "core/job-results-sync",
)
def test_no_process_runs_synchronously(user: User) -> None:
    for summary in user.get("/processes").json()["processes"]:
        assert set(summary["jobControlOptions"]) == {"async-execute", "dismiss"}


# --- core: jobs and results


@abstract("core/job-op", "core/job-success")
def test_a_job_tells_its_status(api: ServedApi, user: User) -> None:
    job = created(execute(user))
    told = valid(user.get(f"/jobs/{job}"), STATUS_INFO)
    assert (told["jobID"], told["processID"], told["status"]) == (job, "decloud", "accepted")
    api.finish(job)
    assert valid(user.get(f"/jobs/{job}"), STATUS_INFO)["status"] == "successful"


@abstract("core/job-exception-no-such-job")
def test_another_job_is_refused_by_the_standards_name(user: User) -> None:
    refused(user.get("/jobs/none"), "no-such-job")


@abstract("core/job-results", "core/job-results-async-document")
def test_results_come_as_one_document(finish: Finish) -> None:
    linked = valid(finish(response="document").results(), RESULTS)
    assert [link["path"] for link in linked["declouded"]] == ["declouded/2021-05-01.tif", "declouded/2021-05-06.tif"]
    outputs = {**modes("value", "report", "declouded", "preview", "stac"), **modes("reference", "uncertainty")}
    done = finish(outputs=outputs, response="document")
    document = valid(done.results(), RESULTS)
    assert list(document) == list(outputs)
    assert document["report"] == {"value": {"psnr_db": 31.5}, "mediaType": "application/json"}
    assert [each["value"]["type"] for each in document["stac"]] == ["Feature", "Collection"]
    for each, path in zip(document["declouded"], ("declouded/2021-05-01.tif", "declouded/2021-05-06.tif"), strict=True):
        assert (each["encoding"], base64.b64decode(each["value"], validate=True)) == ("base64", FILES[path])
    assert base64.b64decode(document["preview"]["value"]) == FILES["preview.png"]
    assert done.user.get(document["uncertainty"]["href"]).content == FILES["uncertainty/2021-05-01.tif"]


@abstract("core/job-results-async-raw-value-one")
def test_one_output_comes_raw_as_itself(finish: Finish) -> None:
    for mode in ({"transmissionMode": "value"}, {}):
        answer = finish(outputs={"report": mode}, response="raw").results()
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert answer.content == FILES["report.json"]
    done = finish(outputs={"archive": {}}, response="raw")
    assert done.results().content == done.user.get(f"/jobs/{done.id}/results.zip").content
    part = done.results(Range="bytes=10-19")
    assert (part.status_code, part.content) == (206, done.results().content[10:20])


@abstract("core/job-results-async-raw-value-multi")
def test_several_outputs_come_raw_in_parts(finish: Finish) -> None:
    done = finish(outputs=modes("value", "preview", "declouded"), response="raw")
    found = parts(done.results())
    assert [part["Content-ID"] for part in found] == ["preview", "declouded", "declouded"]
    paths = ["preview.png", "declouded/2021-05-01.tif", "declouded/2021-05-06.tif"]
    assert [body_of(part) for part in found] == [FILES[path] for path in paths]
    assert [part["Content-Location"].partition("/results/")[2] for part in found] == paths
    assert found[0].get_content_type() == "image/png"


@abstract("core/job-results-async-raw-ref")
def test_outputs_by_reference_come_raw_as_link_headers(finish: Finish) -> None:
    done = finish(outputs=modes("reference", "report", "declouded"), response="raw")
    answer = done.results()
    assert (answer.status_code, answer.content) == (204, b"")
    found = re.findall(r'<([^>]+)>; rel="related"; title="(\w+)"; type="([^"]+)"', answer.headers["link"])
    assert [title for _, title, _ in found] == ["report", "report", "declouded", "declouded"]
    for href, _, media_type in found:
        assert done.user.get(href).headers["content-type"] == media_type


@abstract("core/job-results-async-raw-mixed-multi")
def test_values_and_references_come_raw_in_parts(finish: Finish) -> None:
    done = finish(outputs={**modes("value", "report"), **modes("reference", "preview")}, response="raw")
    value, reference = parts(done.results())
    assert (value["Content-ID"], body_of(value)) == ("report", FILES["report.json"])
    assert (reference["Content-ID"], body_of(reference)) == ("preview", b"")
    assert done.user.get(reference["Content-Location"]).content == FILES["preview.png"]


@abstract("core/job-results-exception-no-such-job")
def test_results_of_another_job_are_refused_by_the_standards_name(user: User) -> None:
    refused(user.get("/jobs/none/results"), "no-such-job")


@abstract("core/job-results-exception-results-not-ready")
def test_results_that_are_not_ready_are_refused_by_the_standards_name(user: User) -> None:
    refused(user.get(f"/jobs/{created(execute(user, response='raw'))}/results"), "result-not-ready")


@abstract("core/job-results-failed")
def test_the_results_of_a_failed_job_say_why(api: ServedApi, user: User) -> None:
    job = created(execute(user, response="raw"))
    jobs.fail(api.database, api.claim(job), {"code": "invalid-pixels", "detail": "B04 of 2021-05-01 holds NaN"})
    assert valid(user.get(f"/jobs/{job}/results"), EXCEPTION, 422)["type"].endswith("invalid-pixels")


# --- OGC process description, JSON


@abstract("ogc-process-description/json-encoding")
def test_the_description_is_as_the_standards_schema_wants_it(user: User) -> None:
    described = valid(user.get("/processes/decloud"), PROCESS)
    broken = {**described, "inputs": {"seed": {"schema": {"const": 1}}}}
    assert not Draft202012Validator(PROCESS).is_valid(broken)  # the schema tells


@abstract("ogc-process-description/inputs-def", "ogc-process-description/input-def")
def test_every_input_has_a_schema(user: User) -> None:
    for about in user.get("/processes/decloud").json()["inputs"].values():
        schema_is_valid(about["schema"])


@abstract("ogc-process-description/input-mixed-type")
def test_every_type_of_a_mixed_input_has_a_schema(user: User) -> None:
    inputs = user.get("/processes/decloud").json()["inputs"]
    kinds = [kind for about in inputs.values() for kind in about["schema"].get("anyOf", ())]
    assert kinds
    for kind in kinds:
        schema_is_valid(kind)


@abstract("ogc-process-description/outputs-def", "ogc-process-description/output-def")
def test_every_output_has_a_schema_that_says_its_media_type(user: User) -> None:
    for about in user.get("/processes/decloud").json()["outputs"].values():
        schema_is_valid(about["schema"])
        assert about["schema"].get("items", about["schema"])["contentMediaType"]


@abstract("ogc-process-description/output-mixed-type")
def test_no_output_is_of_several_types(user: User) -> None:
    for about in user.get("/processes/decloud").json()["outputs"].values():
        assert not {"anyOf", "oneOf", "allOf"} & set(about["schema"])


@abstract("json/definition")
def test_everything_comes_as_json(user: User, finish: Finish) -> None:
    job = finish().id
    paths = ("/", "/conformance", "/processes", "/processes/decloud", "/jobs", f"/jobs/{job}", f"/jobs/{job}/results",
             "/openapi.json")  # fmt: skip
    for path in paths:
        answer = user.get(path, headers={"Accept": "application/json"})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json"), path


# --- job list


@abstract("job-list/job-list-op", "job-list/job-list-success", "job-list/links", "job-list/processID-mandatory")
def test_the_jobs_are_listed(user: User) -> None:
    made = [created(execute(user)) for _ in range(3)]
    document = valid(user.get("/jobs"), JOB_LIST)
    assert [job["jobID"] for job in document["jobs"]] == made[::-1]
    (own,) = document["links"]
    assert own["rel"] == "self"
    first = valid(user.get("/jobs?limit=2"), JOB_LIST)
    (next_page,) = [link["href"] for link in first["links"] if link["rel"] == "next"]
    rest = valid(user.get(next_page), JOB_LIST)
    assert [job["jobID"] for page in (first, rest) for job in page["jobs"]] == made[::-1]
    assert [link["rel"] for link in rest["links"]] == ["self"]


@abstract(
    "job-list/type-definition",
    "job-list/processID-definition",
    "job-list/status-definition",
    "job-list/datetime-definition",
    "job-list/duration-definition",
    "job-list/limit-definition",
)
def test_the_filters_of_jobs_are_defined_as_they_must_be(user: User) -> None:
    for name in ("type", "processID", "status"):
        schema = parameter(user, "/jobs", name)["schema"]
        assert (schema["type"], schema["items"]["type"]) == ("array", "string")
    assert set(parameter(user, "/jobs", "status")["schema"]["items"]["enum"]) == {
        "accepted", "running", "successful", "failed", "dismissed",
    }  # fmt: skip
    assert parameter(user, "/jobs", "datetime")["schema"]["type"] == "string"
    for name in ("minDuration", "maxDuration"):
        assert parameter(user, "/jobs", name)["schema"]["type"] == "number"
    limit = parameter(user, "/jobs", "limit")["schema"]
    assert (limit["type"], limit["minimum"], limit["maximum"]) == ("integer", 1, 10_000)


@abstract("job-list/type-response", "job-list/processID-response")
def test_jobs_of_another_type_or_process_are_not_listed(user: User) -> None:
    job = created(execute(user))
    for query in ("type=process", "processID=decloud", "processID=magic&processID=decloud"):
        assert listed(user, query) == [job]
    for query in ("type=wps", "processID=magic"):
        assert listed(user, query) == []


@abstract("job-list/status-response")
def test_jobs_are_listed_by_status(api: ServedApi, user: User) -> None:
    waiting, done = created(execute(user)), created(execute(user))
    api.finish(done)
    assert listed(user, "status=accepted") == [waiting]
    assert listed(user, "status=successful") == [done]
    assert listed(user, "status=successful,accepted") == listed(user, "") == [done, waiting]


@abstract("job-list/datetime-response")
def test_jobs_are_listed_by_the_time_they_were_created(api: ServedApi, user: User) -> None:
    job = created(execute(user))
    at = datetime.fromtimestamp(api.job(job).created, UTC)
    before, after = (f"{at + timedelta(seconds=shift):%Y-%m-%dT%H:%M:%SZ}" for shift in (-60, 60))
    for interval in (f"{before}/{after}", f"../{after}", f"{before}/..", f"{at:%Y-%m-%d}"):
        assert listed(user, f"datetime={interval}") == [job]
    for interval in (f"../{before}", f"{after}/..", before):
        assert listed(user, f"datetime={interval}") == []


@abstract("job-list/duration-response")
def test_jobs_are_listed_by_how_long_they_ran(api: ServedApi, user: User) -> None:
    created(execute(user))  # has not begun: no duration
    done = created(execute(user))
    api.finish(done)
    assert listed(user, "minDuration=0") == listed(user, "maxDuration=100") == [done]
    assert listed(user, "minDuration=0&maxDuration=100") == [done]
    assert listed(user, "minDuration=100") == []


@abstract("job-list/limit-response")
def test_no_more_jobs_come_than_the_limit_allows(user: User) -> None:
    made = [created(execute(user)) for _ in range(3)]
    for limit in (1, 2, 10_000):
        assert listed(user, f"limit={limit}") == made[::-1][:limit]
    assert user.get("/jobs?limit=0").status_code == user.get("/jobs?limit=10001").status_code == 400


# --- callback, dismiss


@abstract("callback/job-callback")
def test_a_subscriber_is_told_and_led_to_the_results(serve: Serve, receiver: Receiver) -> None:
    api = serve(webhook_private_hosts=(receiver.host,), poll_s=0.02)
    user = api.user()
    api.finish(created(execute(user, subscriber={"successUri": f"{receiver.url}/done"})), FILES)
    courier = Courier(api.database, api.settings, open_signer(api.settings, b"signing secret"))
    courier.start()
    try:
        until(lambda: receiver.received, "no notice")
    finally:
        courier.stop()
    (notice,) = receiver.received
    told = notice.payload["data"]
    assert (notice.path, told["status"]) == ("/done", "successful")
    (results,) = [link["href"] for link in told["links"] if link["rel"].endswith("/results")]
    assert valid(user.get(results), RESULTS)["report"]


@abstract("dismiss/job-dismiss-op", "dismiss/job-dismiss-success")
def test_a_job_is_dismissed_wherever_it_is(api: ServedApi, user: User) -> None:
    waiting, running, done = (created(execute(user)) for _ in range(3))
    api.claim(running)
    api.finish(done, FILES)
    for job in (waiting, running, done):
        told = valid(user.delete(f"/jobs/{job}"), STATUS_INFO)
        assert (told["jobID"], told["status"]) == (job, "dismissed")
        assert all(user.get(link["href"]).status_code == 200 for link in told["links"] if link["rel"] in ("self", "up"))
    assert valid(user.delete(f"/jobs/{running}"), STATUS_INFO)["status"] == "dismissed"  # dismissing twice is once
    refused(user.get(f"/jobs/{done}"), "no-such-job")


# --- the table


def parameter(user: User, path: str, name: str) -> dict[str, Any]:
    known = user.get("/openapi.json").json()["paths"][path]["get"]["parameters"]
    return next(each for each in known if each["name"] == name)


def schema_is_valid(schema: dict[str, Any]) -> None:
    Draft202012Validator({**SCHEMA, "$defs": {"schema": SCHEMA}}).validate(schema)


def listed(user: User, query: str) -> list[str]:
    return [job["jobID"] for job in valid(user.get(f"/jobs?{query}"), JOB_LIST)["jobs"]]


def test_the_documentation_names_the_test_of_every_abstract_test() -> None:
    text = (ROOT / "docs" / "ogc.md").read_text()
    rows = re.findall(r"^\| `(/conf/[^`]+)` \| [^|]+ \| `(\w+)` \|$", text, re.MULTILINE)
    assert dict(rows) == TESTS
    assert len(rows) == len(TESTS)
