"""`decloud serve`: one command from upload to download, stopped and killed at any moment, and what it says when it
cannot start."""

import json
import os
import signal
import socket
import sqlite3
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from served import Served, Serving, gone
from service_databases import free_port
from service_workers import until
from simulated import inputs

from api.client import Client, RemoteJob
from api.commands import main as cli
from api.commands.data_folder import KEY, LOCK
from seq2seq.progress import Progress


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Something to upload; the simulated method does not look at it."""
    path = tmp_path / "fields.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("S2/2021-05-01.tif", bytes(100_000))
    return path


class Follower(threading.Thread):
    """A client that waits for a job, whatever the server does meanwhile."""

    def __init__(self, client: Client, job: RemoteJob) -> None:
        super().__init__(daemon=True)
        self.steps: list[Progress] = []
        self.job: RemoteJob | None = None
        self.error: Exception | None = None
        self._client, self._id = client, job.id
        self.start()

    def run(self) -> None:
        try:
            self.job = self._client.wait(self._id, on_progress=self.steps.append)
        except Exception as error:
            self.error = error

    def until_step(self, step: int) -> None:
        until(lambda: any(seen.step >= step for seen in self.steps), f"step {step}")

    def end(self) -> RemoteJob:
        self.join(timeout=60)
        assert self.error is None
        assert self.job is not None, "the job has not ended"
        return self.job


def ran(client: Client, job: RemoteJob, folder: Path) -> list[list[int]]:
    """Which attempt did which steps."""
    config: dict[str, Any] = json.loads((client.download(job.id, folder) / "report.json").read_text())["config"]
    return list(config["ran"])


def test_a_job_goes_from_upload_to_download(serving: Serving, file: Path, tmp_path: Path) -> None:
    server = serving()
    client = server.client()
    job = server.submit(client, file, steps=3)
    ended = client.wait(job.id)
    assert ended.status == "successful", ended.values
    assert ran(client, job, tmp_path / "out") == [[1, 0, 3]]
    said = server.output.read_text()
    assert f"decloud serves at {server.url}\n" in said
    assert f"DECLOUD_KEY=$(cat {server.data / KEY})" in said
    assert server.stop() == 0
    modes = {path.stat().st_mode & 0o777 for path in server.data.rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert server.data.stat().st_mode & 0o777 == 0o700
    assert not any("trace" in json.loads(line) for line in server.log.read_text().splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_job_goes_on_after_an_orderly_restart_where_it_was_stopped(
    serving: Serving, file: Path, tmp_path: Path, number: int
) -> None:
    server = serving()
    port, client = int(server.url.rpartition(":")[2]), server.client()
    job = server.submit(client, file, steps=20, seconds=1.5)
    follower = Follower(client, job)
    follower.until_step(3)
    children = server.job_processes()
    assert server.stop(number) == 0
    assert gone(children)
    server.start(port)
    ended = follower.end()
    assert ended.status == "successful", ended.values
    first, second = ran(client, job, tmp_path / "out")
    assert first[:2] == [1, 0]
    assert first[2] >= 3
    assert second == [2, first[2], 20]  # not one step twice
    assert ended.values["usage"]["attempts"] == 1  # the stop cost none


def test_a_job_goes_on_when_everything_was_killed(serving: Serving, file: Path, tmp_path: Path) -> None:
    """Long leases: a server that comes back does not wait for its own old ones to end."""
    server = serving(lease_s=600, heartbeat_s=5)
    port, client = int(server.url.rpartition(":")[2]), server.client()
    job = server.submit(client, file, steps=20, seconds=1.5)
    follower = Follower(client, job)
    follower.until_step(3)
    children = server.job_processes()
    server.kill()
    until(lambda: gone(children), "orphans")
    server.start(port)
    ended = follower.end()
    assert ended.status == "successful", ended.values
    first, second = ran(client, job, tmp_path / "out")
    assert second[0] == 2
    assert first[2] - 1 <= second[1] <= second[2] == 20
    assert second[1] >= 3


@pytest.mark.slow
def test_an_upload_goes_on_when_the_server_was_killed_in_the_middle(serving: Serving, tmp_path: Path) -> None:
    server = serving()
    port, client = int(server.url.rpartition(":")[2]), server.client()
    file = tmp_path / "large.zip"
    file.write_bytes(os.urandom(200_000_000))
    restarted = []

    def kill(progress: Progress) -> None:
        if progress.phase.startswith("uploading") and progress.step >= 60 and not restarted:
            restarted.append(progress.step)
            server.kill()
            server.start(port)

    sent = client.upload(file, on_progress=kill)
    assert restarted
    assert client.submit(sent, inputs(dates=0)).status == "accepted"


@pytest.mark.slow
def test_a_second_signal_does_not_wait_for_a_job_that_hangs(serving: Serving, file: Path) -> None:
    server = serving(cancel_grace_s=60)
    client = server.client()
    job = server.submit(client, file, fault={"kind": "hang", "at_step": 0})
    until(lambda: client.job(job.id).status == "running" and server.job_processes())
    children = server.job_processes()
    time.sleep(2)  # until it hangs
    server.process.send_signal(signal.SIGTERM)
    until(lambda: "Once more to end at once" in server.output.read_text())
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(5) == -signal.SIGTERM
    until(lambda: gone(children), "orphans")


# -- what keeps it from starting


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line it says instead."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["serve", *arguments])
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("decloud: error: ")
    assert said.err.count("\n") == 1
    return said.err.removeprefix("decloud: error: ").rstrip("\n")


@pytest.fixture
def data(tmp_path: Path) -> str:
    return str(tmp_path / "data")


def test_a_port_that_is_in_use(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refusal(capsys, "--data", data, "--port", str(port))
    assert said == f"port {port} of 127.0.0.1 is in use; choose another with --port (0: any that is free)"


def test_a_folder_that_another_server_has(shared_server: Served, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, "--data", str(shared_server.data), "--port", str(free_port()))
    assert said.endswith(f"is served already at {shared_server.url}, process {shared_server.process.pid}")


def test_a_file_in_place_of_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data").write_text("")
    assert refusal(capsys, "--data", str(tmp_path / "data")).startswith(
        f"{tmp_path / 'data'}: cannot be the data folder"
    )
    said = refusal(capsys, "--data", str(tmp_path / "data" / "below"))
    assert "cannot be the data folder (Not a directory)" in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "theirs").mkdir(mode=0o500)
    said = refusal(capsys, "--data", str(tmp_path / "theirs" / "data"))
    assert "cannot be the data folder (Permission denied)" in said


def test_a_database_of_a_later_release(
    tmp_path: Path, migrated_sqlite_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "decloud.db").write_bytes(migrated_sqlite_file.read_bytes())
    with sqlite3.connect(tmp_path / "decloud.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'r9999'")
    connection.close()
    said = refusal(capsys, "--data", str(tmp_path), "--port", "0")
    assert "the database is at revision r9999, this release knows up to r" in said


def test_a_file_that_is_no_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "decloud.db").write_bytes(b"not a database" * 1000)
    said = refusal(capsys, "--data", str(tmp_path), "--port", "0")
    assert said == f"{tmp_path / 'decloud.db'}: is no database of ours (file is not a database)"


def test_a_database_of_another_program_which_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "decloud.db"
    with sqlite3.connect(file) as connection:
        for table in ("album", "artist", "jobs", "track", "alembic_version"):
            connection.execute(f"CREATE TABLE {table} (id TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('ae1027a6acf')")
    connection.close()
    before = file.read_bytes()
    said = refusal(capsys, "--data", str(tmp_path), "--port", "0")
    assert said == (
        f"{file}: is another program's database (tables album, artist, jobs and 1 more); "
        "name one of its own for decloud with DECLOUD_DATABASE_URL"
    )
    assert file.read_bytes() == before


def test_a_secret_that_is_too_short(
    data: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECLOUD_SIGNING_SECRET", "hunter2")
    said = refusal(capsys, "--data", data, "--port", "0")
    assert said == "signing_secret (DECLOUD_SIGNING_SECRET): has 7 characters, must have at least 16"


def test_a_work_folder_that_cannot_be_used(
    tmp_path: Path, data: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").write_text("")
    monkeypatch.setenv("DECLOUD_WORK_DIR", str(tmp_path / "work"))
    said = refusal(capsys, "--data", data, "--port", "0")
    assert said == f"{tmp_path / 'work'}: cannot be the work folder (File exists); choose another with DECLOUD_WORK_DIR"


def test_a_host_that_is_not_this_machine(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, "--data", data, "--host", "192.0.2.1", "--port", "0")
    assert said.startswith("192.0.2.1 port 0: cannot be served")


def test_no_keys_beyond_this_machine(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, "--data", data, "--host", "0.0.0.0", "--no-keys")
    assert "without keys only a loopback host is allowed" in said


def test_a_setting_that_is_wrong(
    data: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECLOUD_LEASE_S", "soon")
    assert refusal(capsys, "--data", data).startswith("lease_s (DECLOUD_LEASE_S): ")


def test_what_kept_it_from_starting_leaves_nothing_locked(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = os.umask(0o022)
    os.umask(before)
    for _ in range(2):
        refusal(capsys, "--data", data, "--host", "192.0.2.1")
    assert os.umask(before) == before
    assert sorted(os.listdir(data)) == [LOCK]
