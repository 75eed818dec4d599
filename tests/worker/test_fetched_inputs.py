"""Jobs whose input a worker fetches: through claims, cancellations, kills and deadlines."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import quick_fetch
import simulated
from file_server import FileServer, file_server
from service_workers import Workshop, until

from worker import jobs
from worker.database.connections import Database
from worker.jobs import Job
from worker.running import attempt, preparation
from worker.running.job_folder import FETCH, Fetched

CONTENT = bytes(range(256)) * 16384  # 4 MiB


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as ours:
        ours.files["/fields.zip"] = CONTENT
        ours.pace_s = 0.02
        yield ours


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "FETCH_COMMAND", quick_fetch.COMMAND)


@pytest.fixture
def fetching(sqlite_database: Database, tmp_path: Path, server: FileServer) -> Iterator[Workshop]:
    allowed: Any = {"input_private_hosts": (server.authority,), "input_storage_options": {"access_key_id": "sesame"}}
    allowed["lease_s"] = 2.0  # a busy machine renews it late, and who fetches is to be ended by the tests alone
    workshop = Workshop(
        sqlite_database, f"sqlite:///{tmp_path / 'decloud.db'}", tmp_path, disk_floor_bytes=0, **allowed
    )
    yield workshop
    workshop.end_processes()


def submit(workshop: Workshop, href: str, **limits: Any) -> Job:
    params = simulated.inputs(dates=0, seconds=0.05, steps=5)
    settings = workshop.settings.model_copy(update=limits)
    return jobs.submit(
        workshop.database, owner="ann", input_id=None, source={"href": href}, params=params, limits=settings
    )[0]


def part_of(workshop: Workshop, job: Job, number: int = 1) -> Path:
    return workshop.settings.work_dir / job.id / str(number) / "fetched" / "file.part"


def is_under_way(part: Path, least: int = 300_000) -> bool:
    return part.exists() and part.stat().st_size > least


def test_what_was_fetched_is_worked_on_and_the_log_says_how_it_came(fetching: Workshop, server: FileServer) -> None:
    job = submit(fetching, f"{server.url}/fields.zip?sig=secret")
    ended = fetching.work(job)
    assert ended.status == "successful"
    messages = fetching.messages(job)
    assert any(message.startswith(f"Fetching fields.zip from {server.authority}: ") for message in messages), messages
    assert "4.2 of 4.2 MB." in " ".join(messages)
    assert not [message for message in messages if "secret" in message]


def test_what_cannot_be_fetched_fails_the_job_in_one_line(fetching: Workshop, server: FileServer) -> None:
    job = submit(fetching, f"{server.url}/missing.zip")
    error = fetching.work(job).error
    assert error == {"code": "fetch-failed", "detail": f"{server.url}/missing.zip: 404 Not Found"}
    assert fetching.get(job).attempt == 1


def test_the_limit_of_a_key_holds_for_what_is_fetched(fetching: Workshop, server: FileServer) -> None:
    job = submit(fetching, f"{server.url}/fields.zip", max_upload_bytes=100_000)
    error = fetching.work(job).error
    assert error is not None
    assert error["code"] == "input-too-large"
    assert error["detail"].endswith("has 4,194,304 bytes, an input may have 100,000")


def test_a_worker_whose_list_is_another_by_now_refuses(fetching: Workshop, server: FileServer) -> None:
    job = submit(fetching, f"{server.url}/fields.zip")
    fetching.settings = fetching.settings.model_copy(update={"input_private_hosts": ()})
    error = fetching.work(job).error
    assert error is not None
    assert "DECLOUD_INPUT_HOSTS" in error["detail"]
    assert server.asked == []


@pytest.mark.parametrize("fault", ["slow", "silent"])
def test_cancelling_ends_a_fetch_within_two_seconds(fetching: Workshop, server: FileServer, fault: str) -> None:
    server.always["/fields.zip"], server.pace_s = fault, 0.3
    job = submit(fetching, f"{server.url}/fields.zip")
    fetching.start_worker()
    until(lambda: server.asked)
    time.sleep(0.2)
    began = time.monotonic()
    jobs.dismiss(fetching.database, job.id, "ann")
    until(lambda: fetching.get(job).status == "dismissed")
    assert time.monotonic() - began < 2.5
    until(lambda: fetching.work_folders() == [])


def test_a_deadline_ends_a_fetch(fetching: Workshop, server: FileServer) -> None:
    server.always["/fields.zip"], server.pace_s = "slow", 0.3
    job = submit(fetching, f"{server.url}/fields.zip", max_run_s=2.0)
    error = fetching.work(job).error
    assert error is not None
    assert error["code"] == "run-time-exceeded"


def test_a_worker_that_was_killed_is_followed_by_one_that_goes_on(fetching: Workshop, server: FileServer) -> None:
    server.always["/fields.zip"] = "slow"
    job = submit(fetching, f"{server.url}/fields.zip")
    first = fetching.start_worker()
    until(lambda: is_under_way(part_of(fetching, job)))
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    time.sleep(0.3)  # the kernel ends the process that fetches
    there = part_of(fetching, job).stat().st_size
    server.always.clear()
    server.asked.clear()
    fetching.start_worker()
    reaper = fetching.reaper()
    until(lambda: (reaper.reap(), fetching.get(job).ended)[1])
    assert fetching.get(job).status == "successful"
    assert fetching.get(job).attempt == 2
    assert [asked for _, asked in server.asked] == [f"bytes={there}-{len(CONTENT) - 1}"]


def test_a_fetch_that_the_kernel_killed_is_tried_again_from_there(fetching: Workshop, server: FileServer) -> None:
    server.always["/fields.zip"] = "slow"
    job = submit(fetching, f"{server.url}/fields.zip")
    fetching.start_worker()
    until(lambda: is_under_way(part_of(fetching, job)))
    os.kill(_fetcher(job), signal.SIGKILL)
    server.always.clear()
    until(lambda: fetching.get(job).ended)
    assert fetching.get(job).status == "successful"
    assert int((server.asked[-1][1] or "").removeprefix("bytes=").partition("-")[0]) > 300_000


def _fetcher(job: Job) -> int:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_text()
        except OSError:
            continue
        if "_fetch" in command and job.id in command:
            return int(folder.name)
    raise AssertionError("nobody fetches")


def test_what_was_fetched_whole_is_not_asked_for_again(fetching: Workshop, server: FileServer, tmp_path: Path) -> None:
    job = submit(fetching, f"{server.url}/fields.zip")
    folder = tmp_path / "attempt"
    (folder / "fetched").mkdir(parents=True)
    there = Fetched.of(folder, "fields.zip")
    there.path.write_bytes(b"x")
    there.write()
    context: Any = fetching.supervisor()._context
    assert preparation.write_request(context, fetching.get(job), folder) is None
    assert not (folder / FETCH).exists()


def test_secrets_of_stores_go_to_the_fetch_of_such_an_input_alone(fetching: Workshop, server: FileServer) -> None:
    context: Any = fetching.supervisor()._context
    keys = {"CDSE_S3_ACCESS_KEY": "a", "AWS_SECRET_ACCESS_KEY": "b", "DECLOUD_SIGNING_SECRET": "c"}
    by_href = fetching.get(submit(fetching, f"{server.url}/fields.zip"))
    assert preparation.fetching_environment(context, by_href, keys) == {
        "DECLOUD_INPUT_STORAGE_OPTIONS": '{"access_key_id": "sesame"}'
    }
    area = {"area": [4.0, 50.0, 4.1, 50.1], "dates": "2021-05-01/2021-05-31", "catalog": "cdse"}
    assert preparation.fetching_environment(context, by_href.__class__(**{**vars(by_href), "source": area}), keys) == {
        "CDSE_S3_ACCESS_KEY": "a"
    }
    assert preparation.fetching_environment(context, fetching.submit(), keys) == {}
