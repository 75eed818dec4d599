"""Celery and Redis carry doorbells, never state: whatever is lost there, every job runs, and runs once."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from service_brokers import FakeRedis, RealRedis, start_celery, stop
from service_databases import free_port
from service_workers import Workshop, until

from worker import jobs
from worker.jobs import Job, tiles
from worker.lanes import LIGHT
from worker.queue import workers
from worker.queue.doorbell import CeleryDoorbell, open_doorbell
from worker.queue.reaper import Reaper


def doorbell(workshop: Workshop, url: str) -> CeleryDoorbell:
    found = open_doorbell(workshop.settings.model_copy(update={"broker_url": url}))
    assert isinstance(found, CeleryDoorbell)
    return found


@contextmanager
def reaping(workshop: Workshop, url: str) -> Iterator[None]:
    """As the API does all the time."""
    bell = doorbell(workshop, url)
    reaper = Reaper(workshop.database, workshop.storage, workshop.settings, bell)
    reaper.start()
    yield
    reaper.stop()
    bell.close()


def each_done_once(workshop: Workshop, submitted: list[Job]) -> None:
    until(lambda: all(workshop.get(job).ended for job in submitted), "not all jobs ended", within_s=120)
    for job in submitted:
        assert workshop.get(job).status == "successful"
        assert sum("Done" in message for message in workshop.messages(job)) == 1
        assert len(list((workshop.settings.data / "files" / "results" / job.id).iterdir())) == 1


def step_of(workshop: Workshop, job: Job) -> int:
    return int((workshop.get(job).progress or {}).get("step", 0))


def test_a_ring_wakes_a_real_worker_and_sigterm_gives_the_next_job_back_at_a_checkpoint(
    workshop: Workshop, fake_redis: FakeRedis
) -> None:
    worker = start_celery(workshop, fake_redis.url)
    bell = doorbell(workshop, fake_redis.url)
    first = workshop.submit()
    bell.ring("cpu")
    each_done_once(workshop, [first])
    (row,) = workers.listing(workshop.database)
    assert (row.classes, row.device) == (("cpu",), "auto")

    long = workshop.submit(seconds=60, steps=600)
    bell.ring("cpu")
    until(lambda: step_of(workshop, long) >= 2)
    # What is light has a queue and a worker of its own meanwhile.
    light = start_celery(workshop, fake_redis.url, classes=LIGHT)
    looked = workshop.inspect()
    bell.ring(LIGHT)
    each_done_once(workshop, [looked])
    assert (workshop.get(long).status, workshop.get(long).attempt) == ("running", 1)
    assert stop(light) < 10

    assert stop(worker) < 10
    stopped = workshop.get(long)
    assert (stopped.status, stopped.attempts_left) == ("accepted", stopped.max_attempts)
    assert workers.listing(workshop.database) == ()
    bell.close()


def test_a_ring_never_waits_for_a_broker_that_is_away(workshop: Workshop) -> None:
    bell = doorbell(workshop, f"redis://127.0.0.1:{free_port()}/0")
    began = time.monotonic()
    for _ in range(100):
        bell.ring("cpu")
    assert time.monotonic() - began < 0.1
    bell.close()
    assert time.monotonic() - began < 2


@pytest.mark.slow
def test_a_worker_that_could_not_be_stopped_refuses_to_start(workshop: Workshop, fake_redis: FakeRedis) -> None:
    command = [sys.executable, "-m", "celery", "-A", "worker.app", "worker", "-P", "solo"]
    environment = {"DECLOUD_BROKER_URL": fake_redis.url, "DECLOUD_DATA": str(workshop.settings.data)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    assert "-P threads -c 1" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_every_job_runs_once_after_redis_was_emptied_while_they_waited(
    workshop: Workshop, real_redis: RealRedis
) -> None:
    first = workshop.submit(seconds=0.4)
    waiting = [workshop.submit() for _ in range(3)]
    bell = doorbell(workshop, real_redis.url)
    for _ in (first, *waiting):
        bell.ring("cpu")
    bell.close()
    with real_redis.client() as client:
        assert client.llen("cpu") == 4
        client.flushall()
        assert client.llen("cpu") == 0
    worker = start_celery(workshop, real_redis.url)
    with reaping(workshop, real_redis.url):
        each_done_once(workshop, [first, *waiting])
    stop(worker)


@pytest.mark.slow
def test_fifty_queued_jobs_run_once_each_though_redis_is_emptied_and_killed(
    workshop: Workshop, real_redis: RealRedis
) -> None:
    patient = workshop.settings.model_copy(update={"max_queued_per_owner": 100, "max_running_per_owner": 100})
    workshop.settings = patient
    submitted = [workshop.submit() for _ in range(50)]
    pair = [start_celery(workshop, real_redis.url) for _ in range(2)]
    with reaping(workshop, real_redis.url):
        until(lambda: sum(workshop.get(job).ended for job in submitted) >= 5)
        with real_redis.client() as client:
            client.flushall()
        until(lambda: sum(workshop.get(job).ended for job in submitted) >= 15)
        real_redis.kill()
        time.sleep(1)
        real_redis.start()
        each_done_once(workshop, submitted)
        late = workshop.submit()
        each_done_once(workshop, [late])
    for worker in pair:
        stop(worker)


@pytest.mark.slow
def test_a_job_does_not_notice_that_redis_was_killed_and_the_next_one_runs_when_it_is_back(
    workshop: Workshop, real_redis: RealRedis
) -> None:
    worker = start_celery(workshop, real_redis.url)
    with reaping(workshop, real_redis.url):
        job = workshop.submit(seconds=3, steps=30)
        until(lambda: step_of(workshop, job) >= 2)
        real_redis.kill()
        each_done_once(workshop, [job])
        assert workshop.result(job)["ran"] == [[1, 0, 30]]
        log = workshop.settings.data / "celery-0.log"
        until(lambda: "Cannot connect" in log.read_text(), "the worker has not noticed")
        late = workshop.submit()
        time.sleep(0.5)
        assert workshop.get(late).status == "accepted"
        real_redis.start()
        each_done_once(workshop, [late])
    assert stop(worker) < 10


@pytest.mark.slow
def test_killed_with_its_redis_a_worker_is_replaced_and_its_job_goes_on(
    workshop: Workshop, real_redis: RealRedis
) -> None:
    worker = start_celery(workshop, real_redis.url)
    with reaping(workshop, real_redis.url):
        job = workshop.submit(seconds=4, steps=40)
        until(lambda: step_of(workshop, job) >= 5)
        worker.kill()
        real_redis.kill()
        worker.wait()
        real_redis.start()
        start_celery(workshop, real_redis.url)
        each_done_once(workshop, [job])
    (_, _, kept), (_, again, _) = workshop.result(job)["ran"]
    assert kept == again >= 5
    assert jobs.get(workshop.database, job.id, "ann").attempt == 2


@pytest.mark.slow
def test_idle_workers_are_rung_for_tiles_and_again_those_that_were_not_there_yet(
    workshop: Workshop, fake_redis: FakeRedis
) -> None:
    log = workshop.settings.data / "tiles.log"
    first = start_celery(workshop, fake_redis.url)
    with reaping(workshop, fake_redis.url):
        job = workshop.submit(tiles=10, seconds=2.0, tile_log=str(log))
        until(lambda: any(state.laid for state in tiles.states(workshop.database, job)), "nobody leads")
        start_celery(workshop, fake_redis.url)
        each_done_once(workshop, [job])
    done = [line.split() for line in log.read_text().splitlines() if line.endswith("end")]
    assert sorted(int(line[0]) for line in done) == list(range(10))
    assert any(message.startswith("Tile ") for message in workshop.messages(job)), "nobody helped"
    assert first.poll() is None
