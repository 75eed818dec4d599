"""The comparison of methods as a process: its description, what it refuses, and its results."""

from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from service_api import ServedApi, User

from seq2seq.comparison.gaps import GAPS
from seq2seq.methods import METHODS
from seq2seq.processes import GAP_KINDS

ADDRESS = "/processes/benchmark/execution"
FILES = {"table.csv": b"gap,method\n", "table.md": b"# Table\n", "report.html": b"<p>", "results.json": b"{}"}


def execute(user: User, query: str = "", *, outputs: Any = None, response: str = "document", **given: Any) -> Any:
    body: dict[str, Any] = {"inputs": {"sequence": user.sequence, **given}, "response": response}
    return user.post(ADDRESS + query, json={**body, "outputs": outputs or {}})


def test_the_kinds_of_gap_are_those_of_the_comparison() -> None:
    assert tuple(GAPS) == GAP_KINDS


def test_it_is_described_beside_the_other_with_inputs_and_outputs(user: User) -> None:
    described = user.get("/processes/benchmark").json()
    assert set(described["inputs"]) == {"sequence", "methods", "gaps", "seeds", "max_minutes"}
    assert set(described["outputs"]) == {"table", "table_md", "report", "results", "manifest", "archive"}
    for about in described["inputs"].values():
        Draft202012Validator.check_schema(about["schema"])
    methods = Draft202012Validator(described["inputs"]["methods"]["schema"])
    assert [methods.is_valid(given) for given in ("all", ["linear"], ["magic"], [], "linear")] == [
        True,
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"methods": ["linear", "magic"]}, "inputs.methods.1", "'guided'"),
        ({"methods": []}, "inputs.methods", "at least 1"),
        ({"gaps": ["hail"]}, "inputs.gaps.0", "'cloud', 'date' or 'run'"),
        ({"seeds": 11}, "inputs.seeds", "less than or equal to 10"),
        ({"max_minutes": 61}, "inputs.max_minutes", "less than or equal to 60"),
        ({"device": "cpu"}, "inputs.device", "no such member"),
        ({"outputs": {"declouded": {}}}, "outputs.declouded", "'table'"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_its_place(
    user: User, given: dict[str, Any], field: str, said: str
) -> None:
    answer: httpx.Response = execute(user, **given)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["field"].startswith(field)
    assert said in error["detail"]


def test_the_estimate_bounds_the_time(user: User) -> None:
    estimate = execute(user, "?validate_only=true", methods=["median"], gaps=["cloud"], seeds=2).json()["estimate"]
    assert estimate["seconds"] == 2 * 60 * 2 * 2  # linear interpolation too
    whole = execute(user, "?validate_only=true", methods="all").json()["estimate"]
    assert whole["seconds"] == len(METHODS) * 3 * 120


def test_its_job_says_its_process_and_is_listed_and_resubmitted_as_such(api: ServedApi, user: User) -> None:
    other = user.submit()
    answer = execute(user, methods=["linear", "linear", "median"], seeds=2)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told["processID"] == api.job(told["id"]).process == "benchmark"
    assert told["process"]["href"].endswith("/processes/benchmark")
    assert api.job(told["id"]).params == {"methods": ["linear", "median"], "seeds": 2}
    for name, job in (("benchmark", told["id"]), ("decloud", other)):
        assert [each["id"] for each in user.get(f"/jobs?processID={name}").json()["jobs"]] == [job]
    again = user.post(f"/jobs/{told['id']}/resubmit", json={"inputs": {"seeds": 1, "methods": "all"}})
    assert again.status_code == 201, again.text
    assert again.json()["processID"] == "benchmark"
    assert api.job(again.json()["id"]).params == {"seeds": 1}
    refused = user.post(f"/jobs/{told['id']}/resubmit", json={"inputs": {"tile_px": 64}})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "inputs.tile_px")


def test_its_results_are_four_files_by_their_kinds(api: ServedApi, user: User) -> None:
    job = execute(user).json()["id"]
    api.finish(job, FILES)
    links = user.get(f"/jobs/{job}/results?signed=true").json()
    kinds = {name: link["type"].partition(";")[0] for name, link in links.items()}
    assert kinds == {
        "table": "text/csv",
        "table_md": "text/markdown",
        "report": "text/html",
        "results": "application/json",
        "manifest": "application/json",
        "archive": "application/zip",
    }
    page = httpx.get(links["report"]["href"], trust_env=False)
    assert page.content == FILES["report.html"]
    assert "sandbox" in page.headers["content-security-policy"]
    known = {"If-None-Match": page.headers["etag"]}
    assert httpx.get(links["report"]["href"], headers=known, trust_env=False).status_code == 304
    assert user.get(f"/jobs/{job}/results.zip").status_code == 200


def test_one_output_comes_raw(api: ServedApi, user: User) -> None:
    job = execute(user, outputs={"report": {}}, response="raw").json()["id"]
    api.finish(job, FILES)
    answer = user.get(f"/jobs/{job}/results")
    assert (answer.content, answer.headers["content-type"].partition(";")[0]) == (FILES["report.html"], "text/html")
    assert "sandbox" in answer.headers["content-security-policy"]
