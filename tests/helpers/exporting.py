"""Results on their way to where their owners want them, for tests."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from service_jobs import running
from sqlalchemy import select

from worker import jobs
from worker.database.connections import Database
from worker.database.tables import exports as table
from worker.exports import asking
from worker.exports.exporter import Exporter
from worker.jobs import Job, events
from worker.jobs.exports import Destination
from worker.results.manifest import write_manifest
from worker.results.publishing import read_manifest
from worker.settings import Settings
from worker.storage import LocalStorage

FILES = {"declouded/2021-05-01.tif": bytes(range(256)) * 4000, "report.json": b"{}", "zones/z.tif": b"z" * 10}


class Exporting:
    """One database and storage, and exporters that work on them."""

    def __init__(self, database: Database, folder: Path, **settings: Any) -> None:
        self.database, self.folder = database, folder
        self.storage = LocalStorage(folder / "files")
        self.settings = Settings(data=folder, **{"poll_s": 0.02, **settings})
        self.started: list[Exporter] = []

    def start(self) -> Exporter:
        exporter = Exporter(self.database, self.storage, self.settings)
        exporter.start()
        self.started.append(exporter)
        return exporter

    def change(self, **settings: Any) -> None:
        """For exporters that start after it."""
        self.settings = Settings(data=self.folder, **{"poll_s": 0.02, **settings})

    def running(self, destination: Destination, **asked: Any) -> Job:
        return running(self.database, destination=destination, **asked)

    def finish(self, job: Job, files: dict[str, bytes] | None = None) -> Job:
        """As a worker would."""
        result = self.folder / "result-of-a-test" / job.id
        for path, content in (FILES if files is None else files).items():
            (result / path).parent.mkdir(parents=True, exist_ok=True)
            (result / path).write_bytes(content)
        write_manifest(result)
        artifacts = read_manifest(result)
        for artifact in artifacts:
            self.storage.put(f"{job.attempt_prefix}/{artifact.path}", result / artifact.path)
        shutil.rmtree(result)
        assert jobs.publish(self.database, job, result_prefix=job.attempt_prefix, artifacts=artifacts, usage={})
        return jobs.get(self.database, job.id, None)

    def finished(self, destination: Destination, files: dict[str, bytes] | None = None, **asked: Any) -> Job:
        return self.finish(self.running(destination, **asked), files)

    def to_addresses(self, addresses: dict[str, str]) -> Destination:
        return asking.to_addresses(addresses, self.settings)

    def to_bucket(self, href: str, owner: str = "ann") -> Destination:
        return asking.to_bucket(href, owner, self.settings)

    def shown(self, job: Job) -> dict[str, Any]:
        """As its owner sees it."""
        return dict(jobs.get(self.database, job.id, None).destination or {})

    def is_over(self, job: Job) -> bool:
        return self.shown(job)["state"] != "waiting"

    def waiting(self) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(select(table)))

    def log(self, job: Job) -> list[tuple[str, str]]:
        read = events.read(self.database, job.id, kinds=["delivery"])
        return [(event.level, str(event.data["message"])) for event in read]


@pytest.fixture
def exporting(sqlite_database: Database, tmp_path: Path) -> Iterator[Exporting]:
    made = Exporting(sqlite_database, tmp_path)
    yield made
    for exporter in made.started:
        exporter.stop()


@pytest.fixture
def exporting_on_each(database: Database, tmp_path: Path) -> Iterator[Exporting]:
    """On each database in turn."""
    made = Exporting(database, tmp_path)
    yield made
    for exporter in made.started:
        exporter.stop()
