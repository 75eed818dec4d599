"""The client with a real server: over lines that are cut at random bytes nothing is lost, repeated or failed."""

import hashlib
import random
import time
import uuid
from pathlib import Path

import pytest
from flaky_service import Answer, Connect, FlakyService, Pauses, cutting
from served import Served
from simulated import inputs

from api.client import Client, JobNotSuccessful, NotAServer, Refused, StillRunning
from seq2seq.progress import Progress


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("client") / "fields.zip"
    path.write_bytes(b"a sequence")
    return path


@pytest.fixture
def client(shared_server: Served, connect: Connect) -> Client:
    return connect(shared_server.url, shared_server.key)


def test_20_uploads_cut_at_random_bytes_arrive_with_identical_checksums(
    shared_server: Served, connect: Connect, tmp_path: Path
) -> None:
    cuts = 0
    for seed in range(20):
        content = random.Random(seed).randbytes(1_000_000)
        (tmp_path / "fields.zip").write_bytes(content)
        with cutting(shared_server.url, cuts=4, most_bytes=700_000, seed=seed) as line:
            sent = connect(line.url, shared_server.key).upload(tmp_path / "fields.zip")
            cuts += line.made
        stored = (shared_server.data / "files" / "uploads" / sent.id).read_bytes()
        assert hashlib.sha256(stored).hexdigest() == sent.sha256 == hashlib.sha256(content).hexdigest()
    assert cuts >= 20


def test_a_job_over_a_line_that_is_cut_all_the_time(
    shared_server: Served, connect: Connect, file: Path, tmp_path: Path
) -> None:
    with cutting(shared_server.url, cuts=10_000, most_bytes=6_000, seed=1) as line:
        client = connect(line.url, shared_server.key)
        job = shared_server.submit(client, file, steps=5, seconds=0.5)
        heard: list[Progress] = []
        ended = client.wait(job.id, on_progress=heard.append)
        assert ended.status == "successful"
        ids = [event.id for event in client.events(job.id)]
        out = client.download(job.id, tmp_path / "out")
        assert line.made > 10
    assert ids == sorted(set(ids))
    messages = [progress.message for progress in heard if progress.message]
    assert len(messages) == len(set(messages))
    assert messages[0] == "Accepted."
    assert (out / "report.json").exists()


def test_a_submission_whose_answer_is_lost_makes_one_job(
    shared_server: Served, connect: Connect, client: Client, file: Path
) -> None:
    upload, name = client.upload(file), str(uuid.uuid4())
    with cutting(shared_server.url, cuts=3, most_bytes=1_200, seed=2) as line:
        job = connect(line.url, shared_server.key).submit(upload, inputs(dates=0), name=name)
        assert line.made == 3
    assert [found.id for found in client.jobs() if found.name == name] == [job.id]


def test_events_come_once_in_order_and_end_with_the_job(shared_server: Served, client: Client, file: Path) -> None:
    job = shared_server.submit(client, file, steps=3, seconds=0.3)
    found = list(client.events(job.id))
    assert [event.id for event in found] == sorted({event.id for event in found})
    told = [event.message for event in found if event.kind == "status"]
    assert (told[0], told[1]) == ("Accepted.", "Started.")
    assert told[-1].startswith("Done")
    assert list(client.events(job.id, after=found[1].id)) == found[2:]


def test_waiting_tells_what_a_run_here_would_tell(shared_server: Served, client: Client, file: Path) -> None:
    job = shared_server.submit(client, file, steps=4, seconds=1.0)
    heard: list[Progress] = []
    client.wait(job.id, on_progress=heard.append)
    assert heard[0].phase in ("waiting", "starting")
    fitting = [progress for progress in heard if progress.phase == "fitting"]
    assert fitting
    assert [progress.step for progress in fitting] == sorted(progress.step for progress in fitting)
    assert all(progress.of == 4 and progress.holdout_psnr == 20.0 for progress in fitting)


def test_waiting_has_an_end_when_asked_for_and_the_job_goes_on(
    shared_server: Served, client: Client, file: Path
) -> None:
    job = shared_server.submit(client, file, seconds=30.0, steps=300)
    began = time.monotonic()
    with pytest.raises(StillRunning, match=r"after 0\.5 s; it goes on"):
        client.wait(job.id, timeout_s=0.5)
    assert time.monotonic() - began < 3
    cancelled = client.cancel(job.id)
    assert cancelled.status in ("running", "dismissed")
    ended = client.wait(job.id)
    assert ended.status == "dismissed"
    with pytest.raises(JobNotSuccessful, match="was cancelled"):
        ended.check_successful()
    assert client.cancel(job.id).status == "dismissed"  # again, and it is still there
    assert client.job(job.id).status == "dismissed"


def test_a_failed_job_says_why(shared_server: Served, client: Client, file: Path, tmp_path: Path) -> None:
    job = shared_server.submit(client, file, fault={"kind": "input"})
    ended = client.wait(job.id)
    with pytest.raises(JobNotSuccessful, match=f"job {job.id} failed: S2: simulated absence") as failed:
        ended.check_successful()
    assert failed.value.code == "missing-data"
    with pytest.raises(Refused, match="failed and has no files"):
        client.download(job.id, tmp_path / "out")


