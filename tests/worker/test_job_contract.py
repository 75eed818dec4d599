"""The job contract, on every database."""

import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace

import pytest
from locations import HELPERS
from service_jobs import (
    LEASE_S,
    LIMITS,
    WallClock,
    an_artifact,
    claim,
    complete_upload,
    fill,
    now,
    publish,
    running,
    submit,
)
from sqlalchemy import event, select

from worker import jobs
from worker.database.connections import Database
from worker.database.tables import webhook_outbox
from worker.errors import IdempotencyConflict, InvalidRequest, JobActive, NotFound, UploadNotReady
from worker.jobs import Filters, Job, artifacts, events, garbage, uploads
from worker.settings import Settings

CRASHED = {"code": "internal-error", "detail": "The job process ended with status 70."}


def statuses(database: Database, job: Job) -> list[str]:
    return [event.data["status"] for event in events.read(database, job.id, kinds=["status"])]


# -- submitting


def test_a_new_job_waits_and_says_so(database: Database) -> None:
    job = submit(database, name="Fields", priority=3, resource_class="gpu16")
    assert (job.status, job.name, job.priority, job.resource_class) == ("accepted", "Fields", 3, "gpu16")
    assert now(database, job) == job
    assert statuses(database, job) == ["accepted"]


def test_an_input_must_be_a_complete_upload_of_the_same_owner(database: Database) -> None:
    mine, theirs = complete_upload(database), complete_upload(database, owner="bob")
    half = uploads.create(database, owner="ann", length=10, limits=LIMITS)

    def with_input(upload_id: str) -> Job:
        return jobs.submit(database, owner="ann", input_id=upload_id, params={}, limits=LIMITS)[0]

    assert with_input(mine.id).input_id == mine.id
    for unknown in (theirs.id, "no-such-id", "\x00"):
        with pytest.raises(NotFound):
            with_input(unknown)
    with pytest.raises(UploadNotReady, match="0 of 10 bytes"):
        with_input(half.id)
    assert len(jobs.listing(database, "ann").jobs) == 1


def test_the_same_idempotency_key_gives_the_first_job_whatever_became_of_it(database: Database) -> None:
    first = submit(database, idempotency_key="k")
    jobs.dismiss(database, first.id, "ann")
    again, created = jobs.submit(database, owner="ann", input_id=None, params={}, limits=LIMITS, idempotency_key="k")
    assert not created
    assert (again.id, again.status) == (first.id, "dismissed")


def test_the_same_key_for_another_request_is_refused_but_another_owners_key_is_another(database: Database) -> None:
    first = submit(database, idempotency_key="k")
    with pytest.raises(IdempotencyConflict) as refused:
        submit(database, idempotency_key="k", priority=1)
    assert refused.value.extra == {"job_id": first.id}
    assert submit(database, owner="bob", idempotency_key="k", priority=1).id != first.id


def test_of_submissions_with_one_key_at_the_same_moment_one_makes_the_job(database: Database) -> None:
    def once(_: int) -> tuple[Job, bool]:
        return jobs.submit(database, owner="ann", input_id=None, params={}, limits=LIMITS, idempotency_key="k")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(once, range(8)))
    assert len({job.id for job, _ in answers}) == 1
    assert [created for _, created in answers].count(True) == 1


@pytest.mark.parametrize(
    "asked", [{"priority": 101}, {"priority": 2**40}, {"name": ""}, {"name": "a\x00b"}, {"idempotency_key": "k" * 256}]
)
def test_what_no_database_could_keep_is_refused_by_name(database: Database, asked: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(asked))):
        submit(database, **asked)


# -- claiming


