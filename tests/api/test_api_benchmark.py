"""The comparison of methods as a process: its description, refusals and results, and what the docs say of it."""

import json
import re
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from locations import ROOT
from service_api import ServedApi, User

from seq2seq.comparison.gaps import GAPS
from seq2seq.methods import METHODS
from seq2seq.processes import GAP_KINDS

ADDRESS = "/processes/benchmark/execution"
SECTION = (ROOT / "docs" / "ogc.md").read_text().partition("## The process `benchmark`\n")[2].partition("\n## ")[0]
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


@pytest.mark.parametrize("name", [info.name for info in METHODS])
@pytest.mark.parametrize(("process", "naming"), [("decloud", "method"), ("benchmark", "methods")])
def test_every_method_is_taken_by_either_process(user: User, process: str, naming: str, name: str) -> None:
    for named in (name, f"no-{name}"):
        inputs = {"sequence": user.sequence, naming: [named] if naming == "methods" else named}
        answer = user.post(f"/processes/{process}/execution?validate_only=true", json={"inputs": inputs})
        assert answer.status_code == (200 if named == name else 400), answer.text


def test_a_list_is_taken_plain_and_qualified(api: ServedApi, user: User) -> None:
    for methods in (["linear", "median"], {"value": ["linear", "median"], "mediaType": "application/json"}):
        assert api.job(execute(user, methods=methods).json()["id"]).params == {"methods": ["linear", "median"]}


# -- the docs


def said_by(answer: Any, documented: Any) -> Any:
    """Of an answer what the docs show of it, in their words: no host, `ID` for each id."""
    if isinstance(documented, dict):
        return {name: said_by(answer.get(name), about) for name, about in documented.items()}
    if isinstance(answer, str):
        return re.sub(r"^http://[^/]+", "", re.sub(r"[0-9a-f-]{36}", "ID", answer))
    return answer


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose first heading is that."""
    (table,) = re.findall(rf"^\| {heading} \|.*\n\|[-| ]+\|\n((?:\|.*\n)+)", SECTION, re.MULTILINE)
    return [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in table.splitlines()]


def test_the_example_of_the_docs_is_answered_as_they_say(api: ServedApi, user: User) -> None:
    request, created, estimate, results = map(json.loads, re.findall(r"^```json\n(.*?)^```", SECTION, re.M | re.S))
    assert said_by(user.sequence, {"href": ""}) == request["inputs"]["sequence"]
    request["inputs"]["sequence"] = user.sequence

    foreseen = user.post(f"{ADDRESS}?validate_only=true", json=request).json()
    assert said_by(foreseen, estimate) == estimate
    answer = user.post(ADDRESS, json=request)
    assert answer.status_code == 201
    assert said_by(answer.headers["location"], "") == "/jobs/ID"
    told = answer.json()
    told["inputs"]["sequence"] = {"href": said_by(told["inputs"]["sequence"]["href"], "")}
    assert said_by(told, created) == created
    api.finish(told["id"], FILES)
    links = user.get(f"/jobs/{told['id']}/results").json()
    assert set(links) == set(results)
    assert said_by(links, results) == results


def test_the_tables_of_the_docs_are_the_processs_own(user: User) -> None:
    described = user.get("/processes/benchmark").json()
    inputs = {name: (takes, default) for name, takes, default in rows("input")}
    assert set(inputs) == set(described["inputs"])
    for name in ("seeds", "max_minutes"):
        schema = described["inputs"][name]["schema"]
        takes, default = inputs[name]
        assert takes.startswith(f"{schema['minimum']:g} to {schema['maximum']:g}")
        assert default == f"{schema['default']:g}"
    assert json.loads(inputs["methods"][1]) == described["inputs"]["methods"]["schema"]["default"]
    assert all(f"`{kind}`" in inputs["gaps"][0] for kind in GAP_KINDS)
    outputs = {name: kind for name, _, kind in rows("output")}
    schemas = {name: about["schema"]["contentMediaType"] for name, about in described["outputs"].items()}
    assert {name: kind.partition(";")[0] for name, kind in schemas.items()} == outputs
