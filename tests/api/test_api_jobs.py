"""Jobs over HTTP: submitted, looked at, waited for, listed, ended, repeated."""

import re
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from service_api import ServedApi, User
from service_jobs import an_artifact

from api.client.jobs import RemoteJob
from seq2seq.config import ReconstructionConfig
from seq2seq.estimate import estimate
from seq2seq.methods import METHODS
from seq2seq.tiling import plan_tiles
from worker import jobs

# as pydantic lists them
NAMES = f"{', '.join(repr(info.name) for info in METHODS[:-1])} or {METHODS[-1].name!r}"


def execute(user: User, body: dict[str, Any], **headers: str) -> httpx.Response:
    return user.post("/processes/decloud/execution", json=body, headers=headers)


def code_of(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"].endswith(problem["code"])
    return str(problem["code"])


def test_a_job_is_accepted_with_its_address_and_status(user: User) -> None:
    upload = user.upload()
    answer = execute(
        user,
        {"inputs": {"sequence": {"href": f"/uploads/{upload}"}, "max_minutes": 5, "seed": 1}, "name": "fields"},
        Prefer="respond-async",
    )
    assert answer.status_code == 201
    job = answer.json()
    assert answer.headers["location"] == f"{user.api.url}/jobs/{job['jobID']}"
    assert answer.headers["preference-applied"] == "respond-async"
    assert job["status"] == "accepted"
    assert job["processID"] == "decloud"
    assert job["type"] == "process"
    assert job["id"] == job["jobID"]
    assert job["name"] == "fields"
    assert job["progress"] == 0
    assert job["inputs"] == {"sequence": {"href": f"/uploads/{upload}"}, "max_minutes": 5.0, "seed": 1}
    stored = user.api.job(job["jobID"])
    assert stored.owner == user.owner
    assert stored.input_id == upload
    assert stored.params == {"max_minutes": 5, "seed": 1}
    assert user.get(answer.headers["location"]).json() == job


def test_an_upload_may_be_named_by_its_whole_address(user: User) -> None:
    upload = user.upload()
    answer = execute(user, {"inputs": {"sequence": {"href": f"{user.api.url}/uploads/{upload}"}}})
    assert user.api.job(answer.json()["id"]).input_id == upload


@pytest.mark.parametrize(
    "href",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://example.org/uploads/ID",
        "file:///etc/passwd",
        "/uploads/../jobs",
        "/uploads/",
        "//[",
        "http://[::1/uploads/x",
        "/vsicurl/http://example.org/x.tif",
        "/uploads/a?b",
        "\x00",
        "",
    ],
)
def test_no_other_address_than_an_upload_is_taken(user: User, href: str) -> None:
    answer = execute(user, {"inputs": {"sequence": {"href": href}}})
    assert answer.status_code == 400
    assert code_of(answer) == "invalid-request"
    assert answer.json()["errors"][0]["pointer"] == "#/inputs/sequence/href"


