"""Pictures of a result, piece by piece out of one stored file; those of a running job; by key and by signature."""

import base64
import json

import httpx
import pytest
from picture_packs import packed
from service_api import Serve, ServedApi, User

from worker import jobs

SCENE = {"version": 1, "title": "fields", "dates": []}
CHUNK = bytes(range(256)) * 40
PIECES = {
    "rgb/2021-05-01.webp": b"RIFF webp",
    "rgb/2021-05-01/0/1_2.webp": b"RIFF cell",
    "cube/after/c/0/0/1/2": CHUNK,
    "cube/after/zarr.json": b"{}",
    "scene.json": json.dumps(SCENE).encode(),
}


@pytest.fixture(scope="module")
def user(api: ServedApi) -> User:
    return api.user()


@pytest.fixture(scope="module")
def done(user: User) -> str:
    job_id = user.submit()
    user.api.finish(job_id, {"report.json": b"{}", "pictures.zip": packed(PIECES)})
    return job_id


def code_of(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return str(answer.json()["code"])


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("rgb/2021-05-01.webp", "image/webp"),
        ("rgb/2021-05-01/0/1_2.webp", "image/webp"),
        ("cube/after/c/0/0/1/2", "application/octet-stream"),
        ("cube/after/zarr.json", "application/json"),
    ],
)
def test_each_piece_arrives_as_it_was_made(user: User, done: str, path: str, kind: str) -> None:
    answer = user.get(f"/jobs/{done}/pictures/{path}")
    assert answer.status_code == 200
    assert answer.content == PIECES[path]
    assert answer.headers["content-type"] == kind
    assert answer.headers["cache-control"] == "private, no-cache"
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    head = user.head(f"/jobs/{done}/pictures/{path}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(PIECES[path]))
    again = user.get(f"/jobs/{done}/pictures/{path}", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_a_part_of_a_piece_ends_where_the_piece_ends(user: User, done: str) -> None:
    address = f"/jobs/{done}/pictures/cube/after/c/0/0/1/2"
    part = user.get(address, headers={"Range": "bytes=10000-"})
    assert part.status_code == 206
    assert part.content == CHUNK[10000:]
    assert code_of(user.get(address, headers={"Range": f"bytes={len(CHUNK)}-"})) == "range-not-satisfiable"


def test_the_manifest_says_which_version_may_be_kept_for_ever(user: User, done: str) -> None:
    answer = user.get(f"/jobs/{done}/pictures/scene.json")
    scene = answer.json()
    assert scene | SCENE == scene
    assert {"title": "All files (ZIP)", "path": "../results.zip"} in scene["downloads"]
    for download in scene["downloads"]:
        address = httpx.URL(str(answer.url)).join(download["path"])
        assert user.head(address).status_code in (200, 404 if "html" in download["path"] else 200)
    kept = user.get(f"/jobs/{done}/pictures/rgb/2021-05-01.webp", params={"v": scene["v"]})
    assert kept.headers["cache-control"] == "private, max-age=31536000, immutable"
    other = user.get(f"/jobs/{done}/pictures/rgb/2021-05-01.webp", params={"v": "another"})
    assert other.headers["cache-control"] == "private, no-cache"
    assert code_of(user.get(f"/jobs/{done}/pictures/scene.json?w=1")) == "invalid-request"


def test_a_result_lists_them_as_one_file(user: User, done: str) -> None:
    found = user.get(f"/jobs/{done}/results").json()
    assert found["pictures"]["path"] == "pictures.zip"
    assert found["pictures"]["size"] == len(packed(PIECES))


@pytest.mark.parametrize(
    "path",
    ["rgb/2021-05-02.webp", "", "..%2Freport.json", "../report.json", "/etc/passwd", "rgb", "live/x.webp", "%00"],
)
def test_what_is_not_there_is_a_problem(user: User, done: str, path: str) -> None:
    answer = user.get(f"/jobs/{done}/pictures/{path}")
    assert answer.status_code == 404
    assert code_of(answer) == "not-found"


def test_jobs_without_pictures_say_so(user: User) -> None:
    waiting = user.submit()
    assert code_of(user.get(f"/jobs/{waiting}/pictures/scene.json")) == "result-not-ready"
    user.api.finish(waiting, {"report.json": b"{}"})
    answer = user.get(f"/jobs/{waiting}/pictures/scene.json")
    assert code_of(answer) == "not-found"
    assert "has no pictures" in answer.json()["detail"]


def test_they_are_their_owners(user: User, done: str, api: ServedApi) -> None:
    address = f"/jobs/{done}/pictures/scene.json"
    assert code_of(api.user().get(address)) == "no-such-job"
    assert api.anybody().get(address).status_code == 401


def test_a_signature_of_the_result_opens_them(user: User, done: str, api: ServedApi, serve: Serve) -> None:
    job_id = user.submit()
    api.finish(job_id, {"stac/collection.json": b"{}", "pictures.zip": packed(PIECES)})
    stac = user.get(f"/jobs/{job_id}/results", params={"signed": True}).json()["stac"]["href"]
    address = stac.replace("/results/stac/collection.json", "/pictures/rgb/2021-05-01.webp")
    assert "/signed/" in address
    anybody = api.anybody()
    assert anybody.get(address).content == PIECES["rgb/2021-05-01.webp"]
    assert anybody.head(address).status_code == 200
    token = address.split("/signed/")[1].split("/")[0]
    assert code_of(anybody.get(address.replace(token, f"{token[:-1]}x"))) == "invalid-signature"
    assert code_of(anybody.get(address.replace(job_id, done))) == "invalid-signature"


def test_removed_pictures_are_gone(user: User) -> None:
    job_id = user.submit()
    user.api.finish(job_id, {"report.json": b"{}", "pictures.zip": packed(PIECES)})
    assert user.get(f"/jobs/{job_id}/pictures/scene.json").status_code == 200
    assert user.delete(f"/jobs/{job_id}").status_code == 200
    assert user.get(f"/jobs/{job_id}/pictures/scene.json").status_code in (404, 410)


def test_a_damaged_pack_is_a_problem_and_no_crash(user: User) -> None:
    job_id = user.submit()
    user.api.finish(job_id, {"pictures.zip": packed(PIECES)[:-30]})
    assert code_of(user.get(f"/jobs/{job_id}/pictures/scene.json")) == "storage-unavailable"


def test_a_running_job_shows_the_latest_picture_of_a_date(user: User, api: ServedApi) -> None:
    job_id = user.submit()
    job = api.claim(job_id)
    address = f"/jobs/{job_id}/pictures/live/2021-05-01.webp"
    assert code_of(user.get(address)) == "not-found"
    for image in (b"first", b"second"):
        data = {"date": "2021-05-01", "row": 0, "image": base64.b64encode(image).decode()}
        assert jobs.record(api.database, job, "picture", data)
    answer = user.get(address)
    assert (answer.content, answer.headers["content-type"]) == (b"second", "image/webp")
    assert user.get(address, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert code_of(api.user().get(address)) == "no-such-job"
    told = [entry for entry in user.get(f"/jobs/{job_id}/log").json()["logs"] if entry["kind"] == "picture"]
    assert [entry["data"] for entry in told] == [{"date": "2021-05-01", "row": 0, "path": "live/2021-05-01.webp"}] * 2
    text = user.get(f"/jobs/{job_id}/log", headers={"Accept": "text/plain"}).text
    assert "Picture of 2021-05-01." in text
    assert base64.b64encode(b"second").decode() not in text
