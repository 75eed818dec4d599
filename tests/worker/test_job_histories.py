"""Whatever happens in whatever order: no job is lost, none has two results, and nobody writes for another's job."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test
from service_databases import without_syncs
from service_jobs import LEASE_S, an_artifact

from worker import clock, jobs
from worker.database.connections import Database
from worker.jobs import Job, artifacts
from worker.settings import Settings

LIMITS = Settings(max_attempts=2, max_queued_per_owner=1000, max_running_per_owner=3)
REASON = {"code": "internal-error", "detail": "It crashed."}


class Histories(RuleBasedStateMachine):
    """A model beside the database: who holds which job, and what was published."""

    claims = Bundle("claims")

    def __init__(self, migrated: Path) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        file = Path(self.folder.name) / "decloud.db"
        shutil.copy(migrated, file)
        self.database = Database(f"sqlite:///{file}")
        without_syncs(self.database)
        self.time = 1.7e9
        self.monkeypatch = pytest.MonkeyPatch()
        self.monkeypatch.setattr(clock, "now", lambda: self.time)
        self.submitted: list[str] = []
        self.holder: dict[str, Job] = {}
        self.attempts: dict[str, int] = {}
        self.published: dict[str, str] = {}

    def teardown(self) -> None:
        self.drain()
        self.monkeypatch.undo()
        self.database.close()
        self.folder.cleanup()

    # -- what users do

    @rule(owner=st.sampled_from(["ann", "bob"]), priority=st.integers(-1, 1))
    def submit(self, owner: str, priority: int) -> None:
        job, _ = jobs.submit(self.database, owner=owner, input_id=None, params={}, priority=priority, limits=LIMITS)
        self.submitted.append(job.id)

    @rule(number=st.integers(0, 5))
    def dismiss(self, number: int) -> None:
        if not self.submitted:
            return
        before = self.now(self.submitted[number % len(self.submitted)])
        after = jobs.dismiss(self.database, before.id, None)
        expected = "dismissed" if before.status == "accepted" else before.status
        assert after.status == expected

    # -- what workers do, also those that lost their job long ago

    @rule(target=claims, worker=st.sampled_from(["w1", "w2"]))
    def claim(self, worker: str) -> Job | None:
        job = jobs.claim(self.database, worker_id=worker, classes=("cpu",), lease_s=LEASE_S)
        if job is not None:
            assert job.id not in self.holder
            assert job.attempt == self.attempts.get(job.id, 0) + 1
            self.holder[job.id], self.attempts[job.id] = job, job.attempt
        return job

    @rule(job=claims)
    def heartbeat(self, job: Job | None) -> None:
        if job is not None:
            kept = jobs.heartbeat(self.database, job, lease_s=LEASE_S, progress={"phase": "fitting"}).kept
            assert kept == self.holds(job)

    @rule(job=claims)
    def advance(self, job: Job | None) -> None:
        if job is not None:
            assert jobs.advanced(self.database, job, retry=None) == self.holds(job)
            assert not self.holds(job) or self.now(job.id).attempts_left == LIMITS.max_attempts

    @rule(job=claims)
    def record(self, job: Job | None) -> None:
        if job is not None:
            assert jobs.record(self.database, job, "log", {}) == self.holds(job)

    @rule(job=claims)
    def publish(self, job: Job | None) -> None:
        if job is None:
            return
        cancelled = self.now(job.id).cancel_requested_at is not None
        done = jobs.publish(self.database, job, result_prefix=job.attempt_prefix, artifacts=[an_artifact()], usage={})
        again = self.published.get(job.id) == job.attempt_prefix
        assert done == (again or (self.holds(job) and not cancelled))
        if done and not again:
            assert job.id not in self.published
            self.published[job.id] = job.attempt_prefix
        self.let_go(job)

    @rule(job=consumes(claims), how=st.sampled_from(["fail", "retry", "free retry", "release", "dismissed"]))
    def give_up(self, job: Job | None, how: str) -> None:
        if job is None:
            return
        if how == "fail":
            written = jobs.fail(self.database, job, REASON)
        elif how == "release":
            written = jobs.release(self.database, job)
        elif how == "dismissed":
            written = jobs.dismissed(self.database, job)
        else:
            written = jobs.retry(self.database, job, reason=REASON, delay_s=30, refund_attempt=how == "free retry")
        assert written == self.holds(job)
        self.let_go(job)

    # -- what happens

    @rule(seconds=st.sampled_from([1.0, 20.0, 61.0, 3600.0, -3600.0]))
    def time_passes(self, seconds: float) -> None:
        self.time += seconds

    @rule()
    def reap(self) -> None:
        reaped = jobs.reap(self.database, LIMITS)
        for job in (*reaped.requeued, *reaped.failed, *reaped.dismissed):
            assert self.holder.pop(job.id).attempt == job.attempt

    # -- what always holds

    @invariant()
    def every_job_is_somewhere_and_only_what_was_published_has_a_result(self) -> None:
        now = {job.id: job for job in jobs.listing(self.database, None, limit=1000).jobs}
        assert set(now) == set(self.submitted)
        assert {job_id for job_id, job in now.items() if job.status == "running"} == set(self.holder)
        assert {job_id: job.result_prefix for job_id, job in now.items() if job.result_prefix} == self.published
        assert {job_id for job_id, job in now.items() if job.status == "successful"} == set(self.published)
        for job in now.values():
            assert 0 <= job.refunds <= job.attempt
            assert job.attempt - job.refunds <= LIMITS.max_attempts
            assert (job.finished is not None) == job.ended

    def drain(self) -> None:
        """Every worker dies and one good one comes: everything ends."""
        for _ in range(200):
            if all(self.now(job_id).ended for job_id in self.submitted):
                with_files = {job_id for job_id in self.submitted if artifacts.listing(self.database, job_id)}
                assert with_files == set(self.published)
                return
            job = self.claim("w3")
            if job is not None:
                self.publish(job)
            else:
                self.time += 61
                self.reap()
        pytest.fail("a job never ended")

    def holds(self, job: Job) -> bool:
        held = self.holder.get(job.id)
        return held is not None and held.attempt == job.attempt

    def let_go(self, job: Job) -> None:
        if self.holds(job):
            del self.holder[job.id]

    def now(self, job_id: str) -> Job:
        return jobs.get(self.database, job_id, None)


def test_any_history_of_users_workers_crashes_and_clocks(migrated_sqlite_file: Path) -> None:
    run_state_machine_as_test(
        lambda: Histories(migrated_sqlite_file),
        settings=settings(
            max_examples=20,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
