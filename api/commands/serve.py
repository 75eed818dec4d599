"""`decloud serve`: API, reaper and workers of one machine, started and stopped together."""

import errno
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TextIO

import uvicorn
from fastapi import FastAPI
from sqlalchemy import make_url, update
from sqlalchemy.exc import DatabaseError

from api.app import begin_shutdown, create_app
from api.commands.data_folder import KEY, CannotServe, announce, held
from api.commands.startup import wait_for_both
from api.http.protocol import http_protocol
from seq2seq.extras import check_extra
from worker import jobs, logs
from worker.access import keys
from worker.database import tables
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
# Answers that take longer are cut off when the server stops; uploads go on after the restart.
_LAST_ANSWERS_S = 5
_IDLE_S = 75
_STARTS_WITHIN_S = 60.0

Say = Callable[[str], None]


def serve(settings: Settings, *, say: Say) -> None:
    """Until SIGINT or SIGTERM; then running jobs are brought to a checkpoint, and go on at the next start.

    Without a broker jobs run here; with one this is the API alone. Raises `ServiceError` where it cannot start.
    """
    _check_engine(settings)
    for unknown in unknown_variables(os.environ):
        say(f"Warning: {unknown}.")
    with ExitStack() as stack:
        # Whatever is written from now on is the owner's alone.
        stack.callback(os.umask, os.umask(0o077))
        lock = stack.enter_context(held(settings.data))
        listener = stack.enter_context(listen(settings.host, settings.port))
        url = _url(settings.host, listener)
        stack.enter_context(_logging(settings))
        for unknown in unknown_variables(os.environ):
            _log.warning("%s", unknown)
        database = stack.enter_context(_database(settings, say))
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
        with _stop_on_signals(say) as stop, _Api(settings, app, listener, stop), _working(workers):
            announce(lock, url)
            for line in welcome(settings, url, devices=_devices(workers), has_key=has_key):
                say(line)
            stop.wait()


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """A bound socket; port 0 is any free one. Raises `CannotServe`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotServe(f"{host}: is no address of this machine ({error.strerror})") from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(1)  # now, so that another server's claim to the port shows
        except OSError as error:
            raise CannotServe(_why_not_bound(host, port, error)) from error
        yield listener


def _why_not_bound(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use; choose another with --port (0: any that is free)"
    if error.errno == errno.EACCES:
        return f"no permission for port {port}; choose one above 1023 with --port"
    return f"{host} port {port}: cannot be served ({error.strerror})"


def welcome(settings: Settings, url: str, *, devices: list[str], has_key: bool) -> list[str]:
    """What an operator sees: where it is, and a command that works when pasted."""
    lines = [f"decloud serves at {url}", f"Data    {_short(settings.data)}"]
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


class _Api:
    """uvicorn in a thread, so that signals are ours; inside `with` it answers. Sets `over` should it end by itself.

    Raises `CannotServe` where it does not start, and where it has ended by itself.
    """

    def __init__(self, settings: Settings, app: FastAPI, listener: socket.socket, over: threading.Event) -> None:
        config = uvicorn.Config(
            app,
            http=http_protocol(settings),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_LAST_ANSWERS_S,
            timeout_keep_alive=_IDLE_S,
        )
        self._server, self._over = _Server(config, app), over
        self._thread = threading.Thread(target=self._run, args=(listener,), name="api")

    def __enter__(self) -> None:
        self._thread.start()
        self._server.ready.wait(_STARTS_WITHIN_S)
        if not self._server.started:
            self._server.should_exit = True
            raise CannotServe("the API did not start; the log says why")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        ended_itself = not self._thread.is_alive()
        self._server.should_exit = True
        self._thread.join()
        if ended_itself and error is None:
            raise CannotServe("the API ended by itself; the log says why")

    def _run(self, listener: socket.socket) -> None:
        try:
            self._server.run(sockets=[listener])
        except Exception:
            _log.exception("API failed")
        finally:
            self._server.ready.set()
            self._over.set()


class _Server(uvicorn.Server):
    """Says when it answers, and ends streams before it waits for their end."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._app = app

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        begin_shutdown(self._app)
        await super().shutdown(sockets)


@contextmanager
def _working(workers: EmbeddedWorkers | None) -> Iterator[None]:
    """They stop first: who watches a job still hears that it goes back."""
    if workers is None:
        yield
        return
    workers.start()
    try:
        yield
    finally:
        workers.stop()


@contextmanager
def _stop_on_signals(say: Say) -> Iterator[threading.Event]:
    """An event that the first SIGINT or SIGTERM sets; the second one ends the program at once."""
    stop = threading.Event()

    def ask_to_stop(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop.set()
        say("Stopping: running jobs are brought to a checkpoint. Once more to end at once.")

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
        logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of every look
        try:
            yield
        finally:
            root.handlers[:] = handlers
            root.setLevel(level)


@contextmanager
def _database(settings: Settings, say: Say) -> Iterator[Database]:
    database = Database(settings.database_url)
    try:
        wait_for_both(settings, database, say)
        _migrated(database, settings)
        yield database
    finally:
        database.close()


def _migrated(database: Database, settings: Settings) -> None:
    try:
        migrate(database)
    except DatabaseError as error:
        said = str(error.orig).partition("\n")[0]
        raise CannotServe(f"{make_url(settings.database_url).database}: is no database of ours ({said})") from error


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
    file = make_url(settings.database_url).database if database.is_sqlite else None
    if not settings.embedded or file is None or Path(file).parent != settings.data:
        return
    with database.begin() as connection:
        connection.execute(update(tables.jobs).where(tables.jobs.c.status == "running").values(lease_until=0.0))
    taken = jobs.reap(database, settings)
    for job in (*taken.requeued, *taken.failed, *taken.dismissed):
        _log.warning("job of a server that was killed", extra={"job_id": job.id, "attempt": job.attempt})


def _check_engine(settings: Settings) -> None:
    if settings.embedded:
        check_extra("core")  # jobs run here


def _devices(workers: EmbeddedWorkers | None) -> list[str]:
    return [supervisor.device for supervisor in workers.supervisors] if workers else []


def _url(host: str, listener: socket.socket) -> str:
    """As a client on this machine says it."""
    port = listener.getsockname()[1]
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}"


def _short(path: Path) -> str:
    """From the working directory, where it is below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