def each_is_claimed_once(database: Database, count: int, *, processes: int) -> None:
    fill(database, count, owners=7)
    url = database.engine.url.render_as_string(hide_password=False)
    script = HELPERS / "claiming.py"
    arguments = [sys.executable, script, url, str(processes)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    claims = [line.split() for line in done.stdout.splitlines()]
    assert len(claims) == len({job_id for _, job_id in claims}) == count
    assert len({worker for worker, _ in claims}) > 1
    claimed = jobs.listing(database, None, Filters(statuses=("running",)), limit=count).jobs
    assert {(job.lease_owner, job.id) for job in claimed} == {(worker, job_id) for worker, job_id in claims}
    assert {job.attempt for job in claimed} == {1}


def test_eight_processes_claim_each_of_a_thousand_jobs_exactly_once_on_sqlite(sqlite_database: Database) -> None:
    each_is_claimed_once(sqlite_database, 1000, processes=8)


def test_eight_processes_claim_each_job_exactly_once_on_postgresql(postgresql_database: Database) -> None:
    each_is_claimed_once(postgresql_database, 200, processes=8)


@pytest.mark.slow
def test_eight_processes_claim_each_of_a_thousand_jobs_exactly_once_on_postgresql(
    postgresql_database: Database,
) -> None:
    each_is_claimed_once(postgresql_database, 1000, processes=8)


def test_nothing_to_do_gives_no_job(database: Database) -> None:
    submit(database, resource_class="gpu16")
    assert claim(database) is None
    assert claim(database, classes=()) is None
    assert claim(database, classes=("cpu", "gpu16")) is not None


def test_the_higher_priority_goes_first_then_the_older_job(database: Database) -> None:
    order = [submit(database, priority=priority).id for priority in (0, 5, -5, 5, 0)]
    claimed = [job.id for job in iter(lambda: claim(database), None)]
    assert claimed == [order[1], order[3], order[0], order[4], order[2]]


def test_the_owner_with_fewer_running_jobs_goes_first(database: Database) -> None:
    for owner in ("ann", "ann", "ann", "bob", "cat"):
        submit(database, owner=owner)
    claimed = [job.owner for job in iter(lambda: claim(database), None)]
    assert claimed == ["ann", "bob", "cat", "ann", "ann"]


def test_fewer_running_jobs_count_more_than_having_waited_longer(database: Database) -> None:
    """Ann holds two workers for long; Bob's job was quick."""
    for owner in ("ann", "ann", "bob"):
        running(database, owner=owner)
    quick = jobs.listing(database, "bob").jobs[0]
    assert publish(database, quick)
    for owner in ("ann", "bob"):
        submit(database, owner=owner)
    following = claim(database)
    assert following is not None
    assert following.owner == "bob"


def test_with_a_single_worker_owners_take_turns_however_many_jobs_one_has_queued(database: Database) -> None:
    for owner in ("ann",) * 4 + ("bob",) * 2 + ("cat",):
        submit(database, owner=owner)
    served = []
    while (job := claim(database)) is not None:
        served.append(job.owner)
        assert publish(database, job)
    assert served == ["ann", "bob", "cat", "ann", "bob", "ann", "ann"]


def test_an_owner_at_the_running_limit_is_passed_over_until_a_job_ends(database: Database) -> None:
    limits = Settings(max_running_per_owner=2)
    for owner in ("ann", "ann", "ann", "bob"):
        submit(database, owner=owner, limits=limits, priority=5 if owner == "ann" else 0)
    claimed = list(iter(lambda: claim(database), None))
    assert [job.owner for job in claimed] == ["ann", "ann", "bob"]
    assert jobs.fail(database, claimed[0], CRASHED)
    following = claim(database)
    assert following is not None
    assert following.owner == "ann"


def test_claims_at_the_same_moment_do_not_exceed_the_running_limit(database: Database) -> None:
    limits = Settings(max_running_per_owner=3)
    classes = [f"gpu{number}" for number in range(12)]  # so that no two want the same job
    for resource_class in classes:
        submit(database, limits=limits, resource_class=resource_class)
    with ThreadPoolExecutor(12) as pool:
        claimed = list(pool.map(lambda name: claim(database, worker=name, classes=(name,)), classes))
    assert sum(job is not None for job in claimed) == 3


def test_a_job_is_either_cancelled_or_claimed_when_both_happen_at_once(database: Database) -> None:
    waiting = [submit(database) for _ in range(30)]
    barrier = threading.Barrier(2)

    def cancel_all() -> None:
        barrier.wait()
        for job in waiting:
            jobs.dismiss(database, job.id, "ann")

    def claim_all() -> list[Job]:
        barrier.wait()
        return list(iter(lambda: claim(database), None))

    with ThreadPoolExecutor(2) as pool:
        cancelling, claiming = pool.submit(cancel_all), pool.submit(claim_all)
        cancelling.result()
        claimed = {job.id for job in claiming.result()}
    for job in waiting:
        after = now(database, job)
        assert after.cancel_requested_at is not None
        assert after.status == ("running" if job.id in claimed else "dismissed")


def test_a_job_cancelled_between_choosing_and_taking_it_is_not_claimed(postgresql_database: Database) -> None:
    """On SQLite nothing can come in between."""
    chosen, following = submit(postgresql_database), submit(postgresql_database)
    other = Database(postgresql_database.engine.url.render_as_string(hide_password=False))

    def cancel_first(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE jobs SET status"):
            jobs.dismiss(other, chosen.id, "ann")

    event.listen(postgresql_database.engine, "before_cursor_execute", cancel_first)
    claimed = claim(postgresql_database)
    event.remove(postgresql_database.engine, "before_cursor_execute", cancel_first)
    other.close()
    assert claimed is not None
    assert claimed.id == following.id
    assert now(postgresql_database, chosen).status == "dismissed"


def test_a_job_cannot_be_claimed_between_looking_at_it_and_cancelling_it(postgresql_database: Database) -> None:
    job = submit(postgresql_database)
    other = Database(postgresql_database.engine.url.render_as_string(hide_password=False))
    with ThreadPoolExecutor(1) as pool:
        claims = []

        def claim_meanwhile(_c: object, _cursor: object, statement: str, *_: object) -> None:
            if statement.startswith("UPDATE jobs SET") and not claims:
                claims.append(pool.submit(claim, other))
                wait(claims, timeout=0.3)

        event.listen(postgresql_database.engine, "before_cursor_execute", claim_meanwhile)
        assert jobs.dismiss(postgresql_database, job.id, "ann").status == "dismissed"
        event.remove(postgresql_database.engine, "before_cursor_execute", claim_meanwhile)
        assert claims[0].result() is None
    other.close()


# -- working


def test_a_heartbeat_keeps_the_lease_and_stores_the_progress(database: Database, wall_clock: WallClock) -> None:
    job = running(database)
    wall_clock.move(30)
    progress = {"phase": "fitting", "step": 3, "of": 9, "loss": float("nan"), "message": "nearly\x00there"}
    assert jobs.heartbeat(database, job, lease_s=LEASE_S, progress=progress) == jobs.Beat(True, False)
    after = now(database, job)
    assert after.lease_until == wall_clock.time + LEASE_S
    assert (after.phase, after.message) == ("fitting", "nearly\N{REPLACEMENT CHARACTER}there")
    assert after.progress == {**progress, "loss": None}
    jobs.heartbeat(database, job, lease_s=LEASE_S)
    assert now(database, job).progress == after.progress


def test_what_is_recorded_is_read_back_in_order_and_from_any_point(database: Database) -> None:
    job, other = running(database), running(database, owner="bob", worker="worker-2")
    for number in range(5):
        assert jobs.record(database, job, "log", {"line": number}, level="warning" if number == 3 else "info")
        assert jobs.record(database, other, "log", {"line": -number})
    lines = events.read(database, job.id, kinds=["log"])
    assert [line.data["line"] for line in lines] == [0, 1, 2, 3, 4]
    assert [line.level for line in lines] == ["info"] * 3 + ["warning", "info"]
    assert events.read(database, job.id, after=lines[2].id) == lines[3:]
    assert events.read(database, job.id, after=lines[4].id) == events.read(database, job.id, after=2**70) == ()
    assert events.read(database, job.id, limit=2) == events.read(database, job.id)[:2]


def test_events_of_many_writers_have_ids_in_the_order_in_which_they_appear(database: Database) -> None:
    """A reader that remembers the last id it saw misses none, though transactions overlap."""
    job = running(database)
    seen: list[int] = []
    finished = threading.Event()

    def follow() -> None:
        while True:
            last = finished.is_set()
            seen.extend(event.id for event in events.read(database, job.id, after=seen[-1] if seen else 0))
            if last:
                return

    with ThreadPoolExecutor(5) as pool:
        reader = pool.submit(follow)
        list(pool.map(lambda number: jobs.record(database, job, "log", {"line": number}), range(120)))
        finished.set()
        reader.result()
    assert seen == [event.id for event in events.read(database, job.id, limit=1000)]
    assert len(seen) == 122


def test_publishing_shows_files_and_status_in_one_commit(database: Database, wall_clock: WallClock) -> None:
    job = running(database, limits=Settings(artifact_expiry_s=500))
    files = [an_artifact("a.tif", size=5), an_artifact("b.tif", size=7)]
    wall_clock.move(10)
    assert publish(database, job, *files)
    after = now(database, job)
    assert (after.status, after.result_prefix, after.result_bytes) == ("successful", f"results/{job.id}/1", 12)
    assert (after.finished, after.expires) == (wall_clock.time, wall_clock.time + 500)
    assert (after.usage, after.lease_owner, after.lease_until) == ({"seconds": 1.0}, None, None)
    assert list(artifacts.listing(database, job.id)) == files
    assert artifacts.get(database, job.id, "b.tif") == files[1]
    for unknown in ("c.tif", "../b.tif", "b.tif\x00"):
        with pytest.raises(NotFound):
            artifacts.get(database, job.id, unknown)
    assert statuses(database, job) == ["accepted", "running", "successful"]


def test_publishing_again_after_a_lost_answer_says_yes_and_changes_nothing(database: Database) -> None:
    job = running(database)
    assert publish(database, job, an_artifact())
    before = now(database, job)
    assert publish(database, job, an_artifact())
    assert now(database, job) == before
    assert len(artifacts.listing(database, job.id)) == 1


def test_a_failure_keeps_its_error_and_is_told(database: Database) -> None:
    job = running(database)
    assert jobs.fail(database, job, CRASHED)
    assert (now(database, job).status, now(database, job).error) == ("failed", CRASHED)
    last = events.read(database, job.id)[-1]
    assert (last.level, last.data["message"], last.data["error"]) == ("error", CRASHED["detail"], CRASHED)


# -- trying again


def test_a_retry_waits_its_delay_and_knows_what_to_do_otherwise(database: Database, wall_clock: WallClock) -> None:
    job = running(database)
    assert jobs.retry(database, job, reason=CRASHED, delay_s=60, retry={"tile_px": 128})
    assert claim(database) is None
    wall_clock.move(59)
    assert claim(database) is None
    wall_clock.move(1)
    again = claim(database)
    assert again is not None
    assert (again.id, again.attempt, again.retry) == (job.id, 2, {"tile_px": 128})
    assert jobs.retry(database, again, reason=CRASHED, retry={"kills": 1})
    assert now(database, job).retry == {"tile_px": 128, "kills": 1}


def test_attempts_are_used_up_and_the_reason_becomes_the_error(database: Database) -> None:
    job = running(database, limits=Settings(max_attempts=2))
    assert jobs.retry(database, job, reason=CRASHED)
    assert now(database, job).status == "accepted"
    second = claim(database)
    assert second is not None
    assert jobs.retry(database, second, reason=CRASHED)
    assert (now(database, job).status, now(database, job).error) == ("failed", CRASHED)


def test_a_released_attempt_does_not_count_but_its_number_is_never_used_again(database: Database) -> None:
    job = running(database, limits=Settings(max_attempts=1))
    for _ in range(5):
        before = job
        assert jobs.release(database, job)
        claimed = claim(database)
        assert claimed is not None
        job = claimed
        assert job.attempt == before.attempt + 1
        assert job.attempts_left == 0
        assert not jobs.heartbeat(database, before, lease_s=LEASE_S).kept
    assert jobs.retry(database, job, reason=CRASHED)
    assert now(database, job).status == "failed"


def test_attempts_that_were_given_back_leave_the_others_their_number(database: Database) -> None:
    job: Job | None = running(database, limits=Settings(max_attempts=2))
    for given_back in (True, True, False, True):
        assert job is not None
        assert jobs.retry(database, job, reason=CRASHED, refund_attempt=given_back)
        assert now(database, job).status == "accepted"
        job = claim(database)
    assert job is not None
    assert (job.attempt, job.refunds, job.attempts_left) == (5, 3, 0)
    assert jobs.retry(database, job, reason=CRASHED)
    assert now(database, job).status == "failed"


# -- lost leases


def test_another_worker_cannot_write_with_the_number_of_the_attempt(database: Database) -> None:
    job = running(database)
    assert set(everything_a_worker_writes(database, replace(job, lease_owner="worker-2")).values()) == {False}
    assert now(database, job) == job


def stale_holder(database: Database, wall_clock: WallClock) -> tuple[Job, Job]:
    """A job whose worker froze, and the same job as the next worker holds it."""
    stale = running(database)
    wall_clock.move(LEASE_S + 1)
    assert [job.id for job in jobs.reap(database, LIMITS).requeued] == [stale.id]
    current = claim(database, worker="worker-2")
    assert current is not None
    return stale, current


def everything_a_worker_writes(database: Database, job: Job) -> dict[str, bool]:
    return {
        "heartbeat": jobs.heartbeat(database, job, lease_s=LEASE_S, progress={"phase": "stale"}).kept,
        "record": jobs.record(database, job, "log", {"line": "stale"}),
        "checkpoint": jobs.save_checkpoint(database, job, "stale"),
        "advanced": jobs.advanced(database, job, retry={"stale": True}),
        "retry": jobs.retry(database, job, reason=CRASHED),
        "release": jobs.release(database, job),
        "fail": jobs.fail(database, job, CRASHED),
        "dismissed": jobs.dismissed(database, job),
        "publish": publish(database, job, an_artifact()),
    }


@pytest.mark.parametrize("when", ["taken back", "running elsewhere", "running here again", "successful", "removed"])
def test_a_stale_holder_writes_nothing(database: Database, wall_clock: WallClock, when: str) -> None:
    stale = running(database)
    wall_clock.move(LEASE_S + 1)
    jobs.reap(database, LIMITS)
    if when != "taken back":
        # The same worker, even: then only the attempt tells the two apart.
        current = claim(database, worker="worker-1" if when == "running here again" else "worker-2")
        assert current is not None
        if when in ("successful", "removed"):
            assert publish(database, current)
        if when == "removed":
            jobs.remove(database, current.id, "ann")
    before = jobs.listing(database, "ann"), events.read(database, stale.id)
    assert set(everything_a_worker_writes(database, stale).values()) == {False}
    assert (jobs.listing(database, "ann"), events.read(database, stale.id)) == before
    assert artifacts.listing(database, stale.id) == ()


def test_the_current_holder_may_write_all_of_it(database: Database, wall_clock: WallClock) -> None:
    """The counterpart of the test above: it is the staleness that is refused."""
    _, current = stale_holder(database, wall_clock)
    assert jobs.heartbeat(database, current, lease_s=LEASE_S).kept
    assert jobs.record(database, current, "log", {})
    assert jobs.save_checkpoint(database, current, current.checkpoint_prefix)
    assert jobs.advanced(database, current, retry=None)
    assert publish(database, current, an_artifact())


def test_an_expired_lease_goes_back_and_at_last_fails_as_worker_lost(database: Database, wall_clock: WallClock) -> None:
    job = running(database, limits=Settings(max_attempts=3))
    for attempt in (1, 2):
        wall_clock.move(LEASE_S + 1)
        assert [requeued.id for requeued in jobs.reap(database, LIMITS).requeued] == [job.id]
        assert now(database, job).status == "accepted"
        claimed = claim(database)
        assert claimed is not None
        assert claimed.attempt == attempt + 1
    wall_clock.move(LEASE_S + 1)
    assert [failed.id for failed in jobs.reap(database, LIMITS).failed] == [job.id]
    after = now(database, job)
    assert after.status == "failed"
    assert after.error == {
        "code": "worker-lost",
        "detail": "The worker was lost in each of 3 attempts, none of which stored a newer checkpoint.",
        "attempts": 3,
    }


def test_a_lease_that_is_kept_is_not_taken(database: Database, wall_clock: WallClock) -> None:
    job = running(database)
    for _ in range(10):
        wall_clock.move(LEASE_S / 2)
        assert jobs.heartbeat(database, job, lease_s=LEASE_S).kept
        assert jobs.reap(database, LIMITS).requeued == ()


def test_a_late_heartbeat_saves_a_lease_that_nobody_has_taken(database: Database, wall_clock: WallClock) -> None:
    job = running(database)
    wall_clock.move(10 * LEASE_S)
    assert jobs.heartbeat(database, job, lease_s=LEASE_S).kept
    assert jobs.reap(database, LIMITS).requeued == ()


def test_several_reapers_take_a_job_back_once(database: Database, wall_clock: WallClock) -> None:
    held = [running(database, worker=f"worker-{number}") for number in range(6)]
    wall_clock.move(LEASE_S + 1)
    with ThreadPoolExecutor(4) as pool:
        rounds = list(pool.map(lambda _: jobs.reap(database, LIMITS), range(4)))
    requeued = Counter(job.id for reaped in rounds for job in reaped.requeued)
    assert requeued == Counter(job.id for job in held)
    assert all(statuses(database, job) == ["accepted", "running", "accepted"] for job in held)


# -- cancelling


def test_a_waiting_job_is_dismissed_at_once_and_never_claimed(database: Database) -> None:
    job = submit(database)
    assert jobs.dismiss(database, job.id, "ann").status == "dismissed"
    assert claim(database) is None
    assert statuses(database, job) == ["accepted", "dismissed"]


def test_a_running_job_hears_of_it_and_ends_dismissed_by_its_worker(database: Database) -> None:
    job = running(database)
    asked = jobs.dismiss(database, job.id, "ann")
    assert asked.status == "running"
    assert asked.cancel_requested_at is not None
    assert jobs.heartbeat(database, job, lease_s=LEASE_S) == jobs.Beat(kept=True, cancel_requested=True)
    assert jobs.dismissed(database, job)
    assert now(database, job).status == "dismissed"


@pytest.mark.parametrize("outcome", ["publish", "fail", "retry", "release", "reap"])
def test_a_cancelled_job_ends_dismissed_whatever_its_worker_says(
    database: Database, wall_clock: WallClock, outcome: str
) -> None:
    job = running(database)
    jobs.dismiss(database, job.id, "ann")
    if outcome == "publish":
        assert not publish(database, job, an_artifact())
        assert artifacts.listing(database, job.id) == ()
        assert job.attempt_prefix in garbage.due(database)
    elif outcome == "fail":
        assert jobs.fail(database, job, CRASHED)
    elif outcome == "retry":
        assert jobs.retry(database, job, reason=CRASHED, refund_attempt=True)
    elif outcome == "release":
        assert jobs.release(database, job)
    else:
        wall_clock.move(LEASE_S + 1)
        assert [dismissed.id for dismissed in jobs.reap(database, LIMITS).dismissed] == [job.id]
    assert now(database, job).status == "dismissed"
    assert claim(database) is None


def test_a_job_that_waits_for_a_retry_is_dismissed_at_once(database: Database) -> None:
    job = running(database)
    jobs.retry(database, job, reason=CRASHED, delay_s=60)
    assert jobs.dismiss(database, job.id, "ann").status == "dismissed"


@pytest.mark.parametrize("ending", ["successful", "failed", "dismissed"])
def test_an_ended_job_stays_as_it_ended(database: Database, ending: str) -> None:
    job = running(database)
    if ending == "successful":
        publish(database, job, an_artifact())
    elif ending == "failed":
        jobs.fail(database, job, CRASHED)
    else:
        jobs.dismiss(database, job.id, "ann")
        jobs.dismissed(database, job)
    before = now(database, job)
    assert before.status == ending
    assert jobs.dismiss(database, job.id, "ann") == before
    assert now(database, job) == before


def test_cancelling_twice_tells_it_once(database: Database) -> None:
    job = running(database)
    first = jobs.dismiss(database, job.id, "ann")
    assert jobs.dismiss(database, job.id, "ann") == first
    assert statuses(database, job) == ["accepted", "running", "running"]


def test_an_ended_job_can_be_removed_with_all_its_traces(database: Database) -> None:
    job = running(database)
    with pytest.raises(JobActive):
        jobs.remove(database, job.id, "ann")
    publish(database, job, an_artifact())
    jobs.remove(database, job.id, "ann")
    with pytest.raises(NotFound):
        now(database, job)
    assert events.read(database, job.id) == ()
    assert artifacts.listing(database, job.id) == ()
    assert job.attempt_prefix in garbage.due(database)


def test_another_owners_job_is_not_found_by_any_call(database: Database) -> None:
    job = submit(database)
    for call in (jobs.get, jobs.dismiss, jobs.remove):
        for job_id, owner in ((job.id, "bob"), ("no-such-job", "ann"), ("\x00", "ann"), ("x" * 500, "ann")):
            with pytest.raises(NotFound, match="no such job"):
                call(database, job_id, owner)
    assert now(database, job) == job
    assert jobs.get(database, job.id, "ann") == job


# -- notices


def test_a_subscriber_is_told_of_the_statuses_it_asked_for(database: Database) -> None:
    job = running(database, subscriber={"failed": "https://example.org/failed", "successful": "https://example.org/ok"})
    assert jobs.fail(database, job, CRASHED)
    with database.read() as connection:
        (notice,) = connection.execute(select(webhook_outbox.c.job_id, webhook_outbox.c.url, webhook_outbox.c.body))
    assert (notice.job_id, notice.url) == (job.id, "https://example.org/failed")
    assert notice.body["type"] == "job.failed"
    assert notice.body["data"]["exception"] == CRASHED