@pytest.mark.parametrize(
    ("inputs", "field", "said"),
    [
        ({"seed": -1}, "inputs.seed", "greater than or equal to 0"),
        ({"seed": "1"}, "inputs.seed", "integer"),
        ({"method": "magic"}, "inputs.method", NAMES),
        ({"recipe": "magic"}, "inputs.recipe", "'internal' or 'paper'"),
        ({"method_settings": {"steps": 0}}, "inputs.method_settings.steps", "greater than or equal to 1"),
        ({"method_settings": {"stepz": 1}}, "inputs.method_settings.stepz", "no such member"),
        ({"validation_settings": {"attempts": 1}}, "inputs.validation_settings", "no such member"),
        ({"method": "linear", "method_settings": {"steps": 1}}, "inputs.method_settings.steps", "no such member"),
        ({"max_minutes": 0}, "inputs.max_minutes", "0.1"),
        ({"sead": 1}, "inputs.sead", "no such member"),
        ({"device": "cuda:1"}, "inputs.device", "auto"),
        ({"vgg16_weights": "/etc/passwd"}, "inputs.vgg16_weights", "null"),
        (
            {"method": "dsen2-cr", "method_settings": {"weights": "/etc/passwd"}},
            "inputs.method_settings.weights",
            "null",
        ),
        ({"false_colour": 1}, "inputs.false_colour", "true or false"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(
    user: User, inputs: dict[str, Any], field: str, said: str
) -> None:
    answer = execute(user, {"inputs": {"sequence": {"href": "/uploads/x"}, **inputs}})
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert said in error["detail"]


def test_settings_that_contradict_each_other_are_told_with_their_values(user: User) -> None:
    answer = execute(user, {"inputs": {"sequence": user.sequence, "tile_px": 32, "overlap_px": 32}})
    assert (answer.status_code, code_of(answer)) == (400, "invalid-config")
    assert "overlap_px 32 is more than half of tile_px 32" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "missing"),
        (b"{", "no JSON"),
        (b"[1]", "object"),
        (b'{"inputs": ' + b"[" * 50_000, "pars"),
        (b"\xff\xfe", "no JSON"),
    ],
)
def test_a_body_that_is_no_json_is_told_as_such(user: User, content: bytes, said: str) -> None:
    answer = user.post("/processes/decloud/execution", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert code_of(answer) == "invalid-request"
    assert said in answer.text


def test_the_simulated_method_does_not_exist_in_production(user: User) -> None:
    answer = execute(user, {"inputs": {"sequence": user.sequence, "method": "simulated"}})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "inputs.method"


def test_a_job_needs_a_sequence(user: User) -> None:
    answer = execute(user, {"inputs": {"method": "linear"}})
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["field"], error["detail"]) == (
        "inputs.sequence",
        'is missing: {"href": "/uploads/ID"} of a complete upload',
    )


def test_an_incomplete_or_foreign_upload_makes_no_job(api: ServedApi, user: User) -> None:
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "10"}
    begun = user.post("/uploads", headers=tus).headers["location"].rpartition("/")[2]
    answer = execute(user, {"inputs": {"sequence": {"href": f"/uploads/{begun}"}}})
    assert (answer.status_code, code_of(answer)) == (409, "upload-not-ready")
    foreign = api.user().upload()
    answer = execute(user, {"inputs": {"sequence": {"href": f"/uploads/{foreign}"}}})
    assert (answer.status_code, code_of(answer)) == (404, "not-found")


def test_the_same_idempotency_key_gives_the_same_job_and_another_request_a_conflict(user: User) -> None:
    body = {"inputs": {"sequence": user.sequence, "seed": 1}}
    first = execute(user, body, **{"Idempotency-Key": "k"})
    again = execute(user, body, **{"Idempotency-Key": "k"})
    assert again.status_code == 201
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    other = execute(user, {"inputs": {"sequence": user.sequence, "seed": 2}}, **{"Idempotency-Key": "k"})
    assert (other.status_code, code_of(other)) == (422, "idempotency-conflict")
    assert len(user.get("/jobs").json()["jobs"]) == 1


def test_a_full_queue_is_refused_with_the_numbers_and_when_to_try_again(api: ServedApi) -> None:
    user = api.user(max_queued_per_owner=1)
    user.submit()
    answer = execute(user, {"inputs": {"sequence": user.sequence}})
    assert (answer.status_code, code_of(answer)) == (429, "quota-exceeded")
    assert int(answer.headers["retry-after"]) > 0
    problem = answer.json()
    assert (problem["quota"], problem["limit"], problem["used"]) == ("max_queued_per_owner", 1, 1)


