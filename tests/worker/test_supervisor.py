"""A job is seen through to one end, whatever happens to its process, its worker, its disk or its owner's patience."""

import os
import signal
import sqlite3
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from service_databases import PostgresServer
from service_storages import size_of
from service_workers import Workshop, alive, job_processes, until

from worker import clock, jobs
from worker.access import quotas
from worker.database.connections import Database
from worker.errors import DatabaseUnavailable, StorageFullError
from worker.jobs import Job
from worker.running.job_folder import Request
from worker.running.supervisor import COMMAND


def steps(workshop: Workshop, job: Job) -> list[list[int]]:
    """[attempt, first step, steps at its end] of each attempt of a published result."""
    ran: list[list[int]] = workshop.result(job)["ran"]
    return ran


def running(workshop: Workshop, job: Job, *, step: int = 1) -> Job:
    """The job, once `step` steps are reported."""

    def there() -> Job | None:
        now = workshop.get(job)
        done = (now.progress or {}).get("step", 0)
        return now if now.status == "running" and done >= step else None

    return until(there, f"{job.id} is not at step {step}")


def freeze(workshop: Workshop, worker: "subprocess.Popen[bytes]") -> bool:
    """Stops the process, but not within a transaction: SQLite has one lock, and a frozen process would keep it."""
    worker.send_signal(signal.SIGSTOP)
    probe = sqlite3.connect(str(workshop.database.engine.url.database), timeout=0.05, isolation_level=None)
    try:
        probe.execute("BEGIN IMMEDIATE")
        return True
    except sqlite3.OperationalError:
        worker.send_signal(signal.SIGCONT)
        return False
    finally:
        probe.close()


def in_thread(work: Any) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_a_job_is_run_and_published_and_its_work_folder_goes(workshop: Workshop) -> None:
    job = workshop.work(workshop.submit(dates=1))
    assert job.status == "successful"
    assert job.usage is not None
    assert job.usage["peak_memory_bytes"] > 2**20
    assert steps(workshop, job) == [[1, 0, 5]]
    assert workshop.work_folders() == []
    assert size_of(workshop.storage, f"{job.result_prefix}/declouded/2021-05-01.tif") > 100


def test_a_killed_process_is_tried_again_from_its_checkpoint_and_published_once(workshop: Workshop) -> None:
    job = workshop.work(workshop.submit(fault={"kind": "kill", "at_step": 3}))
    assert job.status == "successful"
    assert steps(workshop, job) == [[1, 0, 3], [2, 3, 5]]
    assert job.result_prefix == f"results/{job.id}/2"
    assert sum("Done" in message for message in workshop.messages(job)) == 1


def test_a_process_that_is_always_killed_ends_in_words_about_memory_and_numbers(workshop: Workshop) -> None:
    job = workshop.work(workshop.submit(fault={"kind": "kill", "times": None}))
    assert job.status == "failed"
    assert job.error is not None
    assert job.error["code"] == "worker-out-of-memory"
    assert job.attempt == 3


def test_out_of_memory_is_tried_once_more_with_tiles_of_half_the_side(workshop: Workshop) -> None:
    job = workshop.work(workshop.submit(tile_px=256, fault={"kind": "memory", "fits_px": 128}))
    assert job.status == "successful"
    assert workshop.result(job)["tile_px"] == 128


def test_out_of_memory_twice_fails_and_says_the_numbers(workshop: Workshop) -> None:
    job = workshop.work(workshop.submit(tile_px=256, fault={"kind": "memory", "times": None}))
    assert job.status == "failed"
    assert job.error is not None
    assert job.error["code"] == "worker-out-of-memory"
    assert job.error["tiles_px"] == [256, 128]
    assert "256 px and 128 px" in job.error["detail"]
    assert job.error["limit_bytes"] > job.error["peak_memory_bytes"] > 0
    assert job.attempt == 2


