"""A real server whose host fails it: no descriptors, no work folder, no database, and killed again and again."""

import functools
import itertools
import json
import os
import resource
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import simulated
from served import Served, Serving, gone
from service_workers import until

from api.client import Client, RemoteJob

JOBS = 12


def user_of(server: Served) -> httpx.Client:
    """One connection, kept."""
    headers = {"Authorization": f"Bearer {server.key}"}
    return httpx.Client(base_url=server.url, headers=headers, timeout=30.0, trust_env=False)


def submit(user: httpx.Client, **settings: Any) -> httpx.Response:
    """A job of the simulated method; the first one uploads what all of them ask for."""
    asked = simulated.inputs(**{"dates": 0, "seconds": 0.05, "steps": 2, **settings})
    return user.post("/processes/decloud/execution", json={"inputs": {"sequence": sequence(user), **asked}})


@functools.cache
def sequence(user: httpx.Client) -> dict[str, str]:
    """One upload."""
    return {"href": f"/uploads/{user.put('/uploads/fields.zip', content=b'bytes').json()['id']}"}


def statuses(user: httpx.Client) -> dict[str, str]:
    return {job["jobID"]: job["status"] for job in user.get("/jobs?limit=100").json()["jobs"]}


def all_successful(user: httpx.Client, ids: set[str]) -> bool:
    now = statuses(user)
    assert "failed" not in now.values(), user.get(f"/jobs/{next(i for i in now if now[i] == 'failed')}/log").text
    return ids <= set(now) and all(now[job] == "successful" for job in ids)


@contextmanager
def silent_connections(server: Served, count: int) -> Iterator[None]:
    """Opened by somebody without a key, who says nothing."""
    port = int(server.url.rpartition(":")[2])
    with ExitStack() as opened:
        for _ in range(count):
            with suppress(OSError):
                opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=1))
        yield


@contextmanager
def no_descriptors(server: Served) -> Iterator[None]:
    """The server may open nothing more than it has open."""
    pid = server.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = max(int(name) for name in os.listdir(f"/proc/{pid}/fd")) + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


@pytest.mark.slow
def test_silent_connections_that_take_every_descriptor_fail_nobodys_job(serving: Serving) -> None:
    server = serving(open_files=(64, 160), max_queued_per_owner=100)
    with user_of(server) as user:
        ids = {submit(user, seconds=0.3).json()["jobID"]}  # the connection is open from now on
        with silent_connections(server, 400):
            time.sleep(3)
            for _ in range(JOBS):
                with suppress(httpx.HTTPError):
                    answer = submit(user)
                    assert answer.status_code in (201, 503), answer.text
                    ids |= {answer.json()["jobID"]} if answer.status_code == 201 else set()
            time.sleep(3)
            with suppress(httpx.HTTPError):
                now = user.get("/jobs?limit=100")
                assert now.status_code in (200, 503), now.text
                assert '"failed"' not in now.text
    with user_of(server) as user:
        until(lambda: all_successful(user, ids), "jobs did not end")
        attempts = {user.get(f"/jobs/{job}").json()["usage"]["attempts"] for job in ids}
    print(f"{len(ids)} jobs, all successful")
    assert attempts == {1}
    assert server.stop() == 0


@pytest.mark.slow
def test_jobs_wait_while_the_server_may_open_no_file_and_health_says_so(serving: Serving) -> None:
    server = serving(max_queued_per_owner=100)
    with user_of(server) as user:
        assert submit(user, seconds=0.3).status_code == 201
        until(lambda: set(statuses(user).values()) == {"successful"})
        with no_descriptors(server):
            answers = [submit(user) for _ in range(JOBS)]
            assert {answer.status_code for answer in answers} == {201}
            ids = {answer.json()["jobID"] for answer in answers}
            until(lambda: user.get("/health/workers").json()["status"] == "short", "health does not say it")
            lacking = user.get("/health/workers").json()["lacking"]
            assert lacking[0].endswith("the worker has as many files open as one process may.")
            time.sleep(3)
            now = statuses(user)
            assert {now[job] for job in ids} == {"accepted"}
        until(lambda: all_successful(user, ids), "jobs did not end")
        assert {user.get(f"/jobs/{job}").json()["usage"]["attempts"] for job in ids} == {1}
        until(lambda: user.get("/health/workers").json()["status"] == "ok", "health does not recover")
    said = server.log.read_text()
    assert "worker claims no jobs" in said
    assert "worker claims jobs again" in said
    assert "supervisor failed" not in said


