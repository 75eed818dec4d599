"""The loop that sets right what nobody else does: jobs of dead workers, unheard doorbells, files nobody refers to."""

import logging
import threading

from worker import clock, jobs
from worker.database.connections import Database
from worker.errors import ServiceError
from worker.jobs import Reaped, garbage
from worker.queue import workers
from worker.queue.doorbell import Doorbell
from worker.settings import Settings
from worker.storage import Storage

_log = logging.getLogger(__name__)

# A worker that was silent for so long is no longer listed.
_SILENT_S = 3600.0


class Reaper:
    """Runs a thread in every API process; several at once do no harm. `start` and `stop` are called once."""

    def __init__(self, database: Database, storage: Storage, settings: Settings, doorbell: Doorbell) -> None:
        self._database, self._storage, self._settings, self._doorbell = database, storage, settings, doorbell
        self._watch = clock.StepWatch()
        self._blind = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reaper", daemon=True)

    def start(self) -> None:
        """Begins its rounds after one interval: workers that were cut off by a restart report before it."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the present round."""
        self._over.set()
        self._thread.join()

    def reap(self) -> Reaped:
        """Makes one round. No lease is taken right after a leap of the clock, or after the database was away.

        Every lease looks expired then, and the next heartbeats will show who is alive.
        """
        leapt = self._watch.step_s() >= self._settings.heartbeat_s
        blind, self._blind = self._blind or leapt, True
        reaped = jobs.reap(self._database, self._settings, take_leases=not blind)
        workers.forget_silent(self._database, silent_s=_SILENT_S)
        self._blind = False
        for resource_class in reaped.ring:
            self._doorbell.ring(resource_class)
        for prefix in reaped.garbage:
            self._delete(prefix)
        for name in ("requeued", "failed", "dismissed"):
            for job in getattr(reaped, name):
                _log.warning("lease ran out", extra={"job_id": job.id, "attempt": job.attempt, "outcome": name})
        return reaped

    def _delete(self, prefix: str) -> None:
        try:
            garbage.collect(self._database, self._storage, prefix)
        except ServiceError as error:  # comes again next round
            _log.warning("not deleted: %s", error.detail, extra={"prefix": prefix})

    def _run(self) -> None:
        while not self._over.wait(self._settings.reap_s):
            try:
                self.reap()
            except ServiceError as error:
                _log.warning("reaper has to wait: %s", error.detail)
            except Exception:
                _log.exception("reaper failed")