def test_a_bug_is_tried_once_more_and_then_told_without_a_trace(workshop: Workshop) -> None:
    once = workshop.work(workshop.submit(fault={"kind": "crash", "at_step": 2}))
    assert once.status == "successful"
    always = workshop.work(workshop.submit(fault={"kind": "crash", "times": None}))
    assert always.status == "failed"
    assert always.error is not None
    assert always.error["code"] == "internal-error"
    assert "Traceback" not in str(always.error) + str(workshop.messages(always))
    assert always.attempt == 2


def test_what_is_wrong_with_the_input_is_said_at_once_and_never_tried_again(workshop: Workshop) -> None:
    job = workshop.work(workshop.submit(fault={"kind": "input", "times": None}))
    assert job.status == "failed"
    assert job.error == {"code": "missing-data", "detail": "S2: simulated absence of every file"}
    assert job.attempt == 1


def test_the_simulated_method_is_refused_in_production(workshop: Workshop) -> None:
    job = workshop.work(workshop.submit(), workshop.supervisor(command=COMMAND))
    assert job.status == "failed"
    assert job.error is not None
    assert job.error["code"] == "invalid-config"
    assert "method is 'simulated', must be one of guided, " in job.error["detail"]


def test_a_job_that_runs_too_long_is_ended_and_says_the_limit(workshop: Workshop) -> None:
    short = quotas.limits_for(workshop.settings, {"max_run_s": 1})
    job = workshop.work(workshop.submit(short, seconds=60, steps=600))
    assert job.status == "failed"
    assert job.error is not None
    assert job.error["code"] == "run-time-exceeded"
    assert job.error["limit_s"] == 1


def test_the_import_is_held_to_what_the_key_allows(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, int]] = []
    write = Request.write
    monkeypatch.setattr(
        Request, "write", lambda request, folder: asked.append(request.limits) or write(request, folder)
    )
    for quota in ({"max_pixels_dates": 12_345}, {}):
        workshop.work(workshop.submit(quotas.limits_for(workshop.settings, quota)))
    assert asked == [{"pixel_dates": 12_345}, {"pixel_dates": int(workshop.settings.max_pixels_dates)}]


def test_a_process_that_hangs_is_killed_when_its_time_is_over(workshop: Workshop) -> None:
    short = workshop.settings.model_copy(update={"max_run_s": 0.3, "cancel_grace_s": 0.2})
    began = time.monotonic()
    job = workshop.work(workshop.submit(short, fault={"kind": "hang"}), workshop.supervisor(settings=short))
    assert job.error is not None
    assert job.error["code"] == "run-time-exceeded"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("fault", [None, {"kind": "hang", "at_step": 1}], ids=["works", "hangs"])
def test_cancelling_a_running_job_frees_the_worker_within_the_grace(workshop: Workshop, fault: Any) -> None:
    job = workshop.submit(seconds=60, steps=600, fault=fault)
    supervisor = workshop.supervisor()
    thread = in_thread(supervisor.work_once)
    running(workshop, job)
    asked = time.monotonic()
    jobs.dismiss(workshop.database, job.id, "ann")
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert time.monotonic() - asked < workshop.settings.cancel_grace_s + 2
    assert workshop.get(job).status == "dismissed"
    assert workshop.get(job).result_prefix is None
    assert workshop.work_folders() == []
    assert job_processes(os.getpid()) == []


def test_a_job_cancelled_while_it_is_published_leaves_no_file(workshop: Workshop) -> None:
    class Slow:
        """Cancels after the first file."""

        def __getattr__(self, name: str) -> Any:
            return getattr(workshop.storage, name)

        def put(self, key: str, source: Any) -> None:
            workshop.storage.put(key, source)
            jobs.dismiss(workshop.database, job.id, "ann")

    job = workshop.submit()
    workshop.work(job, workshop.supervisor(storage=Slow()))
    assert workshop.get(job).status == "dismissed"
    assert not list((workshop.settings.data / "files").rglob("report.json"))


def test_an_orderly_stop_keeps_a_checkpoint_and_the_job_goes_on_as_if_nothing_had_been(workshop: Workshop) -> None:
    job = workshop.submit(seconds=1, steps=40)
    supervisor = workshop.supervisor()
    thread = in_thread(supervisor.work_once)
    running(workshop, job, step=2)
    supervisor.stop()
    thread.join(timeout=5)
    assert not thread.is_alive()
    stopped = workshop.get(job)
    assert (stopped.status, stopped.attempts_left) == ("accepted", stopped.max_attempts)
    assert not supervisor.work_once()
    done = workshop.work(job)
    (_, _, kept), (_, again, end) = steps(workshop, done)
    assert kept == again >= 2
    assert end == 40


