"""`decloud serve`: API, reaper and workers of one machine, started and stopped together."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from api.app import create_app
from api.commands.api_thread import ApiThread
from api.commands.data_folder import KEY, announce, held
from api.commands.listening import listen, url_of
from api.commands.startup import Notify, wait_for_both
from seq2seq.extras import check_extra
from worker import jobs, logs
from worker.access import keys
from worker.database.connections import Database
from worker.database.migrate import migrate
from worker.queue.doorbell import InProcessDoorbell, open_doorbell
from worker.running import shortages
from worker.running.embedded import EmbeddedWorkers
from worker.settings import Settings, unknown_variables
from worker.storage import open_storage

_log = logging.getLogger(__name__)

LOG = "serve.log"
OWNER = "local"


def serve(settings: Settings, *, notify: Notify) -> None:
    """Serves until SIGINT or SIGTERM; then running jobs are brought to a checkpoint, and go on at the next start.

    Without a broker jobs run here; with one this is the API alone. Raises `ServiceError` where it cannot start.
    """
    _check_engine(settings)
    for unknown in unknown_variables(os.environ):
        notify(f"Warning: {unknown}.")
    with ExitStack() as stack:
        # Whatever is written from now on is the owner's alone.
        stack.callback(os.umask, os.umask(0o077))
        lock = stack.enter_context(held(settings.data))
        listener = stack.enter_context(listen(settings.host, settings.port))
        url = url_of(settings.host, listener)
        stack.enter_context(_logging(settings))
        for unknown in unknown_variables(os.environ):
            _log.warning("%s", unknown)
        database = stack.enter_context(_database(settings, notify))
        has_key = _first_key(settings, database)
        _take_back(settings, database)
        storage = open_storage(settings.storage_url, settings.storage_options)
        doorbell = open_doorbell(settings)
        stack.callback(doorbell.close)
        workers = None
        if isinstance(doorbell, InProcessDoorbell):
            workers = EmbeddedWorkers(database, storage, settings, doorbell)
        app = create_app(settings, database=database, storage=storage, doorbell=doorbell)
        _use_all_descriptors()
        with _stop_on_signals(notify) as stop, ApiThread(settings, app, listener, stop), _working(workers):
            announce(lock, url)
            for line in welcome(settings, url, devices=_devices(workers), has_key=has_key):
                notify(line)
            stop.wait()


def welcome(settings: Settings, url: str, *, devices: list[str], has_key: bool) -> list[str]:
    """The lines an operator sees: the server's address, and a command that works when pasted."""
    lines = [f"decloud serves at {url}", f"Page    {url}/  (in a browser)", f"Data    {_short(settings.data)}"]
    run_here = f"run here, {len(devices)} at a time, device {', '.join(devices)}"
    lines.append(f"Jobs    {run_here if devices else 'are run by Celery workers'}")
    if sys.stderr.isatty():
        lines.append(f"Log     {_short(settings.data / LOG)}")
    if settings.auth == "keys":
        key = f"$(cat {_short(settings.data / KEY)})" if has_key else "KEY"
        lines += ["", f"  export DECLOUD_SERVER={url} DECLOUD_KEY={key}"]
        if not has_key:
            lines.append(f"  (decloud keys create OWNER --data {_short(settings.data)} makes a KEY)")
    else:
        lines += ["", f"  export DECLOUD_SERVER={url}"]
    return [*lines, "  decloud submit INPUT OUT", "", "Ctrl-C stops; jobs go on at the next start."]


@contextmanager
def _working(workers: EmbeddedWorkers | None) -> Iterator[None]:
    """Stops workers first: who watches a job is still notified that it goes back."""
    if workers is None:
        yield
        return
    workers.start()
    try:
        yield
    finally:
        workers.stop()


@contextmanager
def _stop_on_signals(notify: Notify) -> Iterator[threading.Event]:
    """An event that the first SIGINT or SIGTERM sets; the second one ends the program at once."""
    stop = threading.Event()

    def ask_to_stop(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop.set()
        notify("Stopping: running jobs are brought to a checkpoint. Once more to end at once.")

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # else it was started with nohup
        numbers.append(signal.SIGHUP)
    previous = {number: signal.signal(number, ask_to_stop) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def _logging(settings: Settings) -> Iterator[None]:
    """JSON lines to stderr; where a person watches that, into a file of the data folder."""
    with ExitStack() as stack:
        stream: TextIO = sys.stderr
        if stream.isatty():
            stream = stack.enter_context(open(settings.data / LOG, "a", encoding="utf-8"))
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level
        logs.configure(settings.log_level, stream)
        logging.getLogger("alembic").setLevel(logging.WARNING)  # it logs every look
        try:
            yield
        finally:
            root.handlers[:] = handlers
            root.setLevel(level)


@contextmanager
def _database(settings: Settings, notify: Notify) -> Iterator[Database]:
    database = Database(settings.database_url)
    try:
        wait_for_both(settings, database, notify)
        migrate(database)
        yield database
    finally:
        database.close()


def _use_all_descriptors() -> None:
    before, now = shortages.use_all_descriptors()
    _log.info("open files", extra={"limit": now, "limit_before": before})


def _first_key(settings: Settings, database: Database) -> bool:
    """On one machine nobody should need a second command to begin: the first key lies in the data folder."""
    file = settings.data / KEY
    if settings.auth == "keys" and settings.embedded and not keys.listing(database):
        _, text = keys.create(database, owner=OWNER, name="made by decloud serve")
        new = file.with_name(f".{KEY}.new")
        new.write_text(f"{text}\n")
        os.replace(new, file)
    return file.exists()


def _take_back(settings: Settings, database: Database) -> None:
    """Jobs of a server of this folder that was killed go back at once, not when their leases end.

    Nobody else can be running them: without a broker only the folder's server does, and we hold its lock.
    """
    file = database.engine.url.database if database.is_sqlite else None
    if not settings.embedded or file is None or Path(file).parent != settings.data:
        return
    taken = jobs.take_back_all(database, settings)
    for job in (*taken.requeued, *taken.failed, *taken.dismissed):
        _log.warning("job of a server that was killed", extra={"job_id": job.id, "attempt": job.attempt})


def _check_engine(settings: Settings) -> None:
    if settings.embedded:
        check_extra("core")  # jobs run here


def _devices(workers: EmbeddedWorkers | None) -> list[str]:
    return workers.devices if workers else []


def _short(path: Path) -> str:
    """From the working directory, where it is below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
