"""Requests made up from our own OpenAPI, valid and broken ones: no 5xx, and no answer that is not as described."""

import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis.errors import Unsatisfiable
from jsonschema import Draft202012Validator
from picture_packs import packed
from schemathesis import Case, CheckContext, GenerationMode, Response
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from service_api import ServedApi, User

from api.http.addresses import results_prefix
from api.routes import page as routes
from seq2seq.page import Page
from worker import clock, jobs
from worker.signing.addresses import sign_below

MANY = 2**40
REJECTIONS = [400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 422, 429, 460]
schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")


@pytest.fixture(scope="module")
def known(api: ServedApi) -> User:
    """Somebody whom no limit stops."""
    return api.user(
        requests_per_minute=MANY, max_queued_per_owner=MANY, max_running_per_owner=MANY, max_stored_bytes_per_owner=MANY
    )


@pytest.fixture(scope="module")
def described(known: User) -> BaseSchema:
    checks = {"negative_data_rejection": {"expected-statuses": REJECTIONS}}
    config = schemathesis.Config.from_dict({"checks": checks})
    return schemathesis.openapi.from_url(f"{known.api.url}/openapi.json", config=config)


@pytest.fixture(autouse=True)
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of a single file."""
    (tmp_path / "index.html").write_text("<!doctype html>")
    monkeypatch.setattr(routes, "_PAGE", Page(tmp_path))


# Its answer has no end, which each request would wait for.
ENDLESS = "GET /jobs/events"


def operations(schema: BaseSchema) -> Iterator[APIOperation]:
    for found in schema.get_all_operations():
        if found.ok().label != ENDLESS:
            yield found.ok()


# What OpenAPI cannot say of a request, by operation: how its refusal names it. That a tag is printable is no pattern.
SUBMITTED = "a tag has|more than half of tile_px|outputs.*format|subscriber|destination|products is"
UNSAID = {
    "POST /uploads": "different keys|announced in all",
    "PUT /uploads/{name}": "Digest",
    "PATCH /uploads/{upload_id}": "announced in all",
    "POST /processes/{process_id}/execution": SUBMITTED,
    "POST /processes/benchmark/execution": "a tag has|outputs.*format|subscriber|destination",
    "POST /processes/inspect/execution": SUBMITTED,
    "POST /uploads/{upload_id}/inspect": "more than half of tile_px|products is",
    "POST /groups": SUBMITTED,
    "PATCH /jobs/{job_id}": "a tag has",
    "POST /jobs/{job_id}/resubmit": SUBMITTED + "|inputs[.](gaps|seeds|methods)",
}
# A list's parameter that is one plain value is a list of one on the wire.
MISJUDGED = {"GET /jobs": [negative_data_rejection]}


class Things:
    """What requests are about: jobs in every state, and uploads, so that those that are valid have something to do."""

    def __init__(self, user: User) -> None:
        self._user = user
        self._made = itertools.count()
        self._jobs: dict[int, str] = {}

    def for_path(self, label: str, names: Iterable[str]) -> dict[str, str]:
        """Others each time where a request may end them."""
        found = {"path": "index.html"} if "/page/" in label else {}
        if "upload_id" in names:
            found["upload_id"] = self._user.upload() if next(self._made) % 2 else self._begun()
        if "job_id" in names:
            kind = 1 if re.search("results|pictures|events|signed", label) else next(self._made) % 4
            found["job_id"] = job = self._job(kind) if label.startswith("DELETE") else self._kept(kind)
            services = self._user.api.app.state.services
            token = sign_below(results_prefix(job), expires=int(clock.now()) + 60, secret=services.secret)
            found |= {"token": token, "path": "scene.json" if "pictures" in label else "report.json"}
        if "group_id" in names:
            found["group_id"] = self._group(finished="results" in label)
        return {name: value for name, value in found.items() if name in names}

    def upload(self) -> str:
        """A complete one."""
        return str(self._user.upload())

    def _kept(self, kind: int) -> str:
        if kind not in self._jobs:
            self._jobs[kind] = self._job(kind)
        return self._jobs[kind]

    def _job(self, kind: int) -> str:
        """Waiting, successful, failed or dismissed; the next to be claimed, whatever waits already."""
        body = {"inputs": {"sequence": self._user.sequence}, "priority": 100}
        job = str(self._user.post("/processes/decloud/execution", json=body).json()["jobID"])
        if kind == 1:
            self._user.api.finish(job, {"report.json": b"{}", "pictures.zip": packed({"scene.json": b"{}"})})
        elif kind == 2:
            jobs.fail(self._user.api.database, self._user.api.claim(job), {"code": "internal-error", "detail": "-"})
        elif kind == 3:
            self._user.delete(f"/jobs/{job}")
        return job

    def _group(self, *, finished: bool) -> str:
        """Of one job."""
        made = self._user.post("/groups", json={"sequences": [self._user.sequence], "priority": 100}).json()
        if finished:
            self._user.api.finish(made["jobs"][0]["jobID"])
        return str(made["id"])

    def _begun(self) -> str:
        headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "1000"}
        return str(self._user.post("/uploads", headers=headers).headers["location"].rpartition("/")[2])


def made_whole(case: Case, things: Things) -> None:
    """A request that is to be valid is about something there is, and keeps to what the headers say of each other."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    case.path_parameters.update(things.for_path(case.operation.label, set(case.path_parameters)))
    if "wait" in case.query:
        case.query["wait"] = min(float(case.query["wait"]), 0.1)  # nothing will happen to it
    if "wait_s" in case.query:
        case.query["wait_s"] = min(float(case.query["wait_s"]), 0.1)
    for reference in case.body.get("sequences", ()) if isinstance(case.body, dict) else ():
        reference["href"] = f"/uploads/{things.upload()}"
    if "Upload-Offset" in case.headers:
        case.headers["Upload-Offset"] = "0"
        case.headers.pop("Upload-Checksum", None)  # of other bytes
    if case.headers.get("Upload-Concat", "").startswith("final"):
        case.headers["Upload-Concat"] = "partial"  # there are no parts of these names
    sequence = case.body.get("inputs", {}).get("sequence") if isinstance(case.body, dict) else None
    if isinstance(sequence, dict) and "href" in sequence:
        sequence["href"] = f"/uploads/{things.upload()}"
    either = case.operation.definition.raw.get("x-headers")
    if either is not None and not Draft202012Validator(either).is_valid(dict(case.headers)):
        case.headers.pop("Upload-Defer-Length", None)
        case.headers["Upload-Length"] = "5"
    if case.operation.label == "POST /uploads" and "Upload-Length" in case.headers:
        case.headers["Upload-Length"] = "100000"  # no less than comes with it