def test_validating_only_checks_everything_and_stores_nothing(user: User) -> None:
    upload = user.upload()
    sequence = {"href": f"/uploads/{upload}"}
    address = "/processes/decloud/execution?validate_only=true"
    shape = {"dates": 12, "bands": 10, "height": 96, "width": 96}
    known = user.post(address, json={"inputs": {"sequence": sequence, "shape": shape}})
    assert known.status_code == 200
    assert known.json()["valid"] is True
    told, expected = known.json()["estimate"], estimate((12, 10, 96, 96), ReconstructionConfig())
    assert told["seconds"] == pytest.approx(expected.seconds, abs=0.1)
    assert told["memory_gb"] == pytest.approx(expected.memory_gb, abs=0.01)
    assert told["tiles"] == 1
    unknown = user.post(address, json={"inputs": {"sequence": sequence, "max_minutes": 5}}).json()["estimate"]
    assert "seconds" not in unknown
    assert unknown["limits"]["seconds"] == 300
    assert user.post(address, json={"inputs": {"sequence": sequence, "seed": -1}}).status_code == 400
    assert user.post(address, json={"inputs": {"sequence": {"href": "/uploads/x"}}}).status_code == 404
    too_large = {"dates": 1000, "height": 100_000, "width": 100_000}
    assert user.post(address, json={"inputs": {"sequence": sequence, "shape": too_large}}).status_code == 429
    assert user.get("/jobs").json()["jobs"] == []


@pytest.mark.parametrize(("height", "width", "tile_px", "overlap_px"), [(700, 300, 128, 32), (128, 129, 128, 0)])
def test_a_scene_has_as_many_tiles_as_a_run_plans(
    user: User, height: int, width: int, tile_px: int, overlap_px: int
) -> None:
    shape = {"dates": 3, "bands": 10, "height": height, "width": width}
    inputs = {"sequence": user.sequence, "shape": shape, "tile_px": tile_px, "overlap_px": overlap_px}
    answer = user.post("/processes/decloud/execution?validate_only=true", json={"inputs": inputs})
    tiles = plan_tiles(height, width, tile_px=tile_px, overlap_px=overlap_px)
    assert answer.json()["estimate"]["tiles"] == len(tiles)


def test_another_owners_job_does_not_exist_whatever_is_asked_of_it(api: ServedApi, user: User) -> None:
    job = api.user().submit()
    asked = [
        user.get(f"/jobs/{job}"),
        user.get(f"/jobs/{job}?wait=1"),
        user.get(f"/jobs/{job}/log"),
        user.get(f"/jobs/{job}/events"),
        user.get(f"/jobs/{job}/results"),
        user.get(f"/jobs/{job}/results/report.json"),
        user.get(f"/jobs/{job}/results.zip"),
        user.delete(f"/jobs/{job}"),
        user.post(f"/jobs/{job}/resubmit"),
    ]
    missing = user.get(f"/jobs/{uuid.uuid4()}").json()
    for answer in asked:
        assert (answer.status_code, code_of(answer)) == (404, "no-such-job"), answer.request.url
        assert answer.json()["type"] == missing["type"]
    assert missing["type"] == "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/no-such-job"
    assert api.job(job).status == "accepted"


@pytest.mark.parametrize("job_id", ["x" * 300, "a%00b", "..%2f..%2fetc", "%F0%9F%92%A5", "*", "' OR 1=1 --"])
def test_what_is_no_id_is_no_job(user: User, job_id: str) -> None:
    for tail in ("", "?wait=1", "/log", "/events", "/results"):
        assert user.get(f"/jobs/{job_id}{tail}").status_code == 404


def test_progress_is_told_with_phase_step_and_time_left(api: ServedApi, user: User) -> None:
    job_id = user.submit()
    job = api.claim(job_id)
    progress = {"phase": "fitting", "step": 30, "of": 100, "loss": 0.5, "holdout_psnr": 31.5, "eta_s": 1e9}
    jobs.heartbeat(api.database, job, lease_s=60, progress=progress)
    told = user.get(f"/jobs/{job_id}").json()
    assert told["status"] == "running"
    assert told["attempt"] == job.attempt
    assert {name: told[name] for name in progress} == progress
    assert told["message"] == "Running: fitting."
    assert told["progress"] == 0
    jobs.heartbeat(api.database, job, lease_s=60, progress={**progress, "eta_s": 0.0})
    assert user.get(f"/jobs/{job_id}").json()["progress"] == 99


