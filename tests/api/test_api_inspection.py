"""What is in an upload, asked over HTTP: by a worker, once for the same bytes and settings, waited for, refused."""

import json
import threading
import time
from typing import Any

import pytest
from service_api import Serve, ServedApi, User

from api.client import Client
from api.client.errors import StillRunning
from api.examples import EXAMPLES
from worker import jobs
from worker.jobs.ahead import expected_wait_s
from worker.lanes import LIGHT
from worker.queue import workers

FOUND: dict[str, Any] = {
    name: value
    for name, value in EXAMPLES["Inspection"][0].items()
    if name not in ("jobID", "upload", "queue", "links")
}
PICTURE = {"date": "2021-05-01", "path": "previews/2021-05-01.webp"}
FOUND["previews"] = [PICTURE]
FILES = {"inspection.json": json.dumps(FOUND).encode(), PICTURE["path"]: b"RIFF of a picture"}


def ask(user: User, upload: str, query: str = "", headers: dict[str, str] | None = None, **inputs: Any) -> Any:
    body = {"json": {"inputs": inputs}} if inputs else {}
    return user.post(f"/uploads/{upload}/inspect{query}", headers=headers or {}, **body)


def test_it_is_a_job_first_and_then_an_answer_with_the_queue(api: ServedApi, user: User) -> None:
    upload = user.upload()
    first = ask(user, upload)
    assert first.status_code == 202, first.text
    job = first.json()["jobID"]
    assert first.headers["location"].endswith(f"/jobs/{job}")
    assert (first.json()["processID"], api.job(job).priority) == ("inspect", 101)
    assert ask(user, upload).json()["jobID"] == job
    api.finish(job, FILES)
    before = ask(user, upload).json()["queue"]["jobs"]
    user.submit()
    answer = ask(user, upload)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    (shown,) = told.pop("previews")
    assert {**told, "previews": [PICTURE]} | FOUND == {**told, "previews": [PICTURE]}
    assert {**PICTURE, "href": f"{api.url}/jobs/{job}/results/{PICTURE['path']}"} == shown
    picture = user.get(shown["href"].removeprefix(api.url))
    assert (picture.content, picture.headers["content-type"]) == (FILES[PICTURE["path"]], "image/webp")
    assert api.user().get(shown["href"].removeprefix(api.url)).status_code == 404
    assert (told["jobID"], told["upload"], told["queue"]["jobs"]) == (job, f"/uploads/{upload}", before + 1)


def test_other_settings_are_asked_anew_and_the_same_bytes_in_another_upload_are_not(api: ServedApi, user: User) -> None:
    upload = user.upload(b"the same")
    job = ask(user, upload).json()["jobID"]
    assert ask(user, upload, max_minutes=3).json()["jobID"] != job
    assert ask(user, user.upload(b"the same", "again.zip")).json()["jobID"] == job
    assert ask(user, user.upload(b"others")).json()["jobID"] != job
    other = api.user()
    assert ask(other, upload).status_code == 404
    assert ask(other, other.upload(b"the same")).json()["jobID"] != job


