"""The Celery worker: `celery -A worker.app worker -P threads -c 1 -Q cpu`. A message wakes it; the database says why.

Its queues (-Q) are the resource classes it serves. This process supervises and never loads torch.
"""

import functools
import logging
import os
import threading
from typing import Any

from seq2seq.errors import MissingExtraError
from seq2seq.extras import check_extra, naming_extra

with naming_extra():
    from celery import Celery, signals
    from celery.worker.consumer import Consumer

    from worker import logs
    from worker.database.connections import Database
    from worker.errors import InvalidSettings, ServiceError
    from worker.queue.doorbell import WAKE, CeleryDoorbell, make_celery
    from worker.running import shortages
    from worker.running.presence import Presence, new_worker_id
    from worker.running.supervisor import Supervisor
    from worker.settings import Settings, load_settings, unknown_variables
    from worker.storage import open_storage

_log = logging.getLogger(__name__)


class Listener(Consumer):  # type: ignore[misc]
    """Consumes without talking to other workers: they have nothing to agree on, and it starts a second sooner."""

    def __init__(self, *args: Any, worker_options: dict[str, Any] | None = None, **values: Any) -> None:
        silent = dict.fromkeys(("without_mingle", "without_gossip", "without_heartbeat"), True)
        super().__init__(*args, worker_options={**(worker_options or {}), **silent}, **values)


class WorkerProcess:
    """Runs one worker from start to stop: a supervisor on one device, and its row."""

    def __init__(self, settings: Settings, app: Celery) -> None:
        self._database = Database(settings.database_url)
        self._doorbell = CeleryDoorbell(app)
        storage = open_storage(settings.storage_url, settings.storage_options)
        self.supervisor = Supervisor(
            self._database,
            storage,
            settings,
            worker_id=new_worker_id(),
            device=settings.device,
            ring=self._doorbell.ring,
        )
        self._presence = Presence(self._database, settings, [self.supervisor])
        self._presence.start()
        self._working = threading.Lock()

    def work(self) -> None:
        """Does jobs, one after the other, until there are none. A second call meanwhile has nothing to add."""
        if not self._working.acquire(blocking=False):
            return
        try:
            while self.supervisor.work_once():
                continue
        except ServiceError as error:  # the reaper rings again
            _log.warning("no job claimed: %s", error.detail)
        finally:
            self._working.release()

    def end(self) -> None:
        """Ends what it has opened, after the last job."""
        self._presence.stop()
        self._doorbell.close()
        self._database.close()


def make_app(settings: Settings) -> Celery:
    """Makes the application with its one task; a worker process is set up when it starts, not before."""
    if settings.broker_url is None:
        raise InvalidSettings("broker_url (DECLOUD_BROKER_URL) is not set: a Celery worker needs one")
    app = make_celery(settings)
    app.conf.task_create_missing_queues = True  # -Q says which classes this worker serves
    app.conf.worker_consumer = f"{__name__}:{Listener.__name__}"
    app.conf.worker_pool, app.conf.worker_concurrency = "threads", 1
    app.conf.worker_enable_remote_control = False  # whoever reaches the broker must not command workers
    started: list[WorkerProcess] = []

    def wake() -> None:
        started[0].work()

    def begin(sender: Any, instance: Any, **_: Any) -> None:
        started.append(_set_up(settings, app, instance))

    def stop(**_: Any) -> None:
        for process in started:
            process.supervisor.stop()

    def end(**_: Any) -> None:
        while started:
            started.pop().end()

    app.task(wake, name=WAKE, ignore_result=True)
    signals.setup_logging.connect(lambda **_: logs.configure(settings.log_level), weak=False)
    signals.celeryd_after_setup.connect(begin, weak=False)
    signals.worker_shutting_down.connect(stop, weak=False)
    signals.worker_shutdown.connect(end, weak=False)
    return app


def _set_up(settings: Settings, app: Celery, instance: Any) -> WorkerProcess:
    """The worker process of Celery's worker `instance`. Ends this process where it could do no job."""
    if not instance.pool_cls.__module__.endswith(".thread"):  # forks share connections, solo cannot be stopped
        raise SystemExit("decloud: this worker supervises processes of its own; start it with -P threads -c 1")
    _check_engine()
    classes = tuple(instance.app.amqp.queues.consume_from)
    shortages.use_all_descriptors()
    for unknown in unknown_variables(os.environ):
        _log.warning("%s", unknown)
    try:
        return WorkerProcess(settings.model_copy(update={"resource_classes": classes}), app)
    except ServiceError as error:
        raise SystemExit(f"decloud: {error.detail}") from error


def _check_engine() -> None:
    """A worker that could do no job claims none."""
    try:
        check_extra("core")
    except MissingExtraError as error:
        raise SystemExit(f"decloud: error: {error}") from error


@functools.cache
def _app() -> Celery:
    return make_app(load_settings())


def __getattr__(name: str) -> Celery:
    """`app`, for Celery's command line; made when asked for, so that importing this module does nothing."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _app()
