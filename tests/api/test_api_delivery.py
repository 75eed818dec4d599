"""Which outputs a job's results show, and how, beyond what the standard's tests ask."""

from typing import Any

import httpx
import pytest
from service_api import ServedApi, User

VALUE, REFERENCE = {"transmissionMode": "value"}, {"transmissionMode": "reference"}


def execute(user: User, *, key: str | None = None, **body: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return user.post(
        "/processes/decloud/execution", json={"inputs": {"sequence": user.sequence}, **body}, headers=headers
    )


def results(api: ServedApi, user: User, files: dict[str, bytes], **body: Any) -> httpx.Response:
    job = execute(user, **body).json()["id"]
    api.finish(job, files)
    return user.get(f"/jobs/{job}/results")


@pytest.mark.parametrize(
    ("outputs", "response", "field", "said"),
    [
        ({"preview": {"format": {"mediaType": "image/jpeg"}}}, "document", "mediaType", "must be image/png"),
        ({"declouded": {"format": {"mediaType": "application/json"}}}, "raw", "mediaType", "must be image/tiff"),
        (
            {"preview": {**VALUE, "format": {"encoding": "binary"}}},
            "document",
            "encoding",
            "must be base64, as a value",
        ),
        ({"preview": {"format": {"encoding": "base64"}}}, "raw", "encoding", "must be binary, as a value in a raw"),
        ({"report": {"format": {"encoding": "base64"}}}, "raw", "encoding", "must be utf-8"),
        ({"report": {"format": {"encoding": "utf-16"}}}, "raw", "encoding", "must be"),
        ({"report": {"transmissionMode": "pigeon"}}, "raw", "transmissionMode", "must be 'value' or 'reference'"),
        ({"report": {"mode": "value"}}, "raw", "mode", "no such member"),
        ({"result": {}}, "raw", "result", "must be 'declouded'"),
        ({}, "cooked", "response", "must be 'document' or 'raw'"),
    ],
)
def test_what_an_output_cannot_be_is_refused_with_what_it_is(
    user: User, outputs: dict[str, Any], response: str, field: str, said: str
) -> None:
    answer = execute(user, outputs=outputs, response=response)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert field in error["field"]
    assert said in error["detail"]


def test_a_format_may_be_said_as_the_description_has_it(user: User) -> None:
    asked = {}
    for name, about in user.get("/processes/decloud").json()["outputs"].items():
        schema = about["schema"].get("items", about["schema"])
        asked[name] = {"format": {"mediaType": schema["contentMediaType"], "schema": schema}}
    answer = execute(user, outputs=asked, response="raw")
    assert answer.status_code == 201, answer.text


def test_outputs_that_this_job_did_not_make_are_left_out(api: ServedApi, user: User) -> None:
    outputs = {"uncertainty": {}, "report": {}}
    document = results(api, user, {"report.json": b"{}"}, outputs=outputs)
    assert list(document.json()) == ["report"]
    missing = results(api, user, {"report.json": b"{}"}, outputs={"uncertainty": {}}, response="raw")
    assert (missing.status_code, missing.json()["code"]) == (404, "not-found")
    assert "uncertainty" in missing.json()["detail"]


def test_links_that_no_header_holds_lead_to_the_archive(api: ServedApi, user: User) -> None:
    files = {f"declouded/2021-{month:02}-{day:02}.tif": b"II*" for month in range(1, 13) for day in range(1, 29)}
    outputs = {"declouded": REFERENCE, "report": REFERENCE}
    answer = results(api, user, {**files, "report.json": b"{}"}, outputs=outputs, response="raw")
    assert answer.status_code == 204
    first, second = answer.headers["link"].split(", ")
    assert "/results.zip>" in first
    assert 'title="declouded"; type="application/zip"' in first
    assert "/results/report.json>" in second
    assert len(answer.headers["link"]) < 8000


def test_references_are_signed_where_values_stand_beside_them(api: ServedApi, user: User) -> None:
    job = execute(user, outputs={"report": VALUE, "preview": REFERENCE}).json()["id"]
    api.finish(job, {"report.json": b"{}", "preview.png": b"png"})
    document = user.get(f"/jobs/{job}/results?signed=true").json()
    assert document["report"]["value"] == {}
    assert api.anybody().get(document["preview"]["href"]).content == b"png"


def test_another_wish_for_outputs_is_another_request(user: User) -> None:
    first = execute(user, key="k", outputs={"report": {}})
    assert execute(user, key="k", outputs={"report": REFERENCE}).json()["id"] == first.json()["id"]
    other = execute(user, key="k", outputs={"report": VALUE})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-conflict")


def test_another_job_like_it_shows_the_same_outputs(api: ServedApi, user: User) -> None:
    first = execute(user, outputs={"report": VALUE}, response="raw").json()["id"]
    again = user.post(f"/jobs/{first}/resubmit").json()["id"]
    api.finish(again, {"report.json": b'{"again": true}'})
    assert user.get(f"/jobs/{again}/results").json() == {"again": True}


def test_a_body_of_many_values_is_sent_in_pieces_and_in_part(api: ServedApi, user: User) -> None:
    large = bytes(range(256)) * 20_000
    job = execute(user, outputs={"declouded": VALUE, "report": VALUE}).json()["id"]
    api.finish(job, {"declouded/2021-05-01.tif": large, "report.json": b"{}"})
    whole = user.get(f"/jobs/{job}/results")
    assert int(whole.headers["content-length"]) == len(whole.content) > len(large)
    part = user.get(f"/jobs/{job}/results", headers={"Range": "bytes=1000001-1000500"})
    assert (part.status_code, part.content) == (206, whole.content[1000001:1000501])
    same = user.get(f"/jobs/{job}/results", headers={"If-None-Match": whole.headers["etag"]})
    assert same.status_code == 304
