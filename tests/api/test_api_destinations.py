"""Results by reference through the API, the client and the command line: asked for, followed, refused in one line."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from put_server import Manners, PutServer
from served import Serving, at_home
from service_api import Serve, ServedApi, User
from service_storages import S3Server
from service_workers import until
from simulated import inputs

from api.client import Client, NotDelivered
from api.commands import main as cli
from worker.exports.exporter import Exporter
from worker.storage import ObjectStorage

ADDRESS = "/processes/decloud/execution"


class Exporters:
    """Those that a test has started."""

    def __init__(self) -> None:
        self._started: list[Exporter] = []

    def of(self, api: ServedApi) -> None:
        self._started.append(Exporter(api.database, api.storage, api.settings))
        self._started[-1].start()

    def stop(self) -> None:
        for each in self._started:
            each.stop()


@pytest.fixture
def exporters() -> Any:
    made = Exporters()
    yield made
    made.stop()


def ask(user: User, destination: Any, **more: Any) -> Any:
    return user.post(ADDRESS, json={"inputs": {"sequence": user.sequence}, "destination": destination, **more})


def test_a_user_asks_for_the_result_in_a_bucket_and_sees_it_get_there(
    serve: Serve, s3_server: S3Server, bucket: str, exporters: Exporters
) -> None:
    api = serve(output_buckets={bucket: s3_server.options}, poll_s=0.02)
    ann = api.user("ann")
    answer = ask(ann, {"href": f"s3://{bucket}/fields/"})
    assert answer.status_code == 201, answer.text
    assert answer.json()["destination"] == {"href": f"s3://{bucket}/fields", "state": "waiting", "tries": 0}
    job = answer.json()["jobID"]
    etag = ann.get(f"/jobs/{job}").headers["etag"]
    api.finish(job, {"report.json": b"{}"})
    exporters.of(api)
    until(lambda: ann.get(f"/jobs/{job}").json()["destination"]["state"] == "delivered")
    status = ann.get(f"/jobs/{job}", headers={"If-None-Match": etag})
    assert status.status_code == 200
    destination = status.json()["destination"]
    assert (destination["files"], destination["tries"]) == (2, 1)
    assert destination["delivered"].endswith("Z")
    assert ann.get("/jobs").json()["jobs"][0]["destination"] == destination
    stored = ObjectStorage(f"s3://{bucket}/fields", s3_server.options)
    assert b"".join(stored.open_range("report.json")) == b"{}"
    log = ann.get(f"/jobs/{job}/log").json()["logs"][-1]
    assert (log["kind"], log["level"]) == ("delivery", "info")
    assert log["message"].startswith(f"Delivered to s3://{bucket}: 2 files")
    assert "delivery" in ann.get(f"/jobs/{job}/events").text


def test_presigned_addresses_are_never_shown_again(
    serve: Serve, put_server: PutServer, exporters: Exporters, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    put_server.manners = Manners([(403, {})])
    api = serve(output_hosts=(put_server.host,), poll_s=0.02)
    ann = api.user("ann")
    asked = ask(ann, {"put": {"results.zip": put_server.address("secret-path")}}, name="fields")
    job = asked.json()["jobID"]
    api.finish(job)
    exporters.of(api)
    until(lambda: ann.get(f"/jobs/{job}").json()["destination"]["state"] == "failed")
    pages = [asked.text, *(ann.get(path).text for path in (f"/jobs/{job}", "/jobs", f"/jobs/{job}/log"))]
    pages.append(ann.get(f"/jobs/{job}/events").text)
    again = ann.post(f"/jobs/{job}/resubmit", json={})
    pages.append(again.text)
    for secret in ("hunter2", "secret-path"):
        assert not any(secret in page for page in pages)
        assert secret not in caplog.text
    assert f"https://{put_server.host}" in pages[1]
    assert "it answered 403" in pages[1]
    assert "destination" not in again.json(), "addresses are for one job"
    assert ann.get(f"/jobs/{job}/results").status_code == 200, "the job itself has its result"


@pytest.mark.parametrize(
    ("destination", "said"),
    [
        ({"href": "s3://elsewhere/a"}, "destination.href: elsewhere is no bucket that this service may deliver"),
        ({"href": "s3://of-bob/a"}, "destination.href: of-bob is no bucket that this service may deliver"),
        ({"href": "https://storage.example.org/a"}, "destination.href: must be of the form s3://BUCKET/PREFIX"),
        (
            {"put": {"results.zip": "https://169.254.169.254/?hunter2"}},
            "destination.put: 'results.zip': must have a public address",
        ),
        (
            {"put": {"results.zip": "https://evil.example/?hunter2"}},
            "'results.zip': leads to evil.example, which is no",
        ),
        ({"put": {"results.zip": "http://storage.example.org/?hunter2"}}, "must begin with https://"),
        ({"put": {"results.zip": ["https://hunter2"]}}, "destination.put.results.zip"),
        ({"put": {"results.zip": "https://" + "hunter2" * 1000}}, "destination.put.results.zip"),
        ({"put": {}}, "destination.put"),
        ({}, "destination: must have either href or put"),
        ({"href": "s3://fields", "put": {"a": "https://storage.example.org/"}}, "destination: must have either"),
        ({"href": None}, "destination: must have either href or put"),
        ({"to": "s3://fields"}, "destination.to: there is no such member"),
    ],
)
@pytest.mark.parametrize("query", ["", "?validate_only=true"])
def test_what_cannot_be_is_refused_before_there_is_a_job(
    places: ServedApi, destination: Any, said: str, query: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    ann = places.user()
    body = {"inputs": {"sequence": ann.sequence}, "destination": destination}
    answer = ann.post(ADDRESS + query, json=body)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]
    assert "hunter2" not in answer.text + caplog.text
    assert ann.get("/jobs").json()["jobs"] == []


@pytest.fixture(scope="module")
def places(migrated_sqlite_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    buckets = {"fields": {}, "of-bob": {"owners": "bob"}}
    settings = {"output_buckets": buckets, "output_hosts": ("storage.example.org",)}
    served = ServedApi(tmp_path_factory.mktemp("places"), migrated_sqlite_file, **settings)
    served.start()
    yield served
    served.stop()


def test_a_server_without_places_says_so_and_one_with_them_says_which(api: ServedApi, places: ServedApi) -> None:
    user = api.user()
    for destination, name in (({"href": "s3://a/b"}, "BUCKETS"), ({"put": {"a": "https://b.example/"}}, "HOSTS")):
        answer = ask(user, destination)
        assert answer.status_code == 400
        assert "its operator has named n" in answer.json()["detail"]
        assert f"DECLOUD_OUTPUT_{name}" in answer.json()["detail"]
    assert "additionalParameters" not in user.get("/processes/decloud").json()
    described = places.user().get("/processes/decloud").json()["additionalParameters"]
    assert described == {"parameters": [{"name": "destination", "value": ["href", "put"]}]}


def test_a_resubmission_goes_where_it_says_itself(places: ServedApi) -> None:
    ann = places.user()
    job = ask(ann, {"href": "s3://fields/a"}).json()["jobID"]
    again = ann.post(f"/jobs/{job}/resubmit", json={"destination": {"href": "s3://fields/b"}}).json()
    assert again["destination"]["href"] == "s3://fields/b"
    ann.delete(f"/jobs/{job}")
    shown = ann.get(f"/jobs/{job}").json()
    assert (shown["destination"]["state"], shown["destination"]["detail"]) == ("failed", "the job has no result")


def test_the_client_waits_until_the_result_is_there(
    serve: Serve, s3_server: S3Server, bucket: str, exporters: Exporters, put_server: PutServer
) -> None:
    put_server.manners = Manners([(403, {})])
    buckets = {bucket: s3_server.options}
    api = serve(output_buckets=buckets, output_hosts=(put_server.host,), poll_s=0.02)
    ann = api.user("ann")
    with Client(api.url, ann.key) as client:
        upload = ann.upload()
        there = client.submit(upload, destination={"href": f"s3://{bucket}/a"})
        refused = client.submit(upload, destination={"put": {"results.zip": put_server.address("a")}})
        for job in (there, refused):
            api.finish(job.id)
        assert client.wait(there.id).destination["state"] == "waiting"
        exporters.of(api)
        heard: list[str | None] = []
        ended = client.wait(there.id, delivered=True, on_progress=lambda progress: heard.append(progress.message))
        ended.check_delivered()
        assert ended.destination["files"] == 2
        assert any(str(message).startswith("Delivered to") for message in heard)
        ended = client.wait(refused.id, delivered=True)
        with pytest.raises(NotDelivered, match=r"which could not be delivered: results\.zip: it answered 403"):
            ended.check_delivered()


@pytest.mark.parametrize("command", ["submit", "submit-benchmark"])
def test_the_command_line_says_where_the_result_is(
    serve: Serve,
    s3_server: S3Server,
    bucket: str,
    exporters: Exporters,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    import threading

    api = serve(output_buckets={bucket: s3_server.options}, poll_s=0.02)
    ann = api.user("ann")
    at_home(monkeypatch, tmp_path, api.url, str(ann.key))
    exporters.of(api)

    def work() -> None:
        found = until(lambda: ann.get("/jobs").json()["jobs"])
        api.finish(found[0]["jobID"])

    worker = threading.Thread(target=work)
    worker.start()
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "fields", "--to", f"s3://{bucket}/mine"])
    worker.join()
    assert not ended.value.code
    assert f"There    s3://{bucket}/mine, 2 files, 0.0 MB" in capsys.readouterr().out


def test_decloud_serve_brings_results_where_its_settings_allow(
    serving: Serving, file: Path, s3_server: S3Server, bucket: str
) -> None:
    """The whole of it: the environment, a job of the simulated method, the server's own exporter."""
    server = serving(output_buckets=json.dumps({bucket: s3_server.options}))
    client = server.client()
    job = client.submit(
        client.upload(file), inputs(dates=1, steps=1, seconds=0.1), destination={"href": f"s3://{bucket}/mine"}
    )
    ended = client.wait(job.id, delivered=True)
    ended.check_delivered()
    stored = ObjectStorage(f"s3://{bucket}/mine", s3_server.options)
    manifest = json.loads(b"".join(stored.open_range("manifest.json")))
    assert len(manifest["files"]) + 1 == ended.destination["files"]
    for entry in manifest["files"]:
        content = b"".join(stored.open_range(entry["path"]))
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    assert "not-a-secret" not in server.log.read_text() + server.output.read_text()


def test_a_place_that_is_none_is_said_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("fields/S2").mkdir(parents=True)
    with pytest.raises(SystemExit) as ended:
        cli.main(["submit", "fields", "--to", "fields-of-ann", "--server", "http://127.0.0.1:1"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "decloud: error: --to fields-of-ann: must be of the form s3://BUCKET/PREFIX\n"
