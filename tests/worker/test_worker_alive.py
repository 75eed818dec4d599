"""The health check of a worker: by the signs it gives, never by what is not its fault."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from service_jobs import WallClock

from worker import alive
from worker.database.connections import Database
from worker.queue import workers
from worker.settings import Settings


@pytest.fixture
def settings(sqlite_database: Database, tmp_path: Path) -> Settings:
    return Settings(data=tmp_path, heartbeat_s=15)


def see(database: Database, name: str, host: str) -> None:
    workers.seen(database, name, host=host, device="cpu", classes=("cpu",))


def test_a_worker_is_alive_as_long_as_it_gives_signs(
    sqlite_database: Database, settings: Settings, wall_clock: WallClock
) -> None:
    see(sqlite_database, "one", "here")
    wall_clock.move(44)
    assert alive.look(settings, "here") == (True, "a worker of here was seen 44 s ago")
    wall_clock.move(2)
    assert alive.look(settings, "here") == (False, "a worker of here was seen 46 s ago")
    see(sqlite_database, "restarted", "here")
    assert alive.look(settings, "here")[0]


def test_the_workers_of_other_machines_say_nothing_about_this_one(
    sqlite_database: Database, settings: Settings
) -> None:
    see(sqlite_database, "one", "there")
    assert alive.look(settings, "here") == (False, "no worker of here is known")


def test_a_database_that_does_not_answer_is_no_reason_to_restart_a_worker(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("DECLOUD_DATA", str(tmp_path))
    monkeypatch.setenv("DECLOUD_DATABASE_URL", "postgresql://decloud@127.0.0.1:1/decloud")
    assert alive.main() == 0
    assert capsys.readouterr().out.startswith("not known: the database does not answer")


def test_the_command_ends_with_0_or_1(sqlite_database: Database, tmp_path: Path) -> None:
    def status() -> int:
        command = [sys.executable, "-m", "worker.alive"]
        environment = {**os.environ, "DECLOUD_DATA": str(tmp_path)}
        return subprocess.run(command, env=environment, capture_output=True, timeout=30).returncode

    assert status() == 1
    see(sqlite_database, "one", socket.gethostname())
    assert status() == 0
