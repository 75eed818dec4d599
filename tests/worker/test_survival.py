"""What shows only with default settings, or with every process killed; docs/reliability.md says where the rest is."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from served import Served, Serving
from service_brokers import RealRedis, start_celery
from service_databases import PostgresServer
from service_workers import Workshop, until

from api.client import Client, ClientError, RemoteJob
from worker.database.connections import Database
from worker.settings import Settings

ANSWERS_WITHIN_S = 1.0
FREE_WITHIN_S = 25.0
DEFAULTS = Settings()
LEASES = {name: getattr(DEFAULTS, name) for name in ("lease_s", "heartbeat_s", "poll_s", "reap_s", "cancel_grace_s")}


def cancel(client: Client, job: RemoteJob) -> float:
    """Seconds to the answer."""
    began = time.monotonic()
    client.cancel(job.id)
    return time.monotonic() - began


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["works", "hangs"])
def test_with_default_settings_a_cancel_answers_at_once_in_every_state_and_frees_the_device(
    serving: Serving, file: Path, ending: str
) -> None:
    server: Served = serving(**LEASES)
    client = server.client()
    ended = server.submit(client, file, steps=1)
    assert client.wait(ended.id).status == "successful"
    fault = {"kind": "hang", "at_step": 2} if ending == "hangs" else None
    job = server.submit(client, file, seconds=600, steps=6000, fault=fault)
    waiting = server.submit(client, file)
    until(lambda: (client.job(job.id).values.get("step") or 0) >= 1, "it does not run")
    answers = {"waiting": cancel(client, waiting), "running": cancel(client, job)}
    began = time.monotonic()
    answers |= {"cancelled": cancel(client, job), "ended": cancel(client, ended)}
    next_one = server.submit(client, file)
    until(lambda: client.job(next_one.id).status != "accepted", "the device is not free", within_s=60)
    free_s = time.monotonic() - began
    print(f"{ending}: answers after {max(answers.values()):.3f} s at most, device free after {free_s:.1f} s")
    assert max(answers.values()) < ANSWERS_WITHIN_S, answers
    assert free_s < FREE_WITHIN_S
    assert client.wait(job.id).status == "dismissed"
    assert client.job(waiting.id).status == "dismissed"
    assert client.job(ended.id).status == "successful"


@dataclass(frozen=True)
class Composed:
    """API, Celery worker, Redis and PostgreSQL, each a process."""

    workshop: Workshop
    server: Served
    worker: "subprocess.Popen[bytes]"
    client: Client

    def serve_again(self) -> None:
        """At the address that its client knows."""
        self.server.start(int(self.client.url.rpartition(":")[2]))


@pytest.fixture
def composed(
    postgresql_server: PostgresServer, postgresql_database: Database, real_redis: RealRedis, tmp_path: Path
) -> Iterator[Composed]:
    database_url = postgresql_server.url(str(postgresql_database.engine.url.database))
    workshop = Workshop(postgresql_database, database_url, tmp_path)
    shared = {"database_url": database_url, "storage_url": workshop.settings.storage_url}
    server = Served(tmp_path / "data", broker_url=real_redis.url, auth="none", **shared)
    with ExitStack() as stack:
        stack.callback(workshop.end_processes)
        stack.callback(server.end)
        server.start()
        worker = start_celery(workshop, real_redis.url)
        yield Composed(workshop, server, worker, stack.enter_context(Client(server.url)))


@pytest.mark.slow
def test_api_worker_redis_and_postgresql_killed_at_once_lose_no_job_and_publish_each_once(
    composed: Composed, postgresql_server: PostgresServer, real_redis: RealRedis, file: Path, tmp_path: Path
) -> None:
    workshop, server, client = composed.workshop, composed.server, composed.client
    first = server.submit(client, file, seconds=4, steps=40)
    others = [server.submit(client, file) for _ in range(4)]
    until(lambda: (client.job(first.id).values.get("step") or 0) >= 5, "it does not run")
    server.kill()
    os.killpg(composed.worker.pid, signal.SIGKILL)
    real_redis.kill()
    postgresql_server.kill()
    composed.worker.wait()
    postgresql_server.start()
    real_redis.start()
    composed.serve_again()
    start_celery(workshop, real_redis.url)
    for job in (first, *others):
        assert client.wait(job.id, timeout_s=60).status == "successful"
        assert len(list((tmp_path / "files" / "results" / job.id).iterdir())) == 1
    (_, _, kept), (_, again, end) = workshop.result(workshop.get(first))["ran"]
    print(f"all killed: {kept - again} of {end} steps repeated")
    assert kept - 1 <= again <= kept


@pytest.mark.slow
def test_the_api_killed_alone_costs_a_running_job_nothing(composed: Composed, file: Path) -> None:
    workshop, server, client = composed.workshop, composed.server, composed.client
    job, waiting = server.submit(client, file, seconds=2, steps=20), server.submit(client, file)
    until(lambda: (client.job(job.id).values.get("step") or 0) >= 3, "it does not run")
    server.kill()
    for each in (job, waiting):  # as the database has it: nobody answers requests
        until(lambda each=each: workshop.get(each).status == "successful", "it did not go on", within_s=30)
    composed.serve_again()
    assert client.wait(job.id).status == "successful"
    assert workshop.get(job).attempt == 1
    assert [ran for _, *ran in workshop.result(workshop.get(job))["ran"]] == [[0, 20]]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own that a few MB fill."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a file system is not allowed here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.slow
def test_a_file_system_that_is_really_full_loses_no_job_and_no_server(small_disk: Path, file: Path) -> None:
    server = Served(small_disk / "data")
    ballast = small_disk / "ballast"
    large = file.with_name("large.zip")
    large.write_bytes(bytes(40 << 20))
    with ExitStack() as stack:
        stack.callback(server.end)
        server.start()
        client = server.client()
        with pytest.raises(ClientError, match=r"no room on the server.s disk") as refused:
            client.upload(large)
        print(f"upload: {refused.value}")
        job = server.submit(client, file, seconds=3, steps=30, dates=2)
        until(lambda: (client.job(job.id).values.get("step") or 0) >= 3, "it does not run")
        with suppress(OSError), ballast.open("wb", buffering=0) as filling:
            while filling.write(bytes(1 << 16)):
                pass
        assert shutil.disk_usage(small_disk).free < 1 << 16
        time.sleep(4)  # longer than the job needs
        assert server.process.poll() is None
        assert not small_disk.joinpath("data/files/results", job.id).exists()
        ballast.unlink()
        ended = client.wait(job.id, timeout_s=90)
        assert ended.status == "successful", ended
        assert server.submit(client, file).id