def test_a_full_disk_while_training_costs_no_attempt_and_the_job_goes_on_when_there_is_space(
    workshop: Workshop, tmp_path: Path
) -> None:
    space = tmp_path / "space"
    job = workshop.submit(fault={"kind": "disk-full", "at_step": 3, "times": None, "until": str(space)})
    supervisor = workshop.supervisor()
    assert supervisor.work_once()
    waiting = workshop.get(job)
    assert waiting.status == "accepted"
    assert waiting.not_before is not None
    assert "no disk space" in workshop.messages(job)[-1]
    for _ in range(3):  # more often than there are attempts
        until(supervisor.work_once)
    space.touch()
    done = workshop.work(job, supervisor)
    assert done.status == "successful"
    assert steps(workshop, done)[-1][1:] == [3, 5]


def test_a_full_disk_while_publishing_loses_nothing_that_was_computed(workshop: Workshop) -> None:
    class Full:
        """A storage with room for one file, until `room` is set."""

        room = False
        put_files = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(workshop.storage, name)

        def put(self, key: str, source: Any) -> None:
            self.put_files += 1
            if not self.room and self.put_files > 1:
                raise StorageFullError("no space for the file: 10 of 20 bytes")
            workshop.storage.put(key, source)

    full = Full()
    job = workshop.submit()
    supervisor = workshop.supervisor(storage=full)
    assert supervisor.work_once()
    assert workshop.get(job).status == "accepted"
    assert "no space" in workshop.messages(job)[-1]
    assert not list((workshop.settings.data / "files").rglob("report.json"))
    full.room = True
    done = workshop.work(job, supervisor)
    assert done.status == "successful"
    assert steps(workshop, done) == [[1, 0, 5]], "it was computed once"


