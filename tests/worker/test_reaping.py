"""What happens by itself: clock steps lose and double nothing, doorbells ring again, old files go."""

import pytest
from service_jobs import (
    LEASE_S,
    LIMITS,
    WallClock,
    an_artifact,
    claim,
    complete_upload,
    now,
    publish,
    running,
    submit,
)

from worker import clock, jobs
from worker.database.connections import Database
from worker.errors import NotFound
from worker.jobs import artifacts, garbage, uploads
from worker.settings import Settings

HOUR_S = 3600.0


def beat(database: Database, job: jobs.Job) -> bool:
    return jobs.heartbeat(database, job, lease_s=LEASE_S).kept


# -- clock steps


def test_a_clock_set_forward_an_hour_takes_no_job_from_a_live_worker(
    database: Database, wall_clock: WallClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    steady = wall_clock.time
    monkeypatch.setattr(clock, "elapsed", lambda: steady)
    watch = clock.StepWatch()
    job = running(database)
    wall_clock.move(HOUR_S)
    step_s = watch.step_s()
    assert step_s == pytest.approx(HOUR_S)
    assert jobs.reap(database, LIMITS, take_leases=abs(step_s) < 5).requeued == ()
    assert beat(database, job)  # every worker does, before the next round
    assert watch.step_s() == pytest.approx(0)
    assert jobs.reap(database, LIMITS).requeued == ()
    assert publish(database, job)


def test_a_clock_set_forward_costs_at_most_an_attempt_and_never_gives_two_results(
    database: Database, wall_clock: WallClock
) -> None:
    """A reaper that did not notice the step: the lease goes, and the fence does its work."""
    job = running(database)
    wall_clock.move(HOUR_S)
    assert len(jobs.reap(database, LIMITS).requeued) == 1
    second = claim(database, worker="worker-2")
    assert second is not None
    assert not publish(database, job)
    assert publish(database, second)
    assert not publish(database, job)
    assert now(database, job).result_prefix == second.attempt_prefix


def test_a_clock_set_back_an_hour_leaves_a_dead_workers_job_no_longer_than_a_lease(
    database: Database, wall_clock: WallClock
) -> None:
    job = running(database)
    wall_clock.move(-HOUR_S)
    assert jobs.reap(database, LIMITS).requeued == ()
    wall_clock.move(LEASE_S + 1)
    assert [requeued.id for requeued in jobs.reap(database, LIMITS).requeued] == [job.id]


def test_a_clock_set_back_takes_no_job_from_a_live_worker(database: Database, wall_clock: WallClock) -> None:
    job = running(database)
    wall_clock.move(-HOUR_S)
    for _ in range(5):
        jobs.reap(database, LIMITS)
        wall_clock.move(LEASE_S / 2)
        assert beat(database, job)
    assert publish(database, job)
    after = now(database, job)
    assert after.started is not None
    assert after.finished is not None
    assert after.finished >= after.started >= after.created


def test_a_retry_waits_no_longer_because_the_clock_was_set_back(database: Database, wall_clock: WallClock) -> None:
    job = running(database)
    jobs.retry(database, job, reason={"code": "storage-full", "detail": "No space is left."}, delay_s=60)
    wall_clock.move(-HOUR_S)
    assert claim(database) is None
    assert jobs.reap(database, LIMITS).ring == ("cpu",)
    assert claim(database) is not None


def test_jobs_keep_their_order_and_pages_while_the_clock_jumps(database: Database, wall_clock: WallClock) -> None:
    submitted = []
    for step in (0.0, -HOUR_S, HOUR_S, 2 * HOUR_S, -5 * HOUR_S):
        wall_clock.move(step)
        submitted.append(submit(database).id)
    first = jobs.listing(database, "ann", limit=2)
    second = jobs.listing(database, "ann", limit=3, after=first.after)
    assert [job.id for job in (*first.jobs, *second.jobs)] == submitted[::-1]
    assert second.after is None
    claimed = [job.id for job in iter(lambda: claim(database), None)]
    assert claimed == submitted


# -- doorbells


def test_a_job_that_nobody_heard_of_is_rung_for_again(database: Database, wall_clock: WallClock) -> None:
    for resource_class in ("cpu", "gpu16", "cpu"):
        submit(database, resource_class=resource_class)
    assert jobs.reap(database, LIMITS).ring == ()
    wall_clock.move(LIMITS.ring_again_s)
    assert jobs.reap(database, LIMITS).ring == ("cpu", "cpu", "gpu16")
    assert jobs.reap(database, LIMITS).ring == ()
    wall_clock.move(LIMITS.ring_again_s)
    assert claim(database) is not None
    assert jobs.reap(database, LIMITS).ring == ("cpu", "gpu16")


def test_a_job_that_came_back_is_rung_for_in_the_next_round(database: Database, wall_clock: WallClock) -> None:
    job = running(database)
    jobs.release(database, job)
    assert jobs.reap(database, LIMITS).ring == ("cpu",)
    again = claim(database)
    assert again is not None
    wall_clock.move(LEASE_S + 1)
    assert jobs.reap(database, LIMITS).ring == ("cpu",)


def test_a_job_that_came_back_is_rung_for_though_it_was_rung_for_a_moment_ago(
    database: Database, wall_clock: WallClock
) -> None:
    submit(database)
    wall_clock.move(LIMITS.ring_again_s)
    assert jobs.reap(database, LIMITS).ring == ("cpu",)
    job = claim(database)
    assert job is not None
    jobs.release(database, job)
    assert jobs.reap(database, LIMITS).ring == ("cpu",)


def test_a_delayed_retry_is_rung_for_when_its_delay_is_over(database: Database, wall_clock: WallClock) -> None:
    job = running(database)
    jobs.retry(database, job, reason={"code": "storage-full", "detail": "No space is left."}, delay_s=40)
    assert jobs.reap(database, LIMITS).ring == ()
    wall_clock.move(40)
    assert jobs.reap(database, LIMITS).ring == ("cpu",)


def test_a_long_queue_rings_a_bounded_number_of_times(database: Database, wall_clock: WallClock) -> None:
    for _ in range(40):
        submit(database)
    wall_clock.move(LIMITS.ring_again_s)
    assert jobs.reap(database, LIMITS).ring == ("cpu",) * 16
    assert jobs.reap(database, LIMITS).ring == ()


# -- what is old


def test_garbage_comes_again_until_it_is_forgotten(database: Database) -> None:
    upload = complete_upload(database)
    uploads.discard(database, upload.id, "ann")
    for _ in range(2):
        assert jobs.reap(database, LIMITS).garbage == (upload.key,)
    garbage.forget(database, upload.key)
    assert jobs.reap(database, LIMITS).garbage == ()


def test_files_of_a_lost_attempt_go_when_its_worker_cannot_be_writing_any_more(
    database: Database, wall_clock: WallClock
) -> None:
    job = running(database)
    wall_clock.move(LEASE_S + 1)
    assert jobs.reap(database, LIMITS).garbage == ()
    wall_clock.move(2 * LEASE_S)
    assert jobs.reap(database, LIMITS).garbage == (job.attempt_prefix,)


def test_the_checkpoint_of_an_ended_job_goes_and_that_of_a_waiting_one_stays(
    database: Database, wall_clock: WallClock
) -> None:
    job = running(database)
    jobs.save_checkpoint(database, job, job.checkpoint_prefix)
    jobs.release(database, job)
    again = claim(database)
    assert again is not None
    assert again.checkpoint == job.checkpoint_prefix
    wall_clock.move(LEASE_S / 2)
    assert jobs.reap(database, LIMITS).garbage == ()
    jobs.fail(database, again, {"code": "internal-error", "detail": "It crashed."})
    wall_clock.move(1000)
    assert jobs.reap(database, LIMITS).garbage == (job.checkpoint_prefix,)


def test_a_result_expires_and_its_job_stays(database: Database, wall_clock: WallClock) -> None:
    limits = Settings(artifact_expiry_s=100)
    job = running(database, limits=limits)
    publish(database, job, an_artifact())
    wall_clock.move(99)
    jobs.reap(database, limits)
    assert now(database, job).result_prefix == job.attempt_prefix
    wall_clock.move(100)
    assert job.attempt_prefix in jobs.reap(database, limits).garbage
    after = now(database, job)
    assert (after.status, after.result_prefix, after.result_bytes) == ("successful", None, None)
    assert artifacts.listing(database, job.id) == ()


def test_an_upload_expires_unless_a_job_still_needs_it(database: Database, wall_clock: WallClock) -> None:
    limits = Settings(upload_expiry_s=100)
    idle, needed = complete_upload(database), complete_upload(database)
    job, _ = jobs.submit(database, owner="ann", input_id=needed.id, params={}, limits=limits)
    wall_clock.move(LIMITS.upload_expiry_s + 1)
    assert jobs.reap(database, limits).garbage == (idle.key,)
    with pytest.raises(NotFound):
        uploads.get(database, idle.id, "ann")
    assert uploads.get(database, needed.id, "ann").state == "complete"
    jobs.dismiss(database, job.id, "ann")
    assert needed.key in jobs.reap(database, limits).garbage


def test_a_job_that_was_submitted_keeps_its_upload_for_a_full_expiry(database: Database, wall_clock: WallClock) -> None:
    upload = complete_upload(database)
    wall_clock.move(LIMITS.upload_expiry_s - 1)
    job, _ = jobs.submit(database, owner="ann", input_id=upload.id, params={}, limits=LIMITS)
    jobs.dismiss(database, job.id, "ann")
    wall_clock.move(2)
    assert jobs.reap(database, LIMITS).garbage == ()
