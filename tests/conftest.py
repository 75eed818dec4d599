"""Fixtures that more than one test file needs."""

import gc
import os
import signal
from pathlib import Path

import pytest
from exporting import exporting, exporting_on_each  # noqa: F401  fixtures
from flaky_service import connect, flaky, pauses  # noqa: F401  fixtures
from hypothesis import settings
from locations import SHARED
from put_server import put_server, put_tls  # noqa: F401  fixtures
from quick_engine import use_schedule
from served import file, here, serving, shared_server  # noqa: F401  fixtures
from service_api import api, api_process, impatient, serve, user  # noqa: F401  fixtures
from service_brokers import fake_redis, real_redis  # noqa: F401  fixtures
from service_databases import (  # noqa: F401  fixtures
    connected_postgresql,
    database,
    migrated_sqlite_file,
    postgresql_database,
    postgresql_server,
    sqlite_database,
)
from service_jobs import wall_clock  # noqa: F401  fixture
from service_storages import bucket, local_storage, object_storage, s3_server, storage  # noqa: F401  fixtures
from service_workers import workshop  # noqa: F401  fixture
from webhook_receiver import names, receiver  # noqa: F401  fixtures

SHARED_DATA = SHARED / "data"

# How long an example takes is the machine's: what has to be quick has tests of its own.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_configure(config: pytest.Config) -> None:
    """What a shell starts in the background ignores Ctrl-C, and so would every test of it.

    Workers that test side by side share the processors: two that each start a thread per core take turns at spinning.
    What they start inherits it, and a number that is set already stays.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    workers = config.getoption("numprocesses", None) or 1
    if workers > 1:
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // workers)))


def pytest_collection_finish() -> None:
    """Modules and tests stay to the end: whoever collects garbage need not look through millions of their objects."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of small real sequences; tests that need it skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real sequences are not at {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A schedule of seconds in place of minutes: the same program, less of it."""
    use_schedule(monkeypatch)