@pytest.mark.slow
def test_descriptors_that_run_out_while_a_job_runs_cost_it_nothing(serving: Serving) -> None:
    """The result is there and cannot be stored."""
    server = serving(max_queued_per_owner=100)
    with user_of(server) as user:
        job = submit(user, seconds=1.5, steps=30).json()["jobID"]
        until(lambda: (user.get(f"/jobs/{job}").json().get("step") or 0) >= 3)
        with no_descriptors(server):
            time.sleep(4)
            assert user.get(f"/jobs/{job}").json()["status"] in ("accepted", "running")
        until(lambda: all_successful(user, {job}), "the job did not end")
        report = user.get(f"/jobs/{job}/results/report.json").json()
    assert sum(done - first for _, first, done in report["config"]["ran"]) == 30, "a step was done twice"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["gone", "a file"])
def test_jobs_wait_for_a_work_folder_that_vanished_under_them(serving: Serving, how: str) -> None:
    server = serving(max_queued_per_owner=100)
    work, aside = server.data / "work", server.data / "aside"
    with user_of(server) as user:
        ids = {submit(user, seconds=2, steps=40).json()["jobID"]}
        until(lambda: any((user.get(f"/jobs/{job}").json().get("step") or 0) >= 3 for job in ids))
        work.rename(aside)
        if how == "a file":
            work.write_text("")
        ids |= {submit(user).json()["jobID"] for _ in range(JOBS)}
        time.sleep(4)
        assert "failed" not in statuses(user).values()
        if how == "a file":
            until(lambda: user.get("/health/workers").json()["status"] == "short", "health does not say it")
            work.unlink()
        if not work.exists():  # a process at work may have made it again before it was ended
            aside.rename(work)
        until(lambda: all_successful(user, ids), "jobs did not end")


DATABASE = ("decloud.db", "decloud.db-wal", "decloud.db-shm")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["moved", "replaced"])
def test_nothing_accepted_is_lost_when_the_database_is_moved_away_or_replaced(
    serving: Serving, file: Path, how: str
) -> None:
    server = serving(max_queued_per_owner=100)
    port = int(server.url.rpartition(":")[2])
    with user_of(server) as user:
        ids = {submit(user, seconds=3, steps=60).json()["jobID"]}
        until(lambda: any((user.get(f"/jobs/{job}").json().get("step") or 0) >= 3 for job in ids))
        for name in DATABASE:
            (server.data / name).rename(server.data / f"{name}.aside")
        if how == "replaced":
            shutil.copy(server.data / "decloud.db.aside", server.data / "decloud.db")
        answers = [submit(user) for _ in range(JOBS)]
        answers.append(user.put("/uploads/a.zip", content=file.read_bytes()))
        answers.append(user.get("/health/ready"))
        assert {answer.status_code for answer in answers} == {503}, [answer.text for answer in answers]
        assert user.get("/health/live").status_code == 200
        (server.data / "decloud.db").unlink(missing_ok=True)
        for name in DATABASE:
            (server.data / f"{name}.aside").rename(server.data / name)
        assert user.get("/health/ready").status_code == 200
        ids |= {submit(user).json()["jobID"] for _ in range(3)}
        until(lambda: all_successful(user, ids), "jobs did not end")
        assert len(statuses(user)) == len(ids), "a job that was refused was accepted"
        assert server.stop() == 0
    server.start(port)
    with user_of(server) as user:
        assert all_successful(user, ids)


@pytest.mark.slow
def test_a_database_that_was_deleted_is_saved_with_all_it_knows_when_the_server_stops(serving: Serving) -> None:
    server = serving()
    port = int(server.url.rpartition(":")[2])
    with user_of(server) as user:
        ids = {submit(user, seconds=20, steps=400).json()["jobID"] for _ in range(3)}
        until(lambda: "running" in statuses(user).values())
        for name in DATABASE:
            (server.data / name).unlink()
        assert submit(user).status_code == 503
    assert server.stop() == 0
    saved = server.data / "decloud.db.saved"
    assert str(saved) in server.log.read_text()
    saved.rename(server.data / "decloud.db")
    server.start(port)
    with user_of(server) as user:
        assert set(statuses(user)) == ids


