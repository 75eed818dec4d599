"""A start waits for a database and a broker that are starting up themselves, and not for what no waiting mends."""

import threading
import time
from pathlib import Path

import pytest
from served import Serving
from service_brokers import FakeRedis, RealRedis
from service_databases import PostgresServer, free_port
from service_workers import until

from api.commands import main as cli
from api.commands import startup
from api.commands.data_folder import CannotServe
from worker.database.connections import Database
from worker.errors import BrokerUnavailable, DatabaseUnavailable
from worker.queue.doorbell import check_broker
from worker.settings import Settings


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, list[str]]:
    """What it says in the end, and before that."""
    with pytest.raises(SystemExit):
        cli.main(["serve", *arguments])
    said = capsys.readouterr()
    return said.err.strip().splitlines()[-1], said.out.splitlines()


def test_what_answers_at_the_third_look_is_waited_for_and_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "_LOOK_S", 0.01)
    looks: list[int] = []
    said: list[str] = []

    def look() -> None:
        looks.append(1)
        if len(looks) < 3:
            raise DatabaseUnavailable("the database does not answer: it is starting up")

    startup.wait_for("PostgreSQL", look, limit_s=10, notify=said.append)
    assert said == ["Waiting for PostgreSQL, 10 s at most: it is starting up", "PostgreSQL answers."]


@pytest.mark.parametrize(
    "reason", ["password authentication failed for user", 'database "decloud" does not exist', "WRONGPASS invalid"]
)
def test_what_no_waiting_mends_is_said_at_once(reason: str) -> None:
    def look() -> None:
        raise BrokerUnavailable(reason)

    began = time.monotonic()
    with pytest.raises(CannotServe, match="the broker refuses: "):
        startup.wait_for("the broker", look, limit_s=60, notify=lambda _: None)
    assert time.monotonic() - began < 1


def test_a_database_that_never_answers_is_given_up_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECLOUD_DATABASE_URL", f"postgresql://decloud:hunter2@127.0.0.1:{free_port()}/decloud")
    monkeypatch.setenv("DECLOUD_STARTUP_WAIT_S", "0.3")
    last, before = refusal(capsys, "--data", str(tmp_path / "data"), "--port", "0")
    assert last.startswith("decloud: error: PostgreSQL did not answer within 0.3 s (")
    assert last.endswith("start it, or wait longer with DECLOUD_STARTUP_WAIT_S")
    assert before[0].startswith("Waiting for PostgreSQL, 0.3 s at most: ")
    assert "hunter2" not in last + "".join(before)


def test_a_broker_that_never_answers_is_given_up_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECLOUD_BROKER_URL", f"redis://:hunter2@127.0.0.1:{free_port()}/0")
    monkeypatch.setenv("DECLOUD_STARTUP_WAIT_S", "0.3")
    last, before = refusal(capsys, "--data", str(tmp_path / "data"), "--port", "0")
    assert last.startswith("decloud: error: the broker did not answer within 0.3 s (")
    assert before[0].startswith("Waiting for the broker, 0.3 s at most: ")
    assert "hunter2" not in last + "".join(before)


def test_a_broker_that_is_there_is_known(fake_redis: FakeRedis, tmp_path: Path) -> None:
    check_broker(Settings(data=tmp_path, broker_url=fake_redis.url))


@pytest.mark.slow
def test_serve_waits_for_postgresql_and_redis_that_come_later(
    serving: Serving,
    postgresql_server: PostgresServer,
    postgresql_database: Database,
    real_redis: RealRedis,
    tmp_path: Path,
) -> None:
    url = postgresql_server.url(str(postgresql_database.engine.url.database))
    postgresql_server.stop()
    real_redis.kill()
    output = tmp_path / "data.out"

    def come_later() -> None:
        until(lambda: output.exists() and "Waiting for PostgreSQL, 60 s at most: " in output.read_text())
        postgresql_server.start()
        until(lambda: "Waiting for the broker, 60 s at most: " in output.read_text())
        real_redis.start()

    thread = threading.Thread(target=come_later)
    thread.start()
    server = serving(database_url=url, broker_url=real_redis.url, auth="none")
    thread.join()
    assert server.output == output
    lines = output.read_text().splitlines()
    assert lines.index("PostgreSQL answers.") < lines.index("The broker answers.")
    until(lambda: "decloud serves at" in output.read_text(), "it does not serve")