def test_jobs_come_page_by_page_newest_first(shared_server: Served, client: Client, file: Path) -> None:
    upload = client.upload(file)
    names = [f"page-{number}" for number in range(5)]
    for name in names:
        client.submit(upload, inputs(dates=0, seconds=0), name=name)
    found = [job.name for job in client.jobs(limit=5)]
    assert found == names[::-1]
    assert all(job.status == "failed" for job in client.jobs(statuses=("failed",)))


def test_a_setting_that_no_method_has_is_a_refusal_that_names_it(client: Client, file: Path) -> None:
    with pytest.raises(Refused, match=r"inputs\.sede") as refused:
        client.submit(client.upload(file), {"sede": 1})
    assert refused.value.code == "invalid-request"


@pytest.mark.parametrize("key", [None, "dcl_0123456789ab_" + "0" * 48])
def test_without_a_key_the_user_hears_what_to_set(shared_server: Served, connect: Connect, key: str | None) -> None:
    with pytest.raises(Refused, match=r"\(set DECLOUD_KEY or --key\)$"):
        next(connect(shared_server.url, key).jobs())


def test_a_job_that_is_not_there(client: Client) -> None:
    with pytest.raises(Refused, match="there is no job 'nothing'") as refused:
        client.job("nothing")
    assert refused.value.code == "no-such-job"


# -- servers that are none, or stumble


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b"{}", b'{"jobID": 1, "status": "running"}', b'{"jobID": "a"}', b"\xff"]
)
def test_an_answer_of_something_else_is_one_line(flaky: FlakyService, connect: Connect, body: bytes) -> None:
    flaky.instead.append(Answer(200, body, {"Content-Type": "text/html"}))
    with pytest.raises(NotAServer, match=r"is it a decloud server\?$"):
        connect(flaky.url).job("a")


@pytest.mark.parametrize(
    "values", [{"step": 5, "of": 3}, {"step": -1, "of": 3}, {"step": "x", "of": []}, {"loss": "x", "eta_s": {}}]
)
def test_progress_that_cannot_be_is_no_error(flaky: FlakyService, connect: Connect, values: dict[str, object]) -> None:
    job = {"jobID": "a", "status": "running", "phase": "fitting", **values}
    flaky.instead.append(Answer.json(job))
    assert connect(flaky.url).job("a").progress == Progress("fitting")


def test_a_server_that_does_not_hold_its_answers_is_asked_ever_less(
    flaky: FlakyService, connect: Connect, pauses: Pauses
) -> None:
    job = {"jobID": "a", "status": "running", "phase": "fitting"}
    log = Answer.json({"logs": []})
    flaky.instead += [
        Answer.json(job, ETag='"1"'),
        log,
        *[Answer(304)] * 12,
        Answer.json({**job, "status": "failed"}),
        log,
    ]
    connect(flaky.url).wait("a")
    assert len(pauses) == 13
    assert pauses == pytest.approx(sorted(pauses), abs=0.1)
    assert pauses[-1] == pytest.approx(15.0, abs=0.5)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_no_answer_that_passes_fails_a_job_that_is_waited_for(
    flaky: FlakyService, connect: Connect, status: int
) -> None:
    job = {"jobID": "a", "status": "running"}
    log, sorry = Answer.json({"logs": []}), Answer.problem(status, "passing", "Not now.")
    flaky.instead += [Answer.json(job), log, *[sorry] * 20, Answer.json({**job, "status": "successful"}), sorry, log]
    assert connect(flaky.url).wait("a").status == "successful"


def test_a_quota_that_waiting_does_not_mend_is_said_at_once(flaky: FlakyService, connect: Connect) -> None:
    full = Answer.problem(429, "quota-exceeded", "1 of 1 bytes are stored.", quota="max_stored_bytes_per_owner")
    flaky.instead.append(full)
    with pytest.raises(Refused, match="1 of 1 bytes"):
        connect(flaky.url).submit("upload")
    waiting = Answer.problem(429, "quota-exceeded", "20 jobs are waiting.", quota="max_queued_per_owner")
    flaky.instead += [waiting, waiting, Answer.json({"jobID": "a", "status": "accepted"})]
    assert connect(flaky.url).submit("upload").status == "accepted"


def test_the_key_stays_with_its_server(flaky: FlakyService, connect: Connect, tmp_path: Path) -> None:
    """A server may send us elsewhere for a file, such as to a bucket; that host gets no key."""
    elsewhere = FlakyService()
    try:
        elsewhere.files["/bucket/manifest"] = b'{"files": []}'
        flaky.instead.append(Answer(307, headers={"Location": f"{elsewhere.url}/bucket/manifest"}))
        connect(flaky.url, "dcl_key").download("a", tmp_path / "out")
        assert flaky.keys == ["Bearer dcl_key"]
        assert elsewhere.keys == [None]
    finally:
        elsewhere.end()
