"""Databases for tests: SQLite always, PostgreSQL on a free port of its own where its programs are installed."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, delete, event, make_url, text
from sqlalchemy.exc import OperationalError

from worker.database.connections import Database
from worker.database.migrate import migrate
from worker.database.tables import metadata

STARTS_WITHIN_S = 30.0
MIGRATED = "decloud_migrated"


class PostgresServer:
    """A server on 127.0.0.1 that can be stopped and started again. Its superuser needs no password."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._user = unprivileged_user()
        # Not below pytest's folder, which other users may not enter.
        self._folder = Path(tempfile.mkdtemp(prefix="decloud-postgresql-"))
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._run("initdb", "-D", "data", "-U", "decloud", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
            self.start()
            self.create(MIGRATED)
            database = Database(self.url(MIGRATED))
            migrate(database)
            database.close()
        except BaseException:
            self.remove()
            raise

    def url(self, name: str) -> str:
        return f"postgresql://decloud@127.0.0.1:{self.port}/{name}"

    def create(self, name: str) -> None:
        self._execute(f'CREATE DATABASE "{name}"')

    def start(self) -> None:
        arguments = ["-D", "data", "-p", str(self.port), "-h", "127.0.0.1", "-k", str(self._folder), "-F"]
        log = (self._folder / "log").open("ab")
        self._process = subprocess.Popen(
            [self._programs / "postgres", *arguments, "-c", "shared_buffers=16MB", "-c", "timezone=UTC"],
            cwd=self._folder,
            stdout=log,
            stderr=log,
            user=self._user,
            start_new_session=True,
        )
        log.close()
        self._wait()

    def stop(self) -> None:
        """As its administrator would: connections are dropped at once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=STARTS_WITHIN_S)
            self._process = None

    def kill(self) -> None:
        """SIGKILL, of all its processes."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=STARTS_WITHIN_S)
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait(self) -> None:
        deadline = time.monotonic() + STARTS_WITHIN_S
        while True:
            assert self._process is not None
            try:
                self._execute("SELECT 1")
                return
            except OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self._folder / "log").read_text()) from None
                time.sleep(0.05)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments], cwd=self._folder, user=self._user, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(done.stderr)

    def _execute(self, statement: str) -> None:
        url = make_url(self.url("postgres")).set(drivername="postgresql+psycopg")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.execute(text(statement))
        finally:
            engine.dispose()


def without_syncs(database: Database) -> None:
    """Tests cut no power."""
    event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))


def unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root. None: we are nobody special ourselves."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


def postgresql_programs() -> Path | None:
    """The folder of `initdb` and `postgres`: on the PATH, or where Debian keeps it; the newest."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return found[-1].parent if found else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresServer]:
    programs = postgresql_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: no initdb on the PATH or below /usr/lib/postgresql")
    server = PostgresServer(programs)
    yield server
    server.remove()


@pytest.fixture(scope="session")
def migrated_sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once, copied for each test."""
    file = tmp_path_factory.mktemp("migrated") / "decloud.db"
    database = Database(f"sqlite:///{file}")
    migrate(database)
    database.close()
    return file


@pytest.fixture
def sqlite_database(migrated_sqlite_file: Path, tmp_path: Path) -> Iterator[Database]:
    file = tmp_path / "decloud.db"
    shutil.copy(migrated_sqlite_file, file)
    database = Database(f"sqlite:///{file}")
    without_syncs(database)
    yield database
    database.close()


@pytest.fixture(scope="session")
def connected_postgresql(postgresql_server: PostgresServer) -> Iterator[Database]:
    """One for all tests: making one takes PostgreSQL 0.3 s, and connecting anew 0.05 s."""
    database = Database(postgresql_server.url(MIGRATED))
    yield database
    database.close()


@pytest.fixture
def postgresql_database(connected_postgresql: Database) -> Database:
    """Without rows; the ids of rows go on counting."""
    with connected_postgresql.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(delete(table))
    return connected_postgresql


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """Each of the two in turn: a test that asks for it runs on both."""
    found: Database = request.getfixturevalue(f"{request.param}_database")
    return found
