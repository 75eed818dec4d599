"""Claims jobs and sees each through to one word to the database: published, failed, dismissed, or given back."""

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from worker import clock, jobs, logs
from worker.database.connections import Database
from worker.errors import DatabaseUnavailable, NotFound, ServiceError, StorageFullError
from worker.jobs import Job
from worker.running import shortages, verdicts
from worker.running.attempt import Attempt, Verdict
from worker.running.attempt_context import AttemptContext
from worker.running.attempt_folders import AttemptFolders
from worker.running.heartbeat import Heartbeat
from worker.running.shortages import Shortage
from worker.running.tile_helping import TileHelper
from worker.running.verdicts import Failure, Retry
from worker.settings import Settings
from worker.storage import Storage

_log = logging.getLogger(__name__)

# A worker that lacks something looks again after this, at the latest.
_LONGEST_PAUSE_S = 30.0

# The job's process. -P: the attempt's folder, which the child works in, is no place to import from.
COMMAND = (sys.executable, "-P", "-m", "worker.child.run_job")
# That of a tile of another worker's job.
TILE_COMMAND = (sys.executable, "-P", "-m", "worker.child.run_tile")


class Supervisor:
    """Does one job at a time on one device. `work_once` belongs to one thread; `stop` may be called from any.

    command: of the job's process, to which the attempt's folder is added; None: `COMMAND` as it is when a supervisor is
    made, so that a program may put another in its place; tile_command: likewise, of a tile's. ring: wakes other workers
    of a resource class. lacks: what keeps this worker from claiming jobs, in one sentence. Raises `InvalidSettings`
    where the work folder cannot be used.
    """

    def __init__(
        self,
        database: Database,
        storage: Storage,
        settings: Settings,
        *,
        worker_id: str,
        device: str = "auto",
        command: Sequence[str] | None = None,
        tile_command: Sequence[str] | None = None,
        ring: Callable[[str], object] = lambda resource_class: None,
    ) -> None:
        self.worker_id, self.device, self.classes = worker_id, device, settings.resource_classes
        self.job_id: str | None = None
        self._database, self._settings, self._ring = database, settings, ring
        self._stopping = threading.Event()
        self._context = AttemptContext(
            database,
            storage,
            settings,
            device,
            command or COMMAND,
            tile_command or TILE_COMMAND,
            self._stopping,
            self._insist,
            ring,
        )
        self._helper = TileHelper(self._context, worker_id, settings.resource_classes)
        self._swept_at = -settings.reap_s
        self._folders = AttemptFolders(settings.work_dir)
        self._folders.make()
        self.lacks: str | None = None
        self._paused_until, self._pause_s = clock.elapsed(), 0.0

    def stop(self) -> None:
        """Begins no further job; the present one is stopped at a checkpoint and goes back. Returns at once."""
        self._stopping.set()

    def work_once(self) -> bool:
        """Claims a job and sees it through, whatever its end; where none waits, does a tile of another worker's job.

        Returns False where there was neither, after `stop`, and while the worker lacks what a job needs: then jobs wait
        in the queue.

        Raises `DatabaseUnavailable` where none could be claimed.
        """
        if self._stopping.is_set() or self._is_short():
            return False
        job = jobs.claim(
            self._database,
            worker_id=self.worker_id,
            classes=self.classes,
            lease_s=self._settings.lease_s,
        )
        if job is None:
            if self._help():
                return True
            self._sweep()
            return False
        self.job_id = job.id
        try:
            with logs.bound(job_id=job.id, attempt=job.attempt, worker_id=self.worker_id):
                self._see_through(job)
        finally:
            self.job_id = None
        return True

    def _help(self) -> bool:
        """Does one tile of another worker's job, if there is one that waits: no job of its own does."""
        taken = self._helper.take()
        if taken is None:
            return False
        self.job_id = taken.job_id
        try:
            self._helper.see_through(taken)
        finally:
            self.job_id = None
        return True

    def _see_through(self, job: Job) -> None:
        _log.info("job claimed")
        heartbeat = Heartbeat(self._database, job, self._settings)
        attempt = Attempt(self._context, job, heartbeat)
        with ExitStack() as stack:
            try:
                stack.enter_context(heartbeat)
                verdict = attempt.run()
                self._pause_s = 0.0
            except ServiceError as error:  # of storage or database: it passes
                reason = {"code": error.code, "detail": f"The worker has to wait: {error.detail}."}
                verdict = verdicts.wait(reason, heartbeat.learnt, clock.now(), self._settings.reap_s)
            except Exception as error:
                verdict = self._after(error, attempt)
            self._conclude(job, verdict)

    def _after(self, error: Exception, attempt: Attempt) -> Verdict:
        """What a supervisor that could not do its part makes of the job, and of itself."""
        learnt = attempt.heartbeat.learnt
        shortage = shortages.of_error(error, self._settings.work_dir, is_lost=attempt.is_lost)
        if shortage is None:
            _log.exception("supervisor failed")
            return verdicts.crashed(learnt, "The worker failed.")
        self._pause(shortage)
        return verdicts.wait(shortage.reason, learnt, clock.now(), self._settings.reap_s)

    def _pause(self, shortage: Shortage) -> None:
        """Ever longer, until an attempt could be begun."""
        if self.lacks != shortage.detail:
            _log.warning("worker claims no jobs: %s", shortage.detail, extra={"code": shortage.code})
        self.lacks = shortage.detail
        self._pause_s = min(max(self._settings.poll_s, 2 * self._pause_s), _LONGEST_PAUSE_S)
        self._paused_until = clock.elapsed() + self._pause_s

    def _is_short(self) -> bool:
        """Whether this worker lacks what a job needs; looked for again after each pause."""
        if clock.elapsed() < self._paused_until:
            return True
        shortage = shortages.look(self._settings.work_dir)
        if shortage is not None:
            self._pause(shortage)
        elif self.lacks is not None:
            _log.info("worker claims jobs again")
            self.lacks = None
        return shortage is not None

    def _conclude(self, job: Job, verdict: Verdict) -> None:
        """Every word is fenced: of a job that is no longer ours nothing changes."""
        _log.info("job attempt over", extra={"verdict": verdict if isinstance(verdict, str) else vars(verdict)})
        database = self._database
        if isinstance(verdict, Failure):
            self._insist(lambda: jobs.fail(database, job, verdict.error))
        elif isinstance(verdict, Retry):
            self._insist(lambda: _retry(database, job, verdict))
        elif verdict == "cancelled":
            self._insist(lambda: jobs.dismissed(database, job))
        elif verdict == "stopping":
            self._insist(lambda: jobs.release(database, job))
        if isinstance(verdict, Failure) or verdict in ("published", "cancelled"):
            self._folders.remove(job.id)
        if verdict == "stopping" or (isinstance(verdict, Retry) and not verdict.delay_s):
            self._ring(job.resource_class)

    def _insist(self, call: Callable[[], bool]) -> bool | None:
        """What the call answers, as soon as the database does. While stopping, not beyond the grace: None.

        Then the job's lease will run out, which says the same.
        """
        until: float | None = None
        while True:
            try:
                return call()
            except (DatabaseUnavailable, StorageFullError) as error:
                _log.warning("database does not take the outcome: %s", error.detail)
            if self._stopping.wait(self._settings.poll_s):
                until = until or clock.elapsed() + self._settings.cancel_grace_s
                if clock.elapsed() > until:
                    return None
                threading.Event().wait(self._settings.poll_s)

    def _sweep(self) -> None:
        """Folders of jobs that other workers have ended; now and then."""
        if clock.elapsed() - self._swept_at < self._settings.reap_s:
            return
        self._swept_at = clock.elapsed()
        swept = self._folders.sweep(self._has_ended)
        if swept:
            _log.info("removed work folders", extra={"jobs": swept})

    def _has_ended(self, job_id: str) -> bool:
        try:
            return jobs.get(self._database, job_id, None).ended
        except NotFound:
            return True


def _retry(database: Database, job: Job, verdict: Retry) -> bool:
    return jobs.retry(
        database,
        job,
        reason=verdict.reason,
        delay_s=verdict.delay_s,
        retry=verdict.learnt,
        refund_attempt=verdict.free,
    )
