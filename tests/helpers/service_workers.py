"""Jobs of the simulated method and the workers that run them: in this process, or in others that can be killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import simulated

from seq2seq.processes import INSPECT
from worker import jobs
from worker.database.connections import Database
from worker.jobs import Job, events, uploads
from worker.lanes import LIGHT
from worker.queue.doorbell import InProcessDoorbell
from worker.queue.reaper import Reaper
from worker.running.supervisor import Supervisor
from worker.settings import Settings
from worker.storage import Storage, open_storage

# Short enough for tests, long enough for two busy cores.
INTERVALS: dict[str, Any] = {
    "lease_s": 0.6,
    "heartbeat_s": 0.2,
    "poll_s": 0.05,
    "reap_s": 0.1,
    "ring_again_s": 0.3,
    "cancel_grace_s": 0.5,
}
WITHIN_S = 30.0
_COMMANDS: dict[str, Any] = {"command": simulated.COMMAND, "tile_command": simulated.TILE_COMMAND}


class Workshop:
    """Settings, database and storage of one test, and what a user and an operator see of them."""

    def __init__(self, database: Database, database_url: str, folder: Path, **settings: Any) -> None:
        self.settings = Settings(data=folder, database_url=database_url, **{**INTERVALS, **settings})
        self.database = database
        self.storage: Storage = open_storage(self.settings.storage_url, self.settings.storage_options)
        self.processes: list[subprocess.Popen[bytes]] = []
        self._workers = 0

    @cached_property
    def upload(self) -> str:
        """The id of an upload of a few bytes, made once; the simulated method does not look at it."""
        return self.upload_of(b"bytes of a sequence", "fields.zip")

    def upload_of(self, content: bytes | Path, name: str) -> str:
        """As the API does: the bytes, and their row."""
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        upload = uploads.create(self.database, owner="ann", length=size, limits=self.settings, name=name)
        self.storage.put(upload.key, content)
        uploads.advance(self.database, upload.id, "ann", old=0, new=size, limits=self.settings)
        uploads.complete(self.database, upload.id, "ann", sha256="0" * 64, limits=self.settings)
        return upload.id

    def submit(self, limits: Settings | None = None, **settings: Any) -> Job:
        """A job without images, which takes a quarter of a second, unless asked for otherwise."""
        params = simulated.inputs(**{"dates": 0, "seconds": 0.05, "steps": 5, **settings})
        return self.submit_params(self.upload, params, limits)

    def inspect(self, **settings: Any) -> Job:
        """As `submit`, in the lane of inspections, of which it is one."""
        params = simulated.inputs(**{"dates": 0, "seconds": 0.05, "steps": 5, **settings})
        return jobs.submit(
            self.database,
            owner="ann",
            input_id=self.upload,
            params=params,
            limits=self.settings,
            process=INSPECT,
            resource_class=LIGHT,
        )[0]

    def submit_params(self, upload_id: str, params: dict[str, Any], limits: Settings | None = None) -> Job:
        """A job of any method."""
        limits = limits or self.settings
        return jobs.submit(self.database, owner="ann", input_id=upload_id, params=params, limits=limits)[0]

    def get(self, job: Job) -> Job:
        return jobs.get(self.database, job.id, None)

    def supervisor(self, **changes: Any) -> Supervisor:
        self._workers += 1
        options: dict[str, Any] = {"worker_id": f"worker-{self._workers}", **_COMMANDS, **changes}
        storage = options.pop("storage", self.storage)
        return Supervisor(self.database, storage, options.pop("settings", self.settings), **options)

    def work(self, job: Job, supervisor: Supervisor | None = None) -> Job:
        """Until the job has ended, by as many attempts as it takes."""
        supervisor = supervisor or self.supervisor()
        deadline = time.monotonic() + WITHIN_S
        while not self.get(job).ended:
            assert time.monotonic() < deadline, self.get(job)
            if not supervisor.work_once():
                time.sleep(0.02)
        return self.get(job)

    def reaper(self) -> Reaper:
        return Reaper(self.database, self.storage, self.settings, InProcessDoorbell())

    def start_worker(self, **changes: Any) -> subprocess.Popen[bytes]:
        """A process that works until SIGTERM; see `main`."""
        self._workers += 1
        values = {**json.loads(self.settings.model_dump_json(exclude_defaults=True)), **changes}
        log = (self.settings.data / f"process-{self._workers}.log").open("wb")
        command = [sys.executable, __file__, f"process-{self._workers}", json.dumps(values)]
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        log.close()
        self.processes.append(process)
        return process

    def end_processes(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGCONT)
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def result(self, job: Job) -> dict[str, Any]:
        """report.json's config: which attempt did which steps."""
        prefix = self.get(job).result_prefix
        content = b"".join(self.storage.open_range(f"{prefix}/report.json"))
        config: dict[str, Any] = json.loads(content)["config"]
        return config

    def messages(self, job: Job) -> list[str]:
        return [str(event.data.get("message")) for event in events.read(self.database, job.id)]

    def work_folders(self) -> list[str]:
        root = self.settings.work_dir
        return sorted(path.relative_to(root).as_posix() for path in root.glob("*/*")) if root.exists() else []


def until(true: Callable[[], Any], what: str = "", within_s: float = WITHIN_S) -> Any:
    """Waits for what other processes do."""
    deadline = time.monotonic() + within_s
    while not (found := true()):
        assert time.monotonic() < deadline, what or "did not happen"
        time.sleep(0.01)
    return found


def job_processes(pid: int) -> list[int]:
    """Those that a supervisor in process `pid` has started; the dead that nobody waited for do not count."""
    found = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(child) for child in tasks.read_text().split()]
    return [child for child in found if alive(child) and "_job" in Path(f"/proc/{child}/cmdline").read_text()]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


@pytest.fixture
def workshop(sqlite_database: Database, tmp_path: Path) -> Iterator[Workshop]:
    workshop = Workshop(sqlite_database, f"sqlite:///{tmp_path / 'decloud.db'}", tmp_path)
    yield workshop
    workshop.end_processes()


def main(worker_id: str, values: str) -> None:
    from worker import logs

    settings = Settings(**json.loads(values))
    logs.configure("info")
    database = Database(settings.database_url)
    storage = open_storage(settings.storage_url, settings.storage_options)
    supervisor = Supervisor(database, storage, settings, worker_id=worker_id, **_COMMANDS)
    stopping: list[int] = []

    def stop(*_: object) -> None:
        stopping.append(1)
        supervisor.stop()

    signal.signal(signal.SIGTERM, stop)
    while not stopping:
        if not supervisor.work_once():
            time.sleep(settings.poll_s)


if __name__ == "__main__":
    main(*sys.argv[1:])