def test_who_waits_has_the_answer_as_soon_as_it_is_there(api: ServedApi, user: User) -> None:
    upload = user.upload()
    job = ask(user, upload).json()["jobID"]
    threading.Timer(0.3, api.finish, (job, FILES)).start()
    began = time.monotonic()
    answer = ask(user, upload, headers={"Prefer": "wait=20"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["preference-applied"] == "wait=20"
    assert 0.2 < time.monotonic() - began < 10


def test_who_waits_in_vain_is_led_to_the_job(user: User) -> None:
    began = time.monotonic()
    assert ask(user, user.upload(), "?wait_s=0.4").status_code == 202
    assert time.monotonic() - began >= 0.4


def test_an_upload_that_cannot_be_read_is_answered_with_the_reason(api: ServedApi, user: User) -> None:
    upload = user.upload()
    job = api.claim(ask(user, upload).json()["jobID"])
    problem = {"code": "unreadable-file", "detail": "fields.zip: is no ZIP", "errors": [{"file": "fields.zip"}]}
    assert jobs.fail(api.database, job, problem)
    answer = ask(user, upload)
    assert answer.status_code == 422
    assert answer.json()["detail"] == "fields.zip: is no ZIP"


def test_one_that_was_removed_or_cancelled_is_made_anew(api: ServedApi, user: User) -> None:
    upload = user.upload()
    job = ask(user, upload).json()["jobID"]
    user.delete(f"/jobs/{job}")
    again = ask(user, upload).json()["jobID"]
    assert again != job
    api.finish(again, FILES)
    user.delete(f"/jobs/{again}")
    assert ask(user, upload).status_code == 202


def test_inspections_are_listed_where_they_are_asked_for_and_take_no_place_of_a_job(serve: Serve) -> None:
    api = serve()
    user = api.user(max_queued_per_owner=2)
    looked = ask(user, user.upload()).json()["jobID"]
    submitted = [user.submit(), user.submit()]
    assert {job["id"] for job in user.get("/jobs").json()["jobs"]} == set(submitted)
    assert [job["id"] for job in user.get("/jobs?processID=inspect").json()["jobs"]] == [looked]
    assert ask(user, user.upload(b"2")).status_code == 202
    refused = ask(user, user.upload(b"3"))
    assert (refused.status_code, refused.json()["quota"]) == (429, "max_queued_per_owner")
    assert "2 inspections are waiting, 2 may" in refused.json()["detail"]
    claimed = jobs.claim(api.database, worker_id="w", classes=("cpu", LIGHT), lease_s=60)
    assert claimed is not None
    assert claimed.id == looked  # before jobs that came with it, whatever their priority


def test_it_takes_a_lane_of_its_own_which_no_other_job_may(serve: Serve) -> None:
    api = serve()
    user = api.user()
    assert api.job(ask(user, user.upload()).json()["jobID"]).resource_class == LIGHT
    assert jobs.claim(api.database, worker_id="w", classes=("cpu",), lease_s=60) is None
    workers.seen(api.database, "w", host="h", device="cpu", classes=(LIGHT,))
    body = {"inputs": {"sequence": user.sequence}, "resource_class": LIGHT}
    refused = user.post("/processes/decloud/execution", json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "unserved-class")
    assert LIGHT not in refused.json()["known"]


def test_with_a_broker_the_lane_is_taken_while_a_worker_serves_it(serve: Serve) -> None:
    api = serve(broker_url="redis://127.0.0.1:1/0")
    user = api.user()
    assert api.job(ask(user, user.upload(b"1")).json()["jobID"]).resource_class == "cpu"
    workers.seen(api.database, "w", host="h", device="cpu", classes=(LIGHT,))
    assert api.job(ask(user, user.upload(b"2")).json()["jobID"]).resource_class == LIGHT
    assert api.job(ask(user, user.upload(b"1")).json()["jobID"]).resource_class == "cpu"  # the one that waits


def test_the_queue_says_when_a_worker_is_free(serve: Serve) -> None:
    api = serve()
    user = api.user()
    job = ask(user, user.upload()).json()["jobID"]
    api.finish(job, FILES)

    def queue() -> dict[str, Any]:
        return ask(user, user.upload()).json()["queue"]  # type: ignore[no-any-return]

    workers.seen(api.database, "w", host="h", device="cpu", classes=("cpu",))
    assert queue() == {"resource_class": "cpu", "jobs": 0, "wait_s": 0.0}
    running = user.submit(max_minutes=2)
    user.submit(max_minutes=3)
    claimed = api.claim(running)
    assert queue()["wait_s"] == pytest.approx(300, abs=5)
    jobs.heartbeat(api.database, claimed, lease_s=60, progress={"phase": "fitting", "eta_s": 40.0})
    assert queue()["wait_s"] == pytest.approx(220, abs=5)
    user.submit()  # of no known length, and nothing has ended yet
    assert queue() == {"resource_class": "cpu", "jobs": 3}


@pytest.mark.parametrize(
    ("running", "waiting", "workers_", "wait_s"),
    [
        ([], [], 1, 0.0),
        ([None], [], 2, 0.0),
        ([None], [], 1, None),
        ([50.0], [10.0, 20.0], 1, 80.0),
        ([50.0, 5.0], [10.0, 20.0], 2, 35.0),
        ([50.0, 5.0], [], 1, 5.0),
        ([], [30.0, 20.0, 10.0], 2, 30.0),
    ],
)
def test_jobs_take_the_worker_that_is_free_first(
    running: list[float | None], waiting: list[float | None], workers_: int, wait_s: float | None
) -> None:
    assert expected_wait_s(running, waiting, workers_) == wait_s


def test_an_inspection_runs_beside_as_many_jobs_as_may_run(serve: Serve) -> None:
    api = serve()
    user = api.user(max_running_per_owner=1)
    user.submit()
    assert jobs.claim(api.database, worker_id="w1", classes=("cpu",), lease_s=60) is not None
    user.submit()
    assert jobs.claim(api.database, worker_id="w2", classes=("cpu",), lease_s=60) is None
    looked = ask(user, user.upload()).json()["jobID"]
    claimed = jobs.claim(api.database, worker_id="w2", classes=(LIGHT,), lease_s=60)
    assert claimed is not None
    assert claimed.id == looked


def test_it_can_be_executed_as_a_process(api: ServedApi, user: User) -> None:
    body = {"inputs": {"sequence": user.sequence}, "outputs": {"inspection": {}}, "response": "raw"}
    answer = user.post("/processes/inspect/execution", json=body)
    assert answer.status_code == 201, answer.text
    job = answer.json()["jobID"]
    api.finish(job, FILES)
    assert user.get(f"/jobs/{job}/results").json() == FOUND
    refused = user.post("/processes/inspect/execution", json={**body, "outputs": {"declouded": {}}})
    assert refused.status_code == 400


def test_the_client_waits_for_the_answer(api: ServedApi, user: User) -> None:
    upload = user.upload()
    job = ask(user, upload, max_minutes=2).json()["jobID"]
    with Client(user.api.url, user.key) as client:
        with pytest.raises(StillRunning, match="not been looked at after"):
            client.inspect(upload, {"max_minutes": 2}, timeout_s=0.2)
        threading.Timer(0.2, api.finish, (job, FILES)).start()
        assert client.inspect(upload, {"max_minutes": 2})["dates"] == FOUND["dates"]


def test_what_is_no_setting_is_refused(user: User) -> None:
    answer = ask(user, user.upload(), magic=1)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "inputs.magic")