def test_a_failed_job_says_why_in_its_status_and_as_its_result(api: ServedApi, user: User) -> None:
    job_id = user.submit()
    place = {"file": "S2/2021-05-01.tif", "band": "B04", "date": "2021-05-01", "detail": "is NaN"}
    error = {"code": "invalid-pixels", "detail": "B04 of 2021-05-01 holds NaN", "errors": [place]}
    jobs.fail(api.database, api.claim(job_id), error)
    told = user.get(f"/jobs/{job_id}").json()
    assert told["status"] == "failed"
    assert told["message"] == error["detail"]
    answer = user.get(f"/jobs/{job_id}/results")
    assert (answer.status_code, code_of(answer)) == (422, "invalid-pixels")
    assert answer.json()["errors"] == [place]
    assert told["exception"] == answer.json()
    assert any(link["rel"].endswith("exceptions") for link in told["links"])


def test_cancelling_is_immediate_for_waiting_jobs_and_asked_for_for_running_ones(api: ServedApi, user: User) -> None:
    waiting, running = user.submit(), user.submit()
    claimed = api.claim(running)
    assert user.delete(f"/jobs/{waiting}").json()["status"] == "dismissed"
    told = user.delete(f"/jobs/{running}").json()
    assert told["status"] == "dismissed"
    assert "cancel_requested" in told
    assert told["message"].startswith("Cancelling")
    assert user.get(f"/jobs/{running}").json()["status"] == "running"  # until its worker has stopped it
    assert user.delete(f"/jobs/{running}").status_code == 200
    jobs.dismissed(api.database, claimed)
    assert user.get(f"/jobs/{running}").json()["status"] == "dismissed"
    assert code_of(user.get(f"/jobs/{running}/results")) == "job-dismissed"


def test_deleting_an_ended_job_removes_it_unless_it_is_to_be_kept(api: ServedApi, user: User) -> None:
    job_id = user.submit()
    api.finish(job_id)
    assert user.delete(f"/jobs/{job_id}?keep=true").json()["status"] == "successful"
    assert user.get(f"/jobs/{job_id}/results").status_code == 200
    removed = user.delete(f"/jobs/{job_id}")
    assert (removed.status_code, removed.json()["status"], removed.json()["message"]) == (200, "dismissed", "Removed.")
    assert user.get(f"/jobs/{job_id}").status_code == 404
    assert user.delete(f"/jobs/{job_id}").status_code == 404


def test_a_job_is_submitted_again_with_other_settings(api: ServedApi, user: User) -> None:
    upload = user.upload()
    inputs = {"sequence": {"href": f"/uploads/{upload}"}, "seed": 1, "max_minutes": 5}
    first = execute(user, {"inputs": inputs, "name": "fields", "priority": 3}).json()
    again = user.post(f"/jobs/{first['id']}/resubmit", json={"inputs": {"seed": 2, "max_minutes": None}})
    assert again.status_code == 201
    assert again.json()["id"] != first["id"]
    job = api.job(again.json()["id"])
    assert (job.input_id, job.params, job.name, job.priority) == (upload, {"seed": 2}, "fields", 3)
    same = user.post(f"/jobs/{first['id']}/resubmit").json()
    assert same["inputs"] == first["inputs"]
    user.delete(f"/jobs/{again.json()['id']}"), user.delete(f"/jobs/{same['id']}"), user.delete(f"/jobs/{first['id']}")
    user.delete(f"/uploads/{upload}")
    gone = user.post(f"/jobs/{first['id']}/resubmit")
    assert gone.status_code == 404


def test_a_job_of_earlier_names_is_submitted_again_by_those_of_today(api: ServedApi, user: User) -> None:
    earlier = {"recipe": "paper", "schedule_factor": 0.5}
    first, _ = jobs.submit(api.database, owner=user.owner, input_id=user.upload(), params=earlier, limits=api.settings)
    again = user.post(f"/jobs/{first.id}/resubmit", json={"inputs": {"seed": 2}})
    assert again.status_code == 201, again.text
    of_method = {"schedule_factor": 0.5}
    assert api.job(again.json()["id"]).params == {"method": "ebel2021", "method_settings": of_method, "seed": 2}


