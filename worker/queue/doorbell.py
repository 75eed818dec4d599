"""Wakes idle workers when there may be something to do. A doorbell carries no job and no state.

A ring that is not heard costs time, never a job: the reaper rings again, and in embedded mode workers look by
themselves.
"""

import logging
import queue
import threading
from typing import TYPE_CHECKING, Any, Protocol

from worker import logs
from worker.errors import BrokerUnavailable, one_line
from worker.settings import Settings

if TYPE_CHECKING:
    from celery import Celery

_log = logging.getLogger(__name__)

# The Celery task that answers, and its broker's connection: a ring that takes longer is given up.
WAKE = "decloud.wake"
_RING_S = 2.0
# Rings that wait for the broker; more of them would wake nobody else.
_WAITING = 1000
# So that rings do not pile up where no worker hears them; long enough for clocks that differ.
_EXPIRES_S = 24 * 3600
_CELERY: dict[str, Any] = {
    # A message is a doorbell: gone when heard, never repeated, answered by nothing.
    "task_acks_late": False,
    "task_reject_on_worker_lost": False,
    "worker_disable_prefetch": True,
    "worker_prefetch_multiplier": 1,
    "result_backend": None,
    "task_ignore_result": True,
    "task_serializer": "json",
    "accept_content": ["json"],
    "task_create_missing_queues": False,
    "broker_connection_retry_on_startup": True,
    # A broker that comes back finds its workers, however long it was away.
    "broker_connection_max_retries": None,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_soft_shutdown_timeout": 0,
    "worker_send_task_events": False,
    "task_send_sent_event": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "task_publish_retry": False,
    "broker_transport_options": {
        "socket_timeout": 30.0,
        "socket_connect_timeout": _RING_S,
        "socket_keepalive": True,
        "health_check_interval": 10,
        # A stale connection is replaced once; to wait for a broker is the consumer's business, not a ring's.
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0,
        "interval_max": 0,
    },
}


class Doorbell(Protocol):
    """Is rung by the API and the reaper."""

    def ring(self, resource_class: str) -> None:
        """Wakes a worker of that class. Returns at once and never raises."""

    def close(self) -> None:
        """Rings what has been rung for, within seconds, and ends."""


class InProcessDoorbell:
    """Wakes the claim loops of this process, whatever class is rung for."""

    def __init__(self) -> None:
        self._rings = 0
        self._rung = threading.Condition()

    def ring(self, resource_class: str) -> None:
        """Has every loop that waits look for a job."""
        with self._rung:
            self._rings += 1
            self._rung.notify_all()

    def wait(self, rings: int, timeout_s: float) -> int:
        """Waits until there were more than `rings` of them, or the time is over; returns the number of rings so far."""
        with self._rung:
            self._rung.wait_for(lambda: self._rings > rings, timeout_s)
            return self._rings

    def close(self) -> None:
        """Has nothing to do."""


class CeleryDoorbell:
    """Sends `wake` to the queue of the class. A thread of its own talks to the broker, so nobody waits for that."""

    def __init__(self, app: "Celery") -> None:
        self._app = app
        self._waiting: queue.Queue[str | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
        self._thread.start()

    def ring(self, resource_class: str) -> None:
        """Wakes one idle worker of the class."""
        try:
            self._waiting.put_nowait(resource_class)
        except queue.Full:
            _log.warning("doorbell not rung: %d rings are waiting", _WAITING)

    def close(self) -> None:
        """Gives up what the broker does not take now; the reaper rings for that."""
        self._waiting.put(None)
        self._thread.join(timeout=2 * _RING_S)

    def _run(self) -> None:
        while (resource_class := self._waiting.get()) is not None:
            try:
                send_wake(self._app, resource_class)
            except Exception as error:  # whatever a broker's client raises
                _log.warning("doorbell not rung: %s", _described(error), extra={"resource_class": resource_class})
                self._forget()

    def _forget(self) -> None:
        """The broker is away: trying each ring would take as long as each timeout."""
        try:
            while (ring := self._waiting.get_nowait()) is not None:
                continue
            self._waiting.put(ring)
        except queue.Empty:
            return


def open_doorbell(settings: Settings) -> InProcessDoorbell | CeleryDoorbell:
    """Opens what the settings ask for: Celery where there is a broker."""
    if settings.broker_url is None:
        return InProcessDoorbell()
    return CeleryDoorbell(make_celery(settings))


def make_celery(settings: Settings) -> "Celery":
    """Makes the Celery application without tasks: enough to ring. `worker.app` adds the task and the worker."""
    from celery import Celery
    from kombu import Queue

    assert settings.broker_url is not None, "embedded mode has no Celery"
    app = Celery("decloud", broker=settings.broker_url, set_as_current=False)
    app.conf.update(
        _CELERY,
        # Queues are resource classes.
        task_queues=[Queue(name) for name in settings.resource_classes],
        task_default_queue=settings.resource_classes[0],
    )
    return app


def check_broker(settings: Settings) -> None:
    """Opens one connection and closes it again. Raises `BrokerUnavailable`, also while the broker loads its data."""
    if settings.broker_url is None:
        return
    try:
        with make_celery(settings).connection_for_write() as connection:
            connection.connect()
            connection.default_channel.close()
    except Exception as error:  # whatever a broker's client raises
        raise BrokerUnavailable(logs.without_secrets(_described(error))) from error


def send_wake(app: "Celery", resource_class: str) -> None:
    """Sends one message. Raises what the broker's client raises."""
    from kombu import Queue

    bell: Any = Queue(resource_class)
    app.send_task(WAKE, queue=bell, expires=_EXPIRES_S, ignore_result=True, retry=False)


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {one_line(error, 200)}"
