"""Workers in the serving process: they hear the doorbell, look by themselves, and stop at a checkpoint."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import simulated
from service_workers import Workshop, job_processes, until

from worker import jobs
from worker.errors import DatabaseUnavailable
from worker.jobs import Job
from worker.lanes import LIGHT
from worker.queue import workers
from worker.queue.doorbell import InProcessDoorbell, open_doorbell
from worker.running import embedded, supervisor
from worker.running.attempt import child_environment
from worker.running.embedded import EmbeddedWorkers, devices


@pytest.fixture(autouse=True)
def simulating(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of this process can run the simulated method."""
    monkeypatch.setattr(supervisor, "COMMAND", simulated.COMMAND)


@pytest.fixture
def bell() -> InProcessDoorbell:
    return InProcessDoorbell()


@pytest.fixture
def working(workshop: Workshop, bell: InProcessDoorbell) -> Iterator[EmbeddedWorkers]:
    patient = workshop.settings.model_copy(update={"poll_s": 60.0})  # nothing is found by chance
    started = EmbeddedWorkers(workshop.database, workshop.storage, patient, bell)
    started.start()
    until(lambda: workers.listing(workshop.database))
    yield started
    started.stop()


def test_the_doorbell_wakes_a_worker_at_once_and_jobs_follow_each_other(
    workshop: Workshop, working: EmbeddedWorkers, bell: InProcessDoorbell
) -> None:
    submitted = [workshop.submit() for _ in range(3)]
    bell.ring("cpu")
    until(lambda: all(workshop.get(job).status == "successful" for job in submitted), within_s=10)


def step_of(workshop: Workshop, job: Job) -> int:
    return int((workshop.get(job).progress or {}).get("step", 0))


def test_inspections_are_answered_one_at_a_time_while_a_long_job_has_the_only_worker(
    workshop: Workshop, working: EmbeddedWorkers, bell: InProcessDoorbell
) -> None:
    long, next_one = workshop.submit(seconds=60, steps=600), workshop.submit()
    bell.ring("cpu")
    until(lambda: step_of(workshop, long) >= 1)
    looked = [workshop.inspect(fault={"kind": "kill", "at_step": 3}), workshop.inspect(), workshop.inspect()]
    bell.ring(LIGHT)
    statuses: list[list[str]] = []
    until(lambda: statuses.append([workshop.get(job).status for job in looked]) or set(statuses[-1]) == {"successful"})
    assert max(each.count("running") for each in statuses) == 1
    assert [workshop.get(job).attempt for job in (*looked, long)] == [2, 1, 1, 1]
    assert [workshop.get(job).status for job in (long, next_one)] == ["running", "accepted"]
    devices = {worker.classes: worker.device for worker in workers.listing(workshop.database)}
    assert devices == {("cpu",): "auto", (LIGHT,): "cpu"}


def test_an_inspection_that_was_stopped_goes_on_also_where_no_lane_is_left(
    workshop: Workshop, bell: InProcessDoorbell
) -> None:
    first = EmbeddedWorkers(workshop.database, workshop.storage, workshop.settings, bell)
    first.start()
    job = workshop.inspect(seconds=0.8, steps=40)
    until(lambda: step_of(workshop, job) >= 2)
    first.stop()
    assert (workshop.get(job).status, job_processes(os.getpid())) == ("accepted", [])
    without = workshop.settings.model_copy(update={"light_workers": 0})
    second = EmbeddedWorkers(workshop.database, workshop.storage, without, bell)
    second.start()
    until(lambda: workshop.get(job).status == "successful", within_s=10)
    second.stop()


def test_without_a_doorbell_a_worker_looks_by_itself(workshop: Workshop) -> None:
    started = EmbeddedWorkers(workshop.database, workshop.storage, workshop.settings, InProcessDoorbell())
    started.start()
    job = workshop.submit()
    until(lambda: workshop.get(job).status == "successful", within_s=10)
    started.stop()


def test_stopping_gives_a_running_job_back_at_its_checkpoint_and_the_next_start_goes_on(
    workshop: Workshop, bell: InProcessDoorbell
) -> None:
    first = EmbeddedWorkers(workshop.database, workshop.storage, workshop.settings, bell)
    first.start()
    job = workshop.submit(seconds=0.8, steps=40)
    until(lambda: (workshop.get(job).progress or {}).get("step", 0) >= 2)
    assert [worker.job_id for worker in workers.listing(workshop.database)]
    began = time.monotonic()
    first.stop()
    assert time.monotonic() - began < 3
    assert workshop.get(job).status == "accepted"
    assert workers.listing(workshop.database) == ()
    assert job_processes(os.getpid()) == []
    second = EmbeddedWorkers(workshop.database, workshop.storage, workshop.settings, bell)
    second.start()
    until(lambda: workshop.get(job).status == "successful", within_s=10)
    second.stop()
    (_, _, kept), (_, again, _) = workshop.result(job)["ran"]
    assert kept == again >= 2


def test_a_database_that_is_away_stops_no_worker(
    workshop: Workshop, bell: InProcessDoorbell, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, away = jobs.claim, [1, 1, 1]

    def sometimes(*args: object, **values: object) -> object:
        if away:
            away.pop()
            raise DatabaseUnavailable("the database does not answer")
        return claim(*args, **values)  # type: ignore[arg-type]

    monkeypatch.setattr(jobs, "claim", sometimes)
    started = EmbeddedWorkers(workshop.database, workshop.storage, workshop.settings, bell)
    started.start()
    job = workshop.submit()
    until(lambda: workshop.get(job).status == "successful", within_s=10)
    started.stop()
    assert not away


def test_a_device_that_was_asked_for_is_the_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices("cuda:1") == ["cuda:1"]
    monkeypatch.setattr(embedded, "_may_have_gpu", lambda: False)
    assert devices("auto") == ["auto"]


def test_a_machine_with_gpus_gets_a_worker_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_may_have_gpu", lambda: True)
    monkeypatch.setattr(embedded, "_ASK", "print('cuda:0 cuda:1 cpu')")
    assert devices("auto") == ["cuda:0", "cuda:1"]
    monkeypatch.setattr(embedded, "_ASK", "print('cpu')")
    assert devices("auto") == ["auto"]
    monkeypatch.setattr(embedded, "_ASK", "raise SystemExit(1)")
    assert devices("auto") == ["auto"]


def test_a_job_sees_its_own_gpu_alone() -> None:
    assert child_environment({}, "cuda:1")["CUDA_VISIBLE_DEVICES"] == "1"
    assert child_environment({"CUDA_VISIBLE_DEVICES": "4,7"}, "cuda:1")["CUDA_VISIBLE_DEVICES"] == "7"
    assert child_environment({}, "cpu")["CUDA_VISIBLE_DEVICES"] == ""
    assert "CUDA_VISIBLE_DEVICES" not in child_environment({}, "auto")


def test_neither_supervisor_nor_reaper_nor_doorbell_loads_torch_rasterio_or_celery(tmp_path: Path) -> None:
    program = (
        "import sys, worker.running.embedded, worker.queue.reaper, worker.queue.doorbell\n"
        "print(sorted({'torch', 'rasterio', 'celery', 'scipy'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert said.stdout.strip() == "[]"


def test_the_doorbell_is_chosen_by_the_settings(workshop: Workshop) -> None:
    assert isinstance(open_doorbell(workshop.settings), InProcessDoorbell)
