"""The database itself: migrations, transactions, and what happens when it is full, locked, restarted or gone."""

import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from locations import HELPERS
from service_databases import MIGRATED, PostgresServer
from service_jobs import claim, now, publish, running, submit
from sqlalchemy import event, inspect, select, text, update

from worker import jobs
from worker.database.connections import Database
from worker.database.migrate import migrate
from worker.database.tables import job_events, metadata, owners
from worker.errors import DatabaseTooNew, DatabaseUnavailable, InvalidSettings, StorageFullError
from worker.jobs import events, garbage, outbox


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new folder/decloud.db"
    server: PostgresServer = request.getfixturevalue("postgresql_server")
    name = f"empty_{tmp_path.name}".lower()
    server.create(name)
    return server.url(name)


def differences(database: Database) -> list[object]:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        return list(compare_metadata(context, metadata))


# -- migrations


def test_migrations_make_exactly_the_tables_that_the_code_uses(empty_url: str) -> None:
    database = Database(empty_url)
    database.create()
    assert differences(database) != []
    migrate(database)
    assert differences(database) == []
    migrate(database)
    assert differences(database) == []
    database.close()


def test_processes_that_start_together_migrate_once(empty_url: str) -> None:
    script = HELPERS / "migrating.py"
    done = subprocess.run([sys.executable, script, empty_url, "5"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    database = Database(empty_url)
    assert differences(database) == []
    database.close()


def test_a_migration_that_fails_half_way_leaves_nothing(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(empty_url)

    def fail(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr("alembic.op.create_index", fail)  # after the first table
    with pytest.raises(RuntimeError, match="power cut"):
        migrate(database)
    with database.read() as connection:
        assert inspect(connection).get_table_names() == []
    database.close()


def test_migrations_can_be_taken_back(empty_url: str) -> None:
    database = Database(empty_url)
    migrate(database)
    config = Config()
    config.set_main_option("script_location", "worker.database:migrations")
    with database.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    with database.read() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
    migrate(database)
    assert differences(database) == []
    database.close()


def test_notices_of_the_first_tables_are_still_to_be_sent_after_migrating(empty_url: str) -> None:
    database = Database(empty_url)
    config = Config()
    config.set_main_option("script_location", "worker.database:migrations")

    def go(move: Callable[[Config, str], None], revision: str) -> None:
        with database.begin() as connection:
            config.attributes["connection"] = connection
            move(config, revision)

    migrate(database)
    job = submit(database)
    go(command.downgrade, "r0001")
    with database.begin() as connection:
        for name, of_job, delivered in (("a", job.id, False), ("b", job.id, True), ("c", "removed", False)):
            values = {"id": name, "job": of_job, "url": "https://example.org:1/x", "delivered": delivered}
            connection.execute(
                text(
                    "INSERT INTO webhook_outbox (id, job_id, url, body, next_try, delivered) "
                    "VALUES (:id, :job, :url, :body, 1, :delivered)"
                ),
                {**values, "body": '{"z": [1], "a": 2}'},
            )
    for _ in range(2):
        go(command.upgrade, "head")
        ((owner, host),) = outbox.waiting(database)
        assert (owner, host) == (job.owner, "example.org:1")
        go(command.downgrade, "r0001")
    go(command.upgrade, "head")
    notice = outbox.take(database, owner, host, lease_s=60)
    assert notice is not None
    assert (notice.id, notice.attempts, list(notice.body.items())) == ("a", 1, [("z", [1]), ("a", 2)])
    database.close()


def test_jobs_of_before_are_of_the_only_process_there_was(empty_url: str) -> None:
    database = Database(empty_url)
    config = Config()
    config.set_main_option("script_location", "worker.database:migrations")
    migrate(database)
    job = submit(database)
    for move, revision in ((command.downgrade, "r0006"), (command.upgrade, "head")):
        with database.begin() as connection:
            config.attributes["connection"] = connection
            move(config, revision)
    with database.read() as connection:
        found = connection.execute(text("SELECT id, process FROM jobs")).all()
    assert [tuple(row) for row in found] == [(job.id, "decloud")]
    database.close()


def test_a_database_of_a_later_release_is_refused(database: Database) -> None:
    with database.begin() as connection:
        before = connection.scalar(text("SELECT version_num FROM alembic_version"))
        connection.execute(text("UPDATE alembic_version SET version_num = 'r9999'"))
    with pytest.raises(DatabaseTooNew, match="r9999") as refused:
        migrate(database)
    assert refused.value.extra == {"found": "r9999", "known": before}
    with database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :before"), {"before": before})
    migrate(database)


# -- transactions


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    def fail() -> None:
        with database.begin() as connection:
            garbage.add(connection, "uploads/1")
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        fail()
    assert garbage.due(database) == ()
    with database.begin() as connection:
        garbage.add(connection, "uploads/2")
        garbage.add(connection, "uploads/2")
    assert garbage.due(database) == ("uploads/2",)


def test_many_threads_that_read_and_write_at_once_wait_for_each_other(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(owners.insert().values(owner="ann"))

    def add_one(_: int) -> None:
        with database.begin() as connection:
            query = select(owners.c.served).where(owners.c.owner == "ann").with_for_update()
            connection.execute(update(owners).values(served=(connection.scalar(query) or 0) + 1))

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(add_one, range(120)))
    with database.read() as connection:
        assert connection.scalar(select(owners.c.served)) == 120


def test_what_a_diverged_network_reports_can_be_stored(database: Database) -> None:
    job = running(database)
    jobs.record(database, job, "step", {"loss": float("nan"), "curve": [1.0, float("inf")], "text": "a\x00b\ud800"})
    (step,) = events.read(database, job.id, kinds=["step"])
    assert step.data == {"loss": None, "curve": [1.0, None], "text": "a\x00b\ud800"}


def test_events_of_a_removed_job_are_gone_and_their_ids_are_not_used_again(database: Database) -> None:
    """A browser that reconnects with the last id it saw must not miss another job's first events."""
    first = submit(database)
    last_id = events.read(database, first.id)[-1].id
    jobs.dismiss(database, first.id, "ann")
    jobs.remove(database, first.id, "ann")
    with database.read() as connection:
        assert connection.scalar(select(job_events.c.id)) is None
    second = submit(database)
    assert second.number > first.number
    assert events.read(database, second.id)[0].id > last_id


# -- SQLite


def test_sqlite_survives_a_power_cut_and_readers_do_not_wait_for_a_writer(
    sqlite_database: Database, migrated_sqlite_file: Path
) -> None:
    database = Database(f"sqlite:///{migrated_sqlite_file}")
    with database.read() as connection:
        pragmas = [
            connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    database.close()
    assert pragmas == ["wal", 2, 1]
    job = submit(sqlite_database)
    with sqlite_database.begin() as connection:
        connection.execute(update(metadata.tables["jobs"]).values(name="changed"))
        assert now(sqlite_database, job).name is None
    assert now(sqlite_database, job).name == "changed"


def test_a_read_sees_one_state_of_sqlite(sqlite_database: Database) -> None:
    with sqlite_database.read() as connection:
        number = text("SELECT count(*) FROM jobs")
        assert connection.scalar(number) == 0
        submit(sqlite_database)
        assert connection.scalar(number) == 0
    assert len(jobs.listing(sqlite_database, "ann").jobs) == 1


def test_a_full_disk_is_told_as_such_and_nothing_is_lost_when_there_is_space_again(sqlite_database: Database) -> None:
    job = running(sqlite_database)

    def limit(pages: int) -> None:
        with sqlite_database.engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    def fill_up() -> None:
        for _ in range(1000):
            jobs.record(sqlite_database, job, "log", {"line": "x" * 1000})

    limit(1)  # SQLite does not go below what it has
    with pytest.raises(StorageFullError, match="full"):
        fill_up()
    limit(2**30)
    assert jobs.record(sqlite_database, job, "log", {"line": "space again"})
    assert publish(sqlite_database, job)


def test_a_database_that_stays_locked_is_told_as_such(sqlite_database: Database) -> None:
    other = Database(sqlite_database.engine.url.render_as_string(), busy_s=0.1)
    with sqlite_database.begin(), pytest.raises(DatabaseUnavailable, match="locked"):
        submit(other)
    with other.begin(), ThreadPoolExecutor(1) as pool, pytest.raises(DatabaseUnavailable, match="locked"):
        pool.submit(submit, other).result()  # the same process, another thread
    submit(other)
    other.close()


def test_a_process_that_uses_up_its_connections_is_told_so(sqlite_database: Database) -> None:
    other = Database(sqlite_database.engine.url.render_as_string(), busy_s=0.1)
    with ExitStack() as held, pytest.raises(DatabaseUnavailable, match="busy"):
        deque((held.enter_context(other.read()) for _ in count()), maxlen=0)
    other.close()


# -- PostgreSQL


def test_a_restart_of_postgresql_interrupts_and_loses_nothing(
    postgresql_server: PostgresServer, postgresql_database: Database
) -> None:
    job = running(postgresql_database)
    postgresql_server.stop()
    with pytest.raises(DatabaseUnavailable):
        jobs.heartbeat(postgresql_database, job, lease_s=60)
    with pytest.raises(DatabaseUnavailable):
        now(postgresql_database, job)
    postgresql_server.start()
    assert jobs.heartbeat(postgresql_database, job, lease_s=60).kept
    assert publish(postgresql_database, job)


def test_connections_that_a_restart_dropped_are_replaced_unnoticed(
    postgresql_server: PostgresServer, postgresql_database: Database
) -> None:
    job = running(postgresql_database)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: now(postgresql_database, job), range(12)))
    postgresql_server.stop()
    postgresql_server.start()
    for _ in range(12):
        assert now(postgresql_database, job).status == "running"


def test_a_connection_cut_inside_a_transaction_leaves_nothing_half_done(postgresql_database: Database) -> None:
    def cut_half_way() -> None:
        with postgresql_database.begin() as connection:
            garbage.add(connection, "uploads/1")
            mine = connection.scalar(text("SELECT pg_backend_pid()"))
            with postgresql_database.begin() as administrator:
                administrator.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": mine})
            garbage.add(connection, "uploads/2")

    with pytest.raises(DatabaseUnavailable):
        cut_half_way()
    assert garbage.due(postgresql_database) == ()


def test_a_process_frozen_inside_a_claim_does_not_stop_all_claims(
    postgresql_server: PostgresServer, postgresql_database: Database
) -> None:
    """Its session, with its locks, is ended by the server."""
    submit(postgresql_database)
    frozen = Database(postgresql_server.url(MIGRATED) + "?options=-c%20idle_in_transaction_session_timeout%3D300")
    inside, thaw = threading.Event(), threading.Event()

    def freeze(*_: object) -> None:
        inside.set()
        thaw.wait(20)

    event.listen(frozen.engine, "commit", freeze)
    with ThreadPoolExecutor(1) as pool:
        claiming = pool.submit(claim, frozen, worker="frozen")
        assert inside.wait(5)
        job = claim(postgresql_database, worker="alive")
        thaw.set()
        with suppress(DatabaseUnavailable):
            claiming.result()
            pytest.fail("the frozen claim was committed")
    assert job is not None
    assert (job.lease_owner, job.attempt) == ("alive", 1)
    frozen.close()


def test_nobody_waits_for_ever_on_postgresql(postgresql_database: Database) -> None:
    with postgresql_database.read() as connection:
        limits = [
            connection.scalar(text(f"SHOW {name}")) for name in ("lock_timeout", "idle_in_transaction_session_timeout")
        ]
    assert limits == ["10s", "15s"]


# -- addresses


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://localhost/decloud", "not a url"])
def test_an_address_that_cannot_work_is_refused(url: str) -> None:
    with pytest.raises(InvalidSettings, match="database_url"):
        Database(url)


def test_a_server_that_is_not_there_is_told_without_its_password() -> None:
    database = Database("postgresql://decloud:hunter2@127.0.0.1:9/decloud")
    with pytest.raises(DatabaseUnavailable) as refused, database.read():
        pass
    assert "hunter2" not in str(refused.value)
    database.close()