def valid_requests_are_accepted(_: CheckContext, response: Response, case: Case) -> None:
    """Or there is nothing that they ask for; or what is wrong is among the few things that no schema can say."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in (400, 412):
        return
    reasons = UNSAID.get(case.operation.label)
    assert reasons is not None, response.text
    assert re.search(reasons, response.text), response.text


def ask(operation: APIOperation, mode: GenerationMode, user: User, examples: int, *, repeatable: bool) -> list[int]:
    """The statuses that requests were answered with."""
    made, things = [], Things(user)

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=repeatable,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode))
    def check(case: Case) -> None:
        assume(not any(value in ([], {}) for value in (case.query or {}).values()))  # which is nothing on the wire
        made_whole(case, things)
        answer = case.call_and_validate(
            headers={"Authorization": f"Bearer {user.key}"},
            additional_checks=[valid_requests_are_accepted],
            excluded_checks=[positive_data_acceptance, *MISJUDGED.get(operation.label, ())],
        )
        made.append(answer.status_code)

    try:
        check()
    except Unsatisfiable:  # nothing about it can be broken
        assert mode.is_negative
    return made


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_a_few_requests_of_every_kind_are_answered_as_described(
    described: BaseSchema, known: User, mode: GenerationMode
) -> None:
    made = {operation.label: ask(operation, mode, known, 2, repeatable=True) for operation in operations(described)}
    assert len(made) > 25
    assert sum(map(len, made.values())) > 20
    if mode.is_positive:
        pointless = [label for label, statuses in made.items() if min(statuses) >= 400]
        assert pointless == [], "nothing valid was asked"


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_many_requests_of_every_kind_are_answered_as_described(
    described: BaseSchema, known: User, mode: GenerationMode
) -> None:
    for operation in operations(described):
        ask(operation, mode, known, 150, repeatable=False)