def test_a_disk_that_stays_full_is_not_waited_for_for_ever(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    job = workshop.submit(fault={"kind": "disk-full", "times": None})
    supervisor = workshop.supervisor()
    assert supervisor.work_once()
    later = clock.now() + 25 * 3600
    monkeypatch.setattr(clock, "now", lambda: later)
    assert supervisor.work_once()
    failed = workshop.get(job)
    assert failed.status == "failed"
    assert failed.error is not None
    assert failed.error["code"] == "storage-full"
    assert "25 hours" in failed.error["detail"]


def test_an_outcome_that_the_database_does_not_take_is_told_again(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish, refused = jobs.publish, []

    def sometimes(*args: Any, **values: Any) -> bool:
        published = publish(*args, **values)
        if len(refused) < 2:
            refused.append(1)
            raise DatabaseUnavailable("the answer was lost")
        return published

    monkeypatch.setattr(jobs, "publish", sometimes)
    job = workshop.work(workshop.submit())
    assert job.status == "successful"
    assert len(refused) == 2
    assert size_of(workshop.storage, f"{job.result_prefix}/report.json")


def test_a_worker_that_lost_its_lease_ends_its_process_and_writes_nothing(workshop: Workshop) -> None:
    job = workshop.submit(seconds=60, steps=600)
    thread = in_thread(workshop.supervisor().work_once)
    running(workshop, job)
    ours = job_processes(os.getpid())
    assert ours
    with workshop.database.begin() as connection:
        connection.exec_driver_sql("UPDATE jobs SET lease_owner = 'somebody else', attempt = 2")
    thread.join(timeout=5)
    assert not thread.is_alive()
    assert not any(alive(child) for child in ours)
    now = workshop.get(job)
    assert (now.status, now.lease_owner, now.attempt) == ("running", "somebody else", 2)
    assert not list((workshop.settings.data / "files").rglob("report.json"))


def test_killed_with_its_supervisor_the_process_dies_too_and_another_worker_goes_on(workshop: Workshop) -> None:
    job = workshop.submit(seconds=1, steps=40)
    worker = workshop.start_worker()
    running(workshop, job, step=3)
    orphans = job_processes(worker.pid)
    assert orphans
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    until(lambda: not any(alive(child) for child in orphans), "the job's process outlived its supervisor", within_s=2)
    reaper = workshop.reaper()
    assert not reaper.reap().requeued, "its lease had not run out yet"
    until(lambda: reaper.reap().requeued, "nobody took the lease")
    done = workshop.work(job)
    assert done.status == "successful"
    (_, _, kept), (attempt, again, end) = steps(workshop, done)
    assert (attempt, end) == (2, 40)
    assert kept == again >= 3


def test_frozen_past_its_lease_and_thawed_a_worker_writes_nothing_and_ends_its_process(workshop: Workshop) -> None:
    job = workshop.submit(seconds=1.8, steps=60)
    frozen = workshop.start_worker()
    running(workshop, job, step=2)
    child = job_processes(frozen.pid)[0]
    until(lambda: freeze(workshop, frozen))
    reaper = workshop.reaper()
    until(lambda: reaper.reap().requeued, "nobody took the lease")
    assert alive(child)
    second = workshop.supervisor()
    thread = in_thread(second.work_once)
    running(workshop, job, step=4)
    frozen.send_signal(signal.SIGCONT)
    until(lambda: not alive(child), "the old process goes on", within_s=5)
    thread.join(timeout=20)
    done = workshop.get(job)
    assert (done.status, done.attempt) == ("successful", 2)
    assert done.result_prefix == f"results/{job.id}/2"
    assert not (workshop.settings.data / "files" / "results" / job.id / "1").exists()
    assert [attempt for attempt, *_ in steps(workshop, done)] == [1, 2]
    assert sum("Done" in message for message in workshop.messages(job)) == 1


@pytest.mark.slow
def test_a_result_that_was_ready_while_its_worker_was_frozen_is_published_by_another_worker(workshop: Workshop) -> None:
    job = workshop.submit(seconds=0.3, steps=6)
    frozen = workshop.start_worker()
    running(workshop, job)
    child = job_processes(frozen.pid)[0]
    until(lambda: freeze(workshop, frozen))
    until(lambda: not alive(child), "the job's process does not end")
    assert workshop.get(job).status == "running"
    until(lambda: workshop.reaper().reap().requeued, "nobody took the lease")
    done = workshop.work(job)
    assert (done.status, done.attempt) == ("successful", 2)
    assert steps(workshop, done) == [[1, 0, 6]], "it was computed once"
    results = workshop.settings.data / "files" / "results" / job.id
    before = results.stat().st_mtime_ns
    frozen.send_signal(signal.SIGCONT)
    frozen.send_signal(signal.SIGTERM)
    assert frozen.wait(timeout=10) == 0
    assert [path.name for path in results.iterdir()] == ["2"]
    assert results.stat().st_mtime_ns == before, "something was written and removed again"
    assert workshop.get(job).result_prefix == f"results/{job.id}/2"


def test_two_workers_and_one_job_make_one_result(workshop: Workshop) -> None:
    job = workshop.submit()
    workers = [workshop.supervisor(), workshop.supervisor()]
    found: list[bool] = []
    threads = [in_thread(lambda worker=worker: found.append(worker.work_once())) for worker in workers]
    for thread in threads:
        thread.join(timeout=20)
    assert sorted(found) == [False, True]
    assert workshop.get(job).status == "successful"
    assert len(list((workshop.settings.data / "files" / "results" / job.id).iterdir())) == 1


@pytest.mark.slow
def test_a_job_goes_on_while_postgresql_is_restarted_and_is_published_once(
    postgresql_server: PostgresServer, postgresql_database: Database, tmp_path: Path
) -> None:
    url = postgresql_server.url(str(postgresql_database.engine.url.database))
    workshop = Workshop(postgresql_database, url, tmp_path)
    job = workshop.submit(seconds=4, steps=40)
    thread = in_thread(workshop.supervisor().work_once)
    reaper = workshop.reaper()
    reaper.start()
    running(workshop, job, step=5)
    postgresql_server.stop()
    time.sleep(1.5)  # longer than the lease
    postgresql_server.start()
    thread.join(timeout=30)
    assert not thread.is_alive()
    reaper.stop()
    done = workshop.get(job)
    assert done.status == "successful"
    assert steps(workshop, done) == [[1, 0, 40]]


@pytest.mark.slow
def test_a_result_that_is_ready_while_postgresql_is_away_is_published_when_it_is_back(
    postgresql_server: PostgresServer, postgresql_database: Database, tmp_path: Path
) -> None:
    url = postgresql_server.url(str(postgresql_database.engine.url.database))
    workshop = Workshop(postgresql_database, url, tmp_path)
    job = workshop.submit(seconds=1, steps=10)
    thread = in_thread(workshop.supervisor().work_once)
    running(workshop, job, step=2)
    postgresql_server.stop()
    until(lambda: not job_processes(os.getpid()))
    time.sleep(1)
    postgresql_server.start()
    thread.join(timeout=30)
    assert workshop.get(job).status == "successful"
    assert steps(workshop, job) == [[1, 0, 10]]


def test_secrets_of_the_service_are_not_in_the_environment_of_a_job(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECLOUD_DATABASE_URL", "postgresql://u:hidden@h/d")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    program = tmp_path / "program.py"
    program.write_text("import os, sys\nopen('seen', 'w').write(repr(os.environ))\nsys.exit(75)\n")
    job = workshop.submit()
    import sys as python

    supervisor = workshop.supervisor(command=(python.executable, str(program)))
    seen: list[str] = []
    monkeypatch.setattr(supervisor, "_conclude", lambda job, verdict: seen.extend(_seen(workshop, job)))
    supervisor.work_once()
    assert "hidden" not in seen[0]
    assert "OMP_NUM_THREADS" in seen[0]
    assert workshop.get(job).status == "running"


def _seen(workshop: Workshop, job: Job) -> list[str]:
    return [path.read_text() for path in workshop.settings.work_dir.glob(f"{job.id}/*/seen")]


def test_an_attempt_that_stored_a_newer_checkpoint_costs_none_however_often_it_is_killed(workshop: Workshop) -> None:
    """Eight attempts where three are allowed, each a step further."""
    steps_done = 7
    job = workshop.submit(steps=steps_done, fault={"kind": "kill", "times": None, "each_step": True})
    done = workshop.work(job)
    assert done.status == "successful", done.error
    assert done.max_attempts < steps_done
    assert steps(workshop, done) == [[n + 1, n, min(n + 1, steps_done)] for n in range(steps_done + 1)]  # none twice


def test_a_crash_loop_that_gets_no_further_fails_also_after_attempts_that_did(workshop: Workshop) -> None:
    job = workshop.submit(steps=9, fault={"kind": "crash", "at_step": 4, "times": None})
    failed = workshop.work(job)
    assert failed.status == "failed"
    assert failed.error is not None
    assert failed.error["code"] == "internal-error"
    assert failed.attempt == 2


def test_what_an_attempt_without_progress_was_tried_with_counts_from_the_last_checkpoint(workshop: Workshop) -> None:
    """Lost workers, not killed processes: nobody is there to say how the attempt ended."""
    job = workshop.submit(seconds=0.1, steps=4)
    for attempt in range(1, 4 * job.max_attempts):
        held = jobs.claim(workshop.database, worker_id="w", classes=("cpu",), lease_s=-1)
        assert held is not None, workshop.get(job)
        assert held.attempt == attempt
        if attempt % job.max_attempts:
            assert jobs.advanced(workshop.database, held, retry=None)
        workshop.reaper().reap()
    for _ in range(job.max_attempts):
        assert workshop.get(job).status == "accepted"
        assert jobs.claim(workshop.database, worker_id="w", classes=("cpu",), lease_s=-1)
        workshop.reaper().reap()
    failed = workshop.get(job)
    assert failed.status == "failed"
    assert failed.error is not None
    assert failed.error["code"] == "worker-lost"
    assert failed.error["attempts"] == job.max_attempts
