"""Many sequences at once: all or none, one status, one end, one archive; and tags."""

import io
import zipfile
from typing import Any

import pytest
from service_api import ServedApi, User

from api.client import Client, Refused, StillRunning
from seq2seq.progress import Progress

FIRST, SECOND = {"report.json": b"{}", "declouded/2021-05-01.tif": b"one"}, {"report.json": b'{"a": 1}'}


def group(user: User, *uploads: str, key: str | None = None, **more: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    body = {"sequences": [{"href": f"/uploads/{upload}"} for upload in uploads], **more}
    return user.post("/groups", json=body, headers=headers)


@pytest.fixture
def two(user: User) -> tuple[str, str]:
    return user.upload(b"1", "north.zip"), user.upload(b"2", "süd/../.zip".replace("/", "_"))


def test_a_group_has_a_job_for_each_sequence_with_common_settings(
    api: ServedApi, user: User, two: tuple[str, str]
) -> None:
    answer = group(user, *two, inputs={"max_minutes": 3}, name="fields", tags=["2021", "wheat", "2021"], priority=5)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert answer.headers["location"].endswith(f"/groups/{told['id']}")
    assert (told["status"], told["counts"], told["name"], told["progress"]) == (
        "accepted",
        {"accepted": 2},
        "fields",
        0,
    )
    assert [job["name"] for job in told["jobs"]] == ["north.zip", "süd_.._.zip"]
    for job in told["jobs"]:
        row = api.job(job["jobID"])
        assert (row.params, row.priority, row.tags) == ({"max_minutes": 3}, 5, ["2021", "wheat"])
        assert user.get(f"/jobs/{row.id}").json()["group"].endswith(told["id"])
    assert {job["id"] for job in user.get(f"/jobs?group={told['id']}").json()["jobs"]} == {
        job["jobID"] for job in told["jobs"]
    }
    assert api.user().get(f"/groups/{told['id']}").status_code == 404
    assert user.get("/groups/none").status_code == 404


@pytest.mark.parametrize("wrong", ["missing", "https://elsewhere.example/uploads/1", "setting"])
def test_all_are_accepted_or_none_and_the_wrong_one_is_named(user: User, two: tuple[str, str], wrong: str) -> None:
    sequences = [{"href": f"/uploads/{two[0]}"}, {"href": f"/uploads/{two[1]}"}]
    inputs = {"max_minutes": -1} if wrong == "setting" else {}
    if wrong == "missing":
        sequences[1]["href"] = "/uploads/00000000-0000-0000-0000-000000000000"
    elif wrong != "setting":
        sequences[1]["href"] = wrong
    answer = user.post("/groups", json={"sequences": sequences, "inputs": inputs})
    assert answer.status_code == (404 if wrong == "missing" else 400), answer.text
    assert ("inputs.max_minutes" if wrong == "setting" else "sequences.1") in answer.json()["detail"]
    assert user.get("/jobs").json()["jobs"] == []


def test_a_group_that_does_not_fit_into_the_queue_is_refused_as_a_whole(api: ServedApi) -> None:
    user = api.user(max_queued_per_owner=2)
    uploads = [user.upload(bytes([number])) for number in range(3)]
    refused = group(user, *uploads)
    assert (refused.status_code, refused.json()["quota"]) == (429, "max_queued_per_owner")
    assert refused.json()["detail"] == "0 jobs are waiting and 3 more were asked for, 2 may; ask for fewer at a time"
    assert user.get("/jobs").json()["jobs"] == []
    with Client(user.api.url, user.key) as client, pytest.raises(Refused, match="ask for fewer at a time"):
        client.groups.submit(uploads)  # at once: waiting would not help
    assert group(user, *uploads[:2]).status_code == 201


def test_the_same_key_gives_the_same_group(user: User, two: tuple[str, str]) -> None:
    first, again = (group(user, *two, key="k") for _ in range(2))
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["idempotent-replayed"] == "true"
    assert len(user.get("/jobs").json()["jobs"]) == 2
    assert group(user, two[0], key="k").status_code == 422


def test_one_status_and_one_archive(api: ServedApi, user: User, two: tuple[str, str]) -> None:
    made = group(user, *two, name="fields").json()
    address = f"/groups/{made['id']}"
    north, south = (job["jobID"] for job in made["jobs"])
    api.finish(north, FIRST)
    told = user.get(address).json()
    assert (told["status"], told["counts"], told["progress"]) == ("running", {"accepted": 1, "successful": 1}, 50)
    early = user.get(f"{address}/results.zip")
    assert (early.status_code, early.json()["code"]) == (404, "result-not-ready")
    api.finish(south, SECOND)
    told = user.get(address).json()
    assert (told["status"], told["progress"]) == ("successful", 100)
    assert told["links"][-1]["href"].endswith("/results.zip")
    whole = user.get(f"{address}/results.zip")
    assert int(whole.headers["content-length"]) == len(whole.content)
    with zipfile.ZipFile(io.BytesIO(whole.content)) as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found["01-north/declouded/2021-05-01.tif"] == b"one"
    assert found["02-s_d_/report.json".replace("s_d_", "s_d")] == b'{"a": 1}'
    assert all(name.startswith(("01-north/", "02-s_d/")) for name in found)
    part = user.get(f"{address}/results.zip", headers={"Range": "bytes=10-19", "If-Range": whole.headers["etag"]})
    assert (part.status_code, part.content) == (206, whole.content[10:20])


def test_cancelling_a_group_ends_what_has_not_ended_and_then_removes_all(
    api: ServedApi, user: User, two: tuple[str, str]
) -> None:
    made = group(user, *two, key="k").json()
    address, (north, south) = f"/groups/{made['id']}", (job["jobID"] for job in made["jobs"])
    api.finish(north, FIRST)
    told = user.delete(address).json()
    assert (told["status"], told["counts"]) == ("dismissed", {"successful": 1, "dismissed": 1})
    with zipfile.ZipFile(io.BytesIO(user.get(f"{address}/results.zip").content)) as archive:
        assert {name.partition("/")[0] for name in archive.namelist()} == {"01-north"}
    assert user.delete(address).status_code == 200
    assert user.get(address).status_code == user.get(f"/jobs/{south}").status_code == 404
    assert group(user, *two, key="k").json()["id"] != made["id"]


def test_the_client_submits_waits_and_cancels(api: ServedApi, user: User, two: tuple[str, str]) -> None:
    seen: list[Progress] = []
    with Client(user.api.url, user.key) as client:
        made = client.groups.submit(two, {"seed": 1}, names=["n", "s"], name="both", tags=["t"], idempotency_key="k")
        assert [job["name"] for job in made.jobs] == ["n", "s"]
        assert [job.values["tags"] for job in client.jobs(tags=["t"])] == [["t"], ["t"]]
        api.finish(made.jobs[0]["jobID"], FIRST)
        with pytest.raises(StillRunning, match="is running after"):
            client.groups.wait(made.id, on_progress=seen.append, timeout_s=0.1)
        assert client.groups.cancel(made.id).counts == {"successful": 1, "dismissed": 1}
        assert client.groups.wait(made.id, on_progress=seen.append).status == "dismissed"
    assert [(each.step, each.of) for each in seen] == [(1, 2), (2, 2)]


def test_jobs_are_found_by_their_tags(user: User) -> None:
    body = {"inputs": {"sequence": user.sequence}, "tags": ["wheat", "2021"]}
    tagged = user.post("/processes/decloud/execution", json=body).json()
    assert tagged["tags"] == ["2021", "wheat"]
    plain = user.submit()

    def found(query: str) -> list[str]:
        return [job["id"] for job in user.get(f"/jobs?{query}").json()["jobs"]]

    assert found("tag=wheat") == found("tag=wheat&tag=2021") == [tagged["id"]]
    assert found("tag=wheat&tag=2022") == found("tag=whe") == []
    again = user.patch(f"/jobs/{plain}", json={"tags": ["wheat"], "name": "late"}).json()
    assert (again["tags"], again["name"]) == (["wheat"], "late")
    assert found("tag=wheat") == [plain, tagged["id"]]
    assert "tags" not in user.patch(f"/jobs/{tagged['id']}", json={"tags": []}).json()
    assert found("tag=wheat") == [plain]
    assert user.get(f"/jobs/{plain}").json()["name"] == "late"
    more = user.post(f"/jobs/{plain}/resubmit", json={}).json()
    assert more["tags"] == ["wheat"]


@pytest.mark.parametrize("tags", [["a,b"], [" a"], [""], ["x" * 51], ["a\nb"], [str(n) for n in range(21)], "a", None])
def test_what_is_no_tag_is_refused(user: User, tags: Any) -> None:
    answer = user.post("/processes/decloud/execution", json={"inputs": {"sequence": user.sequence}, "tags": tags})
    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"][0]["field"].startswith("tags")