def test_a_status_that_has_not_changed_is_not_sent_again(api: ServedApi, user: User) -> None:
    job_id = user.submit()
    api.claim(job_id)
    etag = user.get(f"/jobs/{job_id}").headers["etag"]
    same = user.get(f"/jobs/{job_id}", headers={"If-None-Match": etag})
    assert same.status_code == 304
    assert same.content == b""
    assert same.headers["etag"] == etag
    user.delete(f"/jobs/{job_id}")
    assert user.get(f"/jobs/{job_id}", headers={"If-None-Match": etag}).status_code == 200


def test_the_short_way_to_a_status_answers_as_the_route_does(api: ServedApi, user: User) -> None:
    waiting, done, other = user.submit(), user.submit(), api.user().submit()
    api.finish(done)
    etag = user.get(f"/jobs/{done}").headers["etag"]
    poor = api.user(user.owner, requests_per_minute=1)
    assert poor.get("/jobs").status_code == 200
    varying = ("x-request-id", "date", "retry-after")
    for asker in (user, poor, api.anybody()):
        for job in (waiting, done, other, "x", "x" * 64, "0" * 65):
            for headers in ({}, {"If-None-Match": etag}):
                short, long = (asker.get(f"/jobs/{job}{tail}", headers=headers) for tail in ("", "?f=json"))
                # a second may pass between the two
                contents = [re.sub(rb"again in \d+ s", b"again in N s", each.content) for each in (short, long)]
                assert (short.status_code, contents[0]) == (long.status_code, contents[1])
                said = [{k: v for k, v in answer.headers.items() if k not in varying} for answer in (short, long)]
                assert said[0] == said[1]
    figures = user.get("/metrics").text
    assert 'decloud_http_requests_total{method="GET",route="/jobs/{job_id}",status="200"}' in figures


def test_a_long_poll_answers_when_the_job_changes_and_not_before(api: ServedApi, user: User) -> None:
    job_id = user.submit()
    job = api.claim(job_id)
    etag = user.get(f"/jobs/{job_id}").headers["etag"]
    began = time.monotonic()
    beat = {"phase": "reading"}
    timer = threading.Timer(0.6, jobs.heartbeat, (api.database, job), {"lease_s": 60, "progress": beat})
    timer.start()
    answer = user.get(f"/jobs/{job_id}?wait=20", headers={"If-None-Match": etag})
    assert answer.status_code == 200
    assert answer.json()["phase"] == "reading"
    assert 0.5 < time.monotonic() - began < 5
    timer.join()


def test_a_long_poll_ends_with_its_time_and_at_once_for_an_ended_job(api: ServedApi, user: User) -> None:
    job_id = user.submit()
    job = api.claim(job_id)
    etag = user.get(f"/jobs/{job_id}").headers["etag"]
    began = time.monotonic()
    assert user.get(f"/jobs/{job_id}?wait=0.5", headers={"If-None-Match": etag}).status_code == 304
    assert user.get(f"/jobs/{job_id}?wait=0.5").status_code == 200
    assert 0.9 < time.monotonic() - began < 3
    jobs.publish(api.database, job, result_prefix="x", artifacts=[an_artifact()], usage={})
    began = time.monotonic()
    assert user.get(f"/jobs/{job_id}?wait=20").json()["status"] == "successful"
    assert time.monotonic() - began < 2


def test_jobs_are_listed_newest_first_in_pages(user: User) -> None:
    ids = [user.submit(seed=seed) for seed in range(5)][::-1]
    page = user.get("/jobs?limit=2&status=accepted").json()
    listed = [job["id"] for job in page["jobs"]]
    while following := [link["href"] for link in page["links"] if link["rel"] == "next"]:
        page = user.get(following[0]).json()
        assert len(page["jobs"]) <= 2
        listed += [job["id"] for job in page["jobs"]]
    assert listed == ids


def test_a_list_says_what_each_result_gains(api: ServedApi, user: User) -> None:
    gain = {"measured_db": 3.97, "low_db": 1.84, "high_db": None, "dates": 2, "pixels": 1234}
    measured, not_measured, _ = (user.submit(seed=seed) for seed in range(3))
    api.finish(measured, gain=gain)
    api.finish(not_measured)
    listed = user.get("/jobs").json()["jobs"]
    assert [job.get("gain") for job in listed] == [None, None, gain]
    assert [RemoteJob.from_json(job).gain_db for job in listed] == [None, None, 3.97]
    assert user.get(f"/jobs/{measured}").json()["gain"] == gain
    assert "gain" not in user.delete(f"/jobs/{measured}").json()


