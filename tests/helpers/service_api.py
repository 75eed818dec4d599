"""A served API for tests: uvicorn in a thread, on a free port, and users with keys of their own."""

import itertools
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from service_databases import free_port, without_syncs
from service_workers import until

from api.app import begin_shutdown, create_app
from api.http import authentication
from api.http.protocol import http_protocol
from api.receiving import reception
from api.routes import streaming
from worker import jobs
from worker.access import keys
from worker.database.connections import Database
from worker.jobs import Artifact, Job
from worker.lanes import LIGHT
from worker.results.manifest import write_manifest
from worker.results.publishing import read_manifest
from worker.settings import Settings
from worker.storage import Storage, open_storage

STARTS_WITHIN_S = 60.0
_numbers = itertools.count()


class User(httpx.Client):
    """Somebody with a key, and an address to ask."""

    def __init__(self, api: "ServedApi", owner: str, key: str | None) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        super().__init__(base_url=api.url, headers=headers, timeout=30.0, trust_env=False, verify=False)
        self.api, self.owner, self.key = api, owner, key
        self._raw: list[socket.socket] = []

    def raw(self, head: str) -> socket.socket:
        """A connection on which a request has begun; what follows the head, and when, is the test's."""
        connection = self.connection()
        key = f"Authorization: Bearer {self.key}\r\n" if self.key else ""
        connection.sendall(f"{head}\r\nHost: 127.0.0.1:{self.api.port}\r\n{key}\r\n".encode())
        return connection

    def connection(self) -> socket.socket:
        """Nothing has been sent yet."""
        self._raw.append(socket.create_connection(("127.0.0.1", self.api.port)))
        return self._raw[-1]

    def close(self) -> None:
        for connection in self._raw:
            connection.close()
        super().close()

    def upload(self, content: bytes = b"bytes of a sequence", name: str = "fields.zip") -> str:
        """The id of a complete upload."""
        answer = self.put(f"/uploads/{name}", content=content)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    @cached_property
    def sequence(self) -> dict[str, str]:
        """Something to ask jobs for, uploaded once; no worker works here."""
        return {"href": f"/uploads/{self.upload()}"}

    def submit(self, **inputs: Any) -> str:
        """The id of a job."""
        chosen = inputs if "sequence" in inputs else {"sequence": self.sequence, **inputs}
        answer = self.post("/processes/decloud/execution", json={"inputs": chosen})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["jobID"])


