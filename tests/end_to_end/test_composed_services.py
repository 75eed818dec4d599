"""The commands, settings and health checks of docker-compose.yml at work, with a real PostgreSQL and a real Redis but
without containers."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from composed import SERVICES, environment, seconds
from service_brokers import RealRedis
from service_databases import PostgresServer, free_port
from service_workers import until

from api.client import Client
from seq2seq.bands import BAND_SETS
from seq2seq.simulation.simulate import simulate, write_simulation


class Composed:
    """`docker compose up`, `exec` and `down`, of ours. Addresses are the only thing that is changed."""

    def __init__(self, folder: Path, database_url: str, broker_url: str) -> None:
        self._folder, self._port = folder, free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._changed = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
            "DECLOUD_DATA": str(folder / "data"),
            "DECLOUD_DATABASE_URL": database_url,
            "DECLOUD_BROKER_URL": broker_url,
            "DECLOUD_PORT": str(self._port),
            "DECLOUD_HOST": "127.0.0.1",
            "DECLOUD_RESOURCE_CLASSES": "cpu",
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def up(self, service: str) -> None:
        """Waits until its health check says that it is well."""
        with (self._folder / f"{service}.log").open("wb") as log:
            self._running[service] = subprocess.Popen(
                SERVICES[service]["command"], env=self._environment(service), cwd=self._folder, stdout=log, stderr=log
            )
        within_s = seconds(SERVICES[service]["healthcheck"]["start_period"])
        until(lambda: self.is_healthy(service), f"{service} is not well", within_s)

    def is_healthy(self, service: str) -> bool:
        kind, *command = SERVICES[service]["healthcheck"]["test"]
        assert kind == "CMD"
        assert self._running[service].poll() is None, (self._folder / f"{service}.log").read_text()
        return self.exec(service, *(word.replace(":8000", f":{self._port}") for word in command)).returncode == 0

    def exec(self, service: str, *command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command, env=self._environment(service), cwd=self._folder, capture_output=True, text=True, timeout=60
        )

    def down(self, service: str) -> None:
        """SIGTERM, and no SIGKILL is needed."""
        process = self._running.pop(service)
        process.terminate()
        try:
            process.wait(seconds(SERVICES[service]["stop_grace_period"]))
        finally:
            process.kill()

    def remove(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()

    def _environment(self, service: str) -> dict[str, str]:
        assert set(environment(service)) > {"DECLOUD_DATABASE_URL", "DECLOUD_BROKER_URL", "DECLOUD_DATA"}
        return {**environment(service), **self._changed}


@pytest.fixture
def composed(postgresql_server: PostgresServer, real_redis: RealRedis, tmp_path: Path) -> Iterator[Composed]:
    name = re.sub(r"\W", "_", f"composed_{tmp_path.name}")
    postgresql_server.create(name)
    with ExitStack() as stack:
        services = Composed(tmp_path, postgresql_server.url(name), real_redis.url)
        stack.callback(services.remove)
        yield services


@pytest.mark.slow
def test_a_job_goes_through_the_composed_services(composed: Composed, tmp_path: Path) -> None:
    composed.up("api")
    assert composed.exec("worker-cpu", *SERVICES["worker-cpu"]["healthcheck"]["test"][1:]).returncode == 1
    composed.up("worker-cpu")

    key = composed.exec("api", "decloud", "keys", "create", "ann").stdout.strip()
    write_simulation(simulate(dates=2, size=24, bands=BAND_SETS["10m"]), tmp_path / "fields")
    with Client(composed.url, key) as client:
        upload = client.upload(tmp_path / "fields" / "input")
        job = client.submit(upload, {"method": "linear", "perceptual": "off"})
        ended = client.wait(job.id)
        assert ended.status == "successful", ended.values
        assert ended.values["usage"]["device"] == "cpu"
        files = client.download(job.id, tmp_path / "out")
    assert sorted(path.name for path in (files / "declouded").glob("*.tif")) != []

    composed.down("worker-cpu")
    composed.down("api")
