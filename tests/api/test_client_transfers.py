"""Uploads and downloads over lines that break, by servers that stumble: the bytes arrive, each once, or one line says
why not."""

import hashlib
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from flaky_service import Answer, Connect, FlakyService, Pauses, cutting

from api.client import (
    CannotStore,
    Client,
    DamagedTransfer,
    NotAServer,
    Refused,
    ServerUnavailable,
    UnknownOutput,
)
from seq2seq.progress import Progress

FILES = {
    "declouded/2021-05-01.tif": bytes(range(256)) * 1000,
    "declouded/2021-05-06.tif": b"",
    "report.json": b"{}",
    "stac/collection.json": b"[1]",
}


@pytest.fixture
def client(flaky: FlakyService, connect: Connect) -> Client:
    return connect(flaky.url, "dcl_key")


@pytest.fixture(params=[0, 1])
def payload(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Smaller than a chunk, and of several."""
    file = tmp_path / "fields.zip"
    file.write_bytes(random.Random(request.param).randbytes([1000, 10_000_000][request.param]))
    return file


def stored(flaky: FlakyService) -> list[bytes]:
    return [upload.content for upload in flaky.uploads.values()]


def test_an_upload_arrives_and_says_what_it_is(flaky: FlakyService, client: Client, payload: Path) -> None:
    sent = client.upload(payload)
    assert stored(flaky) == [payload.read_bytes()]
    assert sent.sha256 == hashlib.sha256(payload.read_bytes()).hexdigest()
    assert (sent.href, sent.name, sent.size) == ("/uploads/upload-0", "fields.zip", payload.stat().st_size)
    assert set(flaky.keys) == {"Bearer dcl_key"}


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_an_answer_that_may_be_another_next_time_is_asked_for_again(
    flaky: FlakyService, client: Client, payload: Path, status: int
) -> None:
    for _ in range(6):
        flaky.instead.append(Answer.problem(status, "passing", "Not now."))
    client.upload(payload)
    assert stored(flaky) == [payload.read_bytes()]


def test_an_answer_that_will_stay_is_an_error_at_once(flaky: FlakyService, client: Client, payload: Path) -> None:
    flaky.instead.append(Answer.problem(413, "upload-too-large", "The upload has 9 bytes, one may have 5."))
    with pytest.raises(Refused, match=r"^The upload has 9 bytes, one may have 5\.$") as refused:
        client.upload(payload)
    assert (refused.value.status, refused.value.code) == (413, "upload-too-large")
    assert flaky.asked == ["POST /uploads"]


def test_a_server_says_when_to_come_back_and_is_obeyed(
    flaky: FlakyService, client: Client, pauses: Pauses, payload: Path
) -> None:
    later = Answer.problem(429, "rate-limited", "600 requests a minute.", **{"Retry-After": "17"})
    flaky.instead.append(later)
    client.upload(payload)
    assert pauses == [17.0]


def test_a_date_says_when_to_come_back_as_well(flaky: FlakyService, client: Client, pauses: Pauses) -> None:
    flaky.files["/jobs/job-1/results/manifest.json"] = b'{"files": []}'
    at = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 100))
    flaky.instead.append(Answer.problem(503, "busy", "Later.", **{"Retry-After": at}))
    with pytest.raises(Refused):
        client.upload(Path(__file__), on_progress=lambda _: flaky.instead.append(Answer(400)))
    assert 90 < pauses[0] <= 101


@pytest.mark.parametrize("seed", range(6))
def test_an_upload_that_is_cut_at_random_bytes_arrives_whole(
    flaky: FlakyService, connect: Connect, tmp_path: Path, seed: int
) -> None:
    content = random.Random(seed).randbytes(1_500_000)
    (tmp_path / "fields.zip").write_bytes(content)
    with cutting(flaky.url, cuts=6, most_bytes=1_000_000, seed=seed) as line:
        sent = connect(line.url, patience_s=60).upload(tmp_path / "fields.zip")
        assert line.made >= 2
    assert flaky.uploads[sent.id].content == content
    assert sent.sha256 == hashlib.sha256(content).hexdigest()


def test_chunks_shrink_on_a_line_that_breaks_so_that_something_gets_through(
    flaky: FlakyService, connect: Connect, tmp_path: Path
) -> None:
    """Each connection carries less than half of a usual chunk."""
    (tmp_path / "fields.zip").write_bytes(bytes(9_000_000))
    with cutting(flaky.url, cuts=1000, most_bytes=1_000_000) as line:
        connect(line.url).upload(tmp_path / "fields.zip")
        assert line.made > 9
    assert stored(flaky)[-1] == bytes(9_000_000)


def test_chunks_fit_through_a_proxy_that_passes_small_bodies_only(
    flaky: FlakyService, client: Client, tmp_path: Path
) -> None:
    flaky.largest_body = 1_000_000
    (tmp_path / "fields.zip").write_bytes(bytes(3_000_000))
    client.upload(tmp_path / "fields.zip")
    assert stored(flaky) == [bytes(3_000_000)]
    refused = [answer for answer in flaky.asked if answer == "413"]
    assert len(refused) == 2  # from 3 MB to 1: it is not tried again and again
    flaky.largest_body = 1_000
    with pytest.raises(Refused, match="answered 413"):
        client.upload(tmp_path / "fields.zip")


def test_bytes_that_were_damaged_on_their_way_are_sent_again(
    flaky: FlakyService, client: Client, payload: Path
) -> None:
    flaky.damaged_sent = 3
    client.upload(payload)
    assert stored(flaky) == [payload.read_bytes()]


def test_a_line_that_damages_everything_is_given_up(flaky: FlakyService, client: Client, payload: Path) -> None:
    flaky.damaged_sent = 1000
    with pytest.raises(DamagedTransfer, match=r"^fields\.zip: arrived damaged 5 times in a row$"):
        client.upload(payload)


def test_an_upload_that_vanished_is_begun_anew_once(flaky: FlakyService, client: Client, payload: Path) -> None:
    flaky.forget = 1
    client.upload(payload)
    assert stored(flaky) == [payload.read_bytes()]
    flaky.forget = 1000
    with pytest.raises(Refused, match="no such upload"):
        client.upload(payload)


def test_another_process_continues_where_one_was_killed(flaky: FlakyService, connect: Connect, tmp_path: Path) -> None:
    file = tmp_path / "fields.zip"
    file.write_bytes(random.Random(0).randbytes(20_000_000))
    bookmarks = tmp_path / "cache" / "uploads.json"

    def be_killed(progress: Progress) -> None:
        if progress.phase.startswith("uploading") and progress.step > 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        connect(flaky.url, bookmarks=bookmarks).upload(file, on_progress=be_killed)
    sent_before = len(stored(flaky)[0])
    assert 0 < sent_before < 20_000_000
    steps: list[Progress] = []
    connect(flaky.url, bookmarks=bookmarks).upload(file, on_progress=steps.append)
    assert stored(flaky) == [file.read_bytes()]
    assert next(step.step for step in steps if step.phase.startswith("uploading")) == sent_before // 1_000_000


def test_what_a_server_has_already_is_not_sent_again(
    flaky: FlakyService, connect: Connect, payload: Path, tmp_path: Path
) -> None:
    client = connect(flaky.url, bookmarks=tmp_path / "uploads.json")
    assert client.upload(payload) == client.upload(payload)
    first_time = flaky.asked[: flaky.asked.index("GET /uploads/upload-0")]
    assert flaky.asked.count("PATCH /uploads/upload-0") == first_time.count("PATCH /uploads/upload-0") > 0
    payload.write_bytes(b"other bytes")
    assert client.upload(payload).id == "upload-1"


@pytest.mark.parametrize("content", [b"{", b"[1]", b'{"x": 1}'])
def test_a_broken_memory_of_uploads_is_no_obstacle(
    flaky: FlakyService, connect: Connect, payload: Path, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "uploads.json").write_bytes(content)
    connect(flaky.url, bookmarks=tmp_path / "uploads.json").upload(payload)
    assert stored(flaky) == [payload.read_bytes()]


def test_a_file_that_changes_while_it_is_sent_is_no_upload(flaky: FlakyService, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "fields.zip"
    file.write_bytes(bytes(9_000_000))

    def change(progress: Progress) -> None:
        if progress.phase.startswith("uploading"):
            file.write_bytes(b"\1" * 9_000_000)

    with pytest.raises(DamagedTransfer, match="was the file changed"):
        client.upload(file, on_progress=change)
    assert not flaky.uploads


def test_progress_of_an_upload_never_goes_back(flaky: FlakyService, client: Client, tmp_path: Path) -> None:
    (tmp_path / "fields.zip").write_bytes(bytes(20_000_000))
    steps: list[Progress] = []
    client.upload(tmp_path / "fields.zip", on_progress=steps.append)
    sent = [step.step for step in steps if step.phase == "uploading megabytes"]
    assert sent == sorted(sent)
    assert (sent[0], sent[-1], steps[-1].of) == (0, 20, 20)


def test_nobody_answers_and_the_user_hears_so_within_seconds(connect: Connect, payload: Path) -> None:
    notices: list[str] = []
    with pytest.raises(ServerUnavailable, match=r"^http://127\.0\.0\.1:9: no answer .*\(connection refused\)$"):
        connect("127.0.0.1:9", on_notice=notices.append).upload(payload)
    assert notices == ["connection refused; trying again for up to 4 s"]


def test_patience_has_an_end_also_with_a_server_that_was_there(
    flaky: FlakyService, payload: Path, connect: Connect
) -> None:
    flaky.instead += [Answer(201, headers={"Location": "/uploads/upload-0"}), *[Answer(503)] * 1000]
    with pytest.raises(ServerUnavailable, match=r": no answer \(.* answered 503 Service Unavailable\)$"):
        connect(flaky.url, patience_s=0.5).upload(payload)


# -- downloads


def download(client: Client, out: Path, **options: Any) -> dict[str, bytes]:
    client.download("job-1", out, **options)
    found = {file.relative_to(out).as_posix(): file.read_bytes() for file in out.rglob("*") if file.is_file()}
    manifest = found.pop("manifest.json")
    assert len(json.loads(manifest)["files"]) == len(found)
    return found


def test_a_result_arrives_and_nothing_else_is_left(flaky: FlakyService, client: Client, tmp_path: Path) -> None:
    flaky.give_result(FILES)
    assert download(client, tmp_path / "deep" / "out") == FILES
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]


def test_a_result_that_is_there_is_not_fetched_again(flaky: FlakyService, client: Client, tmp_path: Path) -> None:
    flaky.give_result(FILES)
    download(client, tmp_path / "out")
    asked = len(flaky.asked)
    assert download(client, tmp_path / "out") == FILES
    assert len(flaky.asked) == asked + 1


@pytest.mark.parametrize("no_ranges", [0, 1])
@pytest.mark.parametrize("seed", range(5))
def test_a_download_that_is_cut_at_random_bytes_arrives_whole(
    flaky: FlakyService, connect: Connect, tmp_path: Path, seed: int, no_ranges: int
) -> None:
    flaky.no_ranges = no_ranges
    flaky.give_result(FILES)
    with cutting(flaky.url, cuts=8, most_bytes=200_000, seed=seed) as line:
        assert download(connect(line.url), tmp_path / "out") == FILES
        assert line.made >= 4


def test_a_download_goes_on_where_another_process_was_killed(
    flaky: FlakyService, client: Client, tmp_path: Path
) -> None:
    flaky.give_result(FILES)

    def be_killed(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.download("job-1", tmp_path / "out", on_progress=be_killed)
    assert not (tmp_path / "out").exists()
    part = tmp_path / "out.part" / "declouded" / "2021-05-01.tif.part"
    part.write_bytes(FILES["declouded/2021-05-01.tif"][:100_000])
    (tmp_path / "out.part" / "report.json").write_bytes(FILES["report.json"])
    flaky.asked.clear()
    assert download(client, tmp_path / "out") == FILES
    assert "GET /jobs/job-1/results/report.json" not in flaky.asked


def test_damaged_bytes_are_fetched_again_and_never_shown(flaky: FlakyService, client: Client, tmp_path: Path) -> None:
    flaky.give_result(FILES)
    flaky.damaged_got = 2
    assert download(client, tmp_path / "out") == FILES
    flaky.damaged_got = 1000
    with pytest.raises(DamagedTransfer, match=r"declouded/2021-05-0[16]\.tif: arrived damaged 3 times in a row"):
        client.download("job-1", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_another_result_is_replaced_only_when_asked_for(flaky: FlakyService, client: Client, tmp_path: Path) -> None:
    flaky.give_result({**FILES, "preview.png": b"earlier"})
    client.download("job-1", tmp_path / "out")
    flaky.give_result(FILES)
    with pytest.raises(CannotStore, match=r"is not empty \(declouded, manifest\.json, preview\.png, \.\.\.\)"):
        client.download("job-1", tmp_path / "out")
    assert download(client, tmp_path / "out", overwrite=True) == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_is_of_no_result_is_never_removed(flaky: FlakyService, client: Client, tmp_path: Path) -> None:
    flaky.give_result(FILES)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    (tmp_path / "other.part").mkdir()
    for overwrite in (False, True):
        with pytest.raises(CannotStore, match=r"mine\.txt"):
            client.download("job-1", tmp_path / "out", overwrite=overwrite)
    with pytest.raises(CannotStore, match=r"other\.part: is in the way, and no download has made it"):
        client.download("job-1", tmp_path / "other")
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


def test_an_unfinished_download_of_another_job_gives_way(flaky: FlakyService, client: Client, tmp_path: Path) -> None:
    (tmp_path / "out.part" / "declouded").mkdir(parents=True)
    (tmp_path / "out.part" / "manifest.json.part").write_text("of another job")
    (tmp_path / "out.part" / "declouded" / "stale.tif").write_text("stale")
    flaky.give_result(FILES)
    assert download(client, tmp_path / "out") == FILES


@pytest.mark.parametrize(
    "path",
    [
        "../out.txt",
        "/etc/passwd",
        "declouded/../../x",
        "declouded//x",
        "",
        ".",
        "declouded/.x",
        "other/x",
        "report.json\n",
    ],
)
def test_a_server_cannot_make_the_client_write_elsewhere(
    flaky: FlakyService, client: Client, tmp_path: Path, path: str
) -> None:
    flaky.give_result({**FILES, path: b"bad"})
    with pytest.raises(NotAServer, match="is no file of a result"):
        client.download("job-1", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{}", b"<html>", b'{"files": [1]}', b'{"files": [{"path": "report.json"}]}'])
def test_an_unreadable_manifest_is_one_line(
    flaky: FlakyService, client: Client, tmp_path: Path, content: bytes
) -> None:
    flaky.files["/jobs/job-1/results/manifest.json"] = content
    with pytest.raises(NotAServer, match=r"no readable manifest\.json"):
        client.download("job-1", tmp_path / "out")


def test_one_output_is_downloaded_by_its_name_with_a_manifest_of_it_alone(
    flaky: FlakyService, client: Client, tmp_path: Path
) -> None:
    flaky.give_result(FILES)
    images = {path: content for path, content in FILES.items() if path.startswith("declouded/")}
    for _ in range(2):  # the second time it is there
        assert download(client, tmp_path / "out", outputs=["declouded"]) == images
    listed = json.loads((tmp_path / "out" / "manifest.json").read_text())["files"]
    assert {entry["path"] for entry in listed} == set(images)
    asked = [path for path in flaky.asked if not path.endswith("manifest.json")]
    assert sorted(asked) == sorted(f"GET /jobs/job-1/results/{path}" for path in images)


def test_what_was_left_of_another_selection_is_not_in_the_result(
    flaky: FlakyService, client: Client, tmp_path: Path
) -> None:
    flaky.give_result(FILES)
    flaky.damaged_got = 100
    with pytest.raises(DamagedTransfer):
        client.download("job-1", tmp_path / "out")
    flaky.damaged_got = 0
    assert (tmp_path / "out.part").is_dir()
    assert set(download(client, tmp_path / "out", outputs=["report"])) == {"report.json"}


def test_an_output_that_the_result_lacks_is_said_beside_those_it_has(
    flaky: FlakyService, client: Client, tmp_path: Path
) -> None:
    flaky.give_result({"report.json": b"{}", "declouded/2021-05-01.tif": b"II"})
    with pytest.raises(UnknownOutput, match="has no archive, uncertainty; it has declouded, manifest, report"):
        client.download("job-1", tmp_path / "out", outputs=["report", "uncertainty", "archive"])
    assert list(tmp_path.iterdir()) == []


# -- words


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer.problem(404, "not-found", "no such job"), "no such job"),
        (Answer.problem(401, "unauthorized", "a key is needed"), "a key is needed (set DECLOUD_KEY or --key)"),
        (
            Answer.problem(
                422, "invalid-input", "bad.", errors=[{"file": "S2/a.tif", "band": "B04", "detail": "is 0"}]
            ),
            "bad: S2/a.tif B04: is 0",
        ),
        (Answer.problem(422, "x", "bad", errors=[{"detail": str(n)} for n in range(5)]), "bad: 0; 1; 2, and 2 more"),
        (Answer(404, b"<html>no</html>"), "URL: answered 404 Not Found; is it a decloud server?"),
        (Answer(403, b"[1]"), "URL: answered 403 Forbidden; is it a decloud server?"),
    ],
)
def test_every_refusal_is_one_line(
    flaky: FlakyService, client: Client, tmp_path: Path, answer: Answer, said: str
) -> None:
    flaky.instead.append(answer)
    with pytest.raises(Refused) as refused:
        client.download("job-1", tmp_path / "out")
    assert str(refused.value) == said.replace("URL", flaky.url)


@pytest.mark.parametrize(
    "url", ["ftp://x", "http://", "http://h:x", "http://h:99999", "", "http://h/?a=1", "http://[::1"]
)
def test_an_address_that_is_none_is_said_at_once(url: str) -> None:
    with pytest.raises(NotAServer, match="is no server's address"):
        Client(url)


@pytest.mark.parametrize("url", ["localhost:8000", "http://h/decloud/", "https://h:1"])
def test_addresses_are_understood(url: str) -> None:
    with Client(url) as client:
        assert client.url in ("http://localhost:8000", "http://h/decloud", "https://h:1")