@pytest.mark.slow
def test_a_write_ahead_log_that_was_deleted_takes_nothing_with_it(serving: Serving) -> None:
    server = serving()
    port = int(server.url.rpartition(":")[2])
    with user_of(server) as user:
        ids = {submit(user).json()["jobID"] for _ in range(3)}
        until(lambda: all_successful(user, ids))
        (server.data / "decloud.db-wal").unlink()
        assert submit(user).status_code == 503
        assert server.stop() == 0
    server.start(port)
    with user_of(server) as user:
        assert set(statuses(user)) == ids
        assert submit(user).status_code == 201


@pytest.mark.slow
def test_nothing_is_accepted_into_a_data_folder_that_took_the_place_of_ours(serving: Serving, file: Path) -> None:
    server = serving(max_queued_per_owner=100)
    aside = server.data.with_name("aside")
    with user_of(server) as user:
        ids = {submit(user, seconds=3, steps=60).json()["jobID"]}
        until(lambda: any((user.get(f"/jobs/{job}").json().get("step") or 0) >= 3 for job in ids))
        server.data.rename(aside)
        shutil.copytree(aside, server.data)
        answers = [submit(user), user.put("/uploads/a.zip", content=file.read_bytes()), user.get("/health/ready")]
        assert [answer.status_code for answer in answers] == [503, 503, 503], [answer.text for answer in answers]
        server.data.rename(server.data.with_name("taken away"))
        aside.rename(server.data)
        until(lambda: user.get("/health/ready").status_code == 200)
        ids.add(submit(user).json()["jobID"])
        until(lambda: all_successful(user, ids), "jobs did not end")


def step_of(client: Client, job: RemoteJob) -> int:
    return int(client.job(job.id).values.get("step") or 0)


def ran(client: Client, job: RemoteJob, folder: Path) -> list[list[int]]:
    config: dict[str, Any] = json.loads((client.download(job.id, folder) / "report.json").read_text())["config"]
    return list(config["ran"])


@pytest.mark.slow
def test_a_job_whose_process_is_killed_again_and_again_ends_with_no_step_repeated(
    serving: Serving, file: Path, tmp_path: Path
) -> None:
    kills, steps = 12, 120
    server = serving()
    client = server.client()
    job = server.submit(client, file, steps=steps, seconds=12)
    for kill in range(kills):
        until(lambda kill=kill: step_of(client, job) >= 8 * (kill + 1) and server.job_processes(), "no progress")
        for child in server.job_processes():
            os.kill(child, signal.SIGKILL)
    ended = client.wait(job.id, timeout_s=60)
    assert ended.status == "successful", ended.values
    attempts = ran(client, job, tmp_path / "out")
    assert len(attempts) > kills
    repeated = sum(done - first for _, first, done in attempts) - steps
    print(f"{len(attempts)} attempts, {repeated} of {steps} steps repeated")
    assert repeated <= 0  # what a killed attempt did between checkpoint and record is not counted


@pytest.mark.slow
def test_a_job_whose_server_is_killed_again_and_again_ends_with_next_to_nothing_repeated(
    serving: Serving, file: Path, tmp_path: Path
) -> None:
    kills, steps = 5, 100
    server = serving(lease_s=600, heartbeat_s=5)
    port, client = int(server.url.rpartition(":")[2]), server.client()
    job = server.submit(client, file, steps=steps, seconds=10)
    for kill in range(kills):
        until(lambda kill=kill: step_of(client, job) >= 10 * (kill + 1) and server.job_processes(), "no progress")
        children = server.job_processes()
        server.kill()
        until(lambda children=children: gone(children), "orphans")
        server.start(port)
    ended = client.wait(job.id, timeout_s=60)
    assert ended.status == "successful", ended.values
    attempts = ran(client, job, tmp_path / "out")
    assert len(attempts) == kills + 1
    for (_, _, kept), (_, again, _) in itertools.pairwise(attempts):
        assert kept - 1 <= again <= kept
    print(f"{kills} kills where 3 attempts are allowed: {attempts}")


@pytest.mark.slow
def test_a_job_that_crashes_again_and_again_at_one_place_fails_with_its_reason(serving: Serving, file: Path) -> None:
    server = serving()
    client = server.client()
    job = server.submit(client, file, steps=20, seconds=2, fault={"kind": "crash", "at_step": 10, "times": None})
    ended = client.wait(job.id, timeout_s=60)
    assert ended.status == "failed"
    assert ended.values["attempt"] == 2