def test_lists_are_filtered_by_status_process_type_time_and_duration(api: ServedApi, user: User) -> None:
    done, waiting = user.submit(), user.submit()
    api.finish(done)

    def listed(query: str) -> set[str]:
        answer = user.get(f"/jobs?{query}")
        assert answer.status_code == 200, answer.text
        return {job["id"] for job in answer.json()["jobs"]}

    everything = {done, waiting}
    assert listed("status=successful") == {done}
    assert listed("status=successful,accepted") == listed("status=successful&status=accepted") == everything
    assert listed("processID=decloud&type=process") == everything
    assert listed("processID=other") == listed("type=wps") == set()
    today = datetime.fromtimestamp(api.job(done).created, UTC)
    assert listed(f"datetime={today:%Y-%m-%d}") == everything
    assert listed("datetime=../2001-01-01T00:00:00Z") == set()
    assert listed("datetime=2001-01-01T00:00:00Z/..") == listed("datetime=2001-01-01T00:00:00%2B02:00/") == everything
    assert listed("maxDuration=1000") == {done}  # the other has not begun
    assert listed("minDuration=1000") == set()


@pytest.mark.parametrize(
    "query",
    ["status=done", "limit=0", "limit=x", "datetime=yesterday", "datetime=2021-13-01", "minDuration=-1",
     "minDuration=nan", "after=-1", "datetime=0001-01-01T00:00:00%2B14:00/x"],
)  # fmt: skip
def test_a_wrong_filter_is_named(user: User, query: str) -> None:
    answer = user.get(f"/jobs?{query}")
    assert (answer.status_code, code_of(answer)) == (400, "invalid-request")
    assert answer.json()["errors"][0]["field"].startswith(query.partition("=")[0])


def test_a_parameter_with_a_typing_error_does_not_pass_for_no_filter(user: User) -> None:
    answer = user.get("/jobs?statuz=failed")
    assert (answer.status_code, code_of(answer)) == (400, "invalid-request")
    assert "status" in answer.json()["detail"]
    assert user.get("/jobs?f=json&limit=1").status_code == 200
    assert user.get("/?x=1").status_code == user.get("/jobs/x/results?sign=1").status_code == 400


def test_a_whole_number_may_be_written_with_a_point(api: ServedApi, user: User) -> None:
    answer = execute(user, {"inputs": {"sequence": user.sequence, "seed": 5.0, "tile_px": 64.0}, "priority": -1.0})
    job = api.job(answer.json()["id"])
    assert job.params["seed"] == 5
    assert isinstance(job.params["seed"], int)
    assert (job.params["tile_px"], job.priority) == (64, -1)


def test_a_subscribers_addresses_are_kept_for_each_status(api: ServedApi, user: User) -> None:
    addresses = {"successUri": "https://example.org/a", "failedUri": "https://example.org/b?c=d"}
    job = execute(user, {"inputs": {"sequence": user.sequence}, "subscriber": addresses}).json()
    stored = api.job(job["id"]).subscriber
    assert stored == {"successful": "https://example.org/a", "failed": "https://example.org/b?c=d", "base": api.url}


@pytest.mark.parametrize(
    "url", ["ftp://example.org", "javascript:alert(1)", "http://", "http://a b", "http://a:b", "x"]
)
def test_a_subscriber_needs_a_web_address(user: User, url: str) -> None:
    answer = execute(user, {"inputs": {"sequence": user.sequence}, "subscriber": {"successUri": url}})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "subscriber.successUri"


def test_a_class_that_nobody_serves_is_refused_with_those_that_are_served(user: User) -> None:
    answer = execute(user, {"inputs": {"sequence": user.sequence}, "resource_class": "gpu80"})
    assert (answer.status_code, code_of(answer)) == (409, "unserved-class")
    assert answer.json()["known"] == ["cpu"]
