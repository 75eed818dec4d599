"""Says which workers live in this process, what they serve and what they do: a row each, refreshed by a thread."""

import logging
import os
import secrets
import socket
import threading
from collections.abc import Sequence

from worker.database.connections import Database
from worker.errors import ServiceError
from worker.processes import memory
from worker.queue import workers
from worker.running.supervisor import Supervisor
from worker.settings import Settings

_log = logging.getLogger(__name__)


def new_worker_id() -> str:
    """Returns an id unlike every other, also of the same machine and after a restart: it is half of the fence."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


class Presence:
    """Keeps rows for `supervisors`, until `stop`."""

    def __init__(self, database: Database, settings: Settings, supervisors: Sequence[Supervisor]) -> None:
        self._database, self._settings, self._supervisors = database, settings, supervisors
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)

    def start(self) -> None:
        """Makes the rows appear."""
        self._thread.start()

    def stop(self) -> None:
        """Drops the rows."""
        self._over.set()
        self._thread.join()
        for supervisor in self._supervisors:
            try:
                workers.gone(self._database, supervisor.worker_id)
            except ServiceError as error:
                _log.warning("worker not signed off: %s", error.detail)

    def _run(self) -> None:
        while True:
            for supervisor in self._supervisors:
                self._refresh(supervisor)
            if self._over.wait(self._settings.heartbeat_s):
                return

    def _refresh(self, supervisor: Supervisor) -> None:
        try:
            workers.seen(
                self._database,
                supervisor.worker_id,
                host=socket.gethostname(),
                device=supervisor.device,
                classes=supervisor.classes,
                memory_mb=None if supervisor.device.startswith("cuda") else memory.limit_bytes() // 2**20,
                job_id=supervisor.job_id,
                lacks=supervisor.lacks,
            )
        except ServiceError as error:
            _log.warning("worker not seen: %s", error.detail)