class ServedApi:
    """What a test and the operator see of one server."""

    def __init__(self, folder: Path, migrated: Path | None, **settings: Any) -> None:
        """migrated: an empty database to begin with; None: another server has begun already."""
        folder.mkdir(parents=True, exist_ok=True)
        if migrated is not None:
            shutil.copy(migrated, folder / "decloud.db")
        self.settings = Settings(data=folder, **{"disk_floor_bytes": 0, **settings})
        self.database = Database(self.settings.database_url)
        if self.database.is_sqlite:
            without_syncs(self.database)
        self.storage: Storage = open_storage(self.settings.storage_url, self.settings.storage_options)
        self.app: FastAPI = create_app(self.settings, database=self.database, storage=self.storage, reaper=False)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        protocol = http_protocol(self.settings)
        config = uvicorn.Config(
            self.app, http=protocol, ws="none", log_config=None, access_log=False, timeout_graceful_shutdown=5
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self._users: list[User] = []

    def start(self) -> None:
        self._thread.start()
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not self._server.started:
            assert self._thread.is_alive()
            assert time.monotonic() < deadline, "the API does not start"
            time.sleep(0.005)

    def stop(self) -> None:
        for user in self._users:
            user.close()
        self.stop_serving()
        self.database.close()

    def stop_serving(self) -> None:
        """As SIGTERM does to a server."""
        begin_shutdown(self.app)
        self._server.should_exit = True
        self._thread.join(STARTS_WITHIN_S)
        assert not self._thread.is_alive(), "the API does not stop"

    def user(self, owner: str | None = None, **quota: int) -> User:
        """A new owner, unless one is named, with a key."""
        owner = owner or f"owner-{next(_numbers)}"
        _, key = keys.create(self.database, owner=owner, quota=quota)
        return self.anybody(owner, key)

    def anybody(self, owner: str = "nobody", key: str | None = None) -> User:
        user = User(self, owner, key)
        self._users.append(user)
        return user

    def job(self, job_id: str) -> Job:
        return jobs.get(self.database, job_id, None)

    def claim(self, job_id: str) -> Job:
        """This job, now running; those before it in the queue are claimed and given back."""
        with ExitStack() as back:
            while True:
                claimed = jobs.claim(self.database, worker_id="worker-1", classes=("cpu", LIGHT), lease_s=60)
                assert claimed is not None, f"{job_id} cannot be claimed"
                if claimed.id == job_id:
                    return claimed
                back.callback(jobs.release, self.database, claimed)

    def finish(self, job_id: str, files: dict[str, bytes] | None = None, gain: dict[str, Any] | None = None) -> Job:
        """As a worker would, with these files as its result."""
        job = self.claim(job_id)
        artifacts = self._put_all(job, files or {"report.json": b"{}"})
        done: dict[str, Any] = {"artifacts": artifacts, "usage": {"seconds": 1.0}, "gain": gain}
        assert jobs.publish(self.database, job, result_prefix=job.attempt_prefix, **done)
        return self.job(job_id)

    def _put_all(self, job: Job, files: dict[str, bytes]) -> list[Artifact]:
        result = self.settings.data / "result-of-a-test" / job.id
        for path, content in files.items():
            (result / path).parent.mkdir(parents=True, exist_ok=True)
            (result / path).write_bytes(content)
        write_manifest(result)
        artifacts = read_manifest(result)
        for artifact in artifacts:
            self.storage.put(f"{job.attempt_prefix}/{artifact.path}", result / artifact.path)
        shutil.rmtree(result)
        return artifacts


Serve = Callable[..., ServedApi]


@pytest.fixture(scope="session")
def api(migrated_sqlite_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApi]:
    """One for all tests: each makes users of its own. Nothing is reaped, and no worker works."""
    served = ServedApi(tmp_path_factory.mktemp("api"), migrated_sqlite_file)
    served.start()
    yield served
    served.stop()


@pytest.fixture
def serve(migrated_sqlite_file: Path, tmp_path: Path) -> Iterator[Serve]:
    """Servers with settings of their own."""
    started: list[ServedApi] = []

    def start(*, beside: ServedApi | None = None, **settings: Any) -> ServedApi:
        """beside: another server, whose data folder it shares."""
        if beside is None:
            served = ServedApi(tmp_path / f"api-{len(started)}", migrated_sqlite_file, **settings)
        else:
            served = ServedApi(beside.settings.data, None, **settings)
        served.start()
        started.append(served)
        return served

    yield start
    for served in started:
        served.stop()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are asked for again after tenths of seconds."""
    promised_s = 5.0
    assert authentication._TRUSTED_S + max(streaming.CHECK_S, reception._KEEP_S) < promised_s
    monkeypatch.setattr(authentication, "_TRUSTED_S", 0.2)
    monkeypatch.setattr(streaming, "CHECK_S", 0.2)
    monkeypatch.setattr(reception, "_KEEP_S", 0.2)


@pytest.fixture
def user(api: ServedApi) -> User:
    return api.user()


class ApiProcess:
    """An API that can be killed, with one user of its own, on one port for all its lives."""

    def __init__(self, folder: Path, migrated: Path) -> None:
        folder.mkdir(parents=True)
        shutil.copy(migrated, folder / "decloud.db")
        self.settings = Settings(data=folder, disk_floor_bytes=0, port=free_port())
        self.url = f"http://127.0.0.1:{self.settings.port}"
        self.port = self.settings.port
        self.database = Database(self.settings.database_url)
        self.storage = open_storage(self.settings.storage_url)
        _, key = keys.create(self.database, owner="ann")
        self._process: subprocess.Popen[bytes] | None = None
        self.user = User(self, "ann", key)  # type: ignore[arg-type]

    def start(self) -> None:
        values = self.settings.model_dump_json(include={"data", "disk_floor_bytes", "port"})
        with (self.settings.data / "process.log").open("ab") as log:
            self._process = subprocess.Popen([sys.executable, __file__, values], stdout=log, stderr=log)
        until(self._answers, "the API does not start", STARTS_WITHIN_S)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def end(self) -> None:
        if self._process is not None:
            self.kill()
        self.user.close()
        self.database.close()

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.settings.data / "process.log").read_text()
        try:
            return self.user.get("/health/ready").status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture
def api_process(migrated_sqlite_file: Path, tmp_path: Path) -> Iterator[ApiProcess]:
    process = ApiProcess(tmp_path / "api", migrated_sqlite_file)
    process.start()
    yield process
    process.end()


def main(values: str) -> None:
    settings = Settings(**json.loads(values))
    uvicorn.run(create_app(settings), port=settings.port, http=http_protocol(settings), ws="none", access_log=False)


if __name__ == "__main__":
    main(sys.argv[1])
