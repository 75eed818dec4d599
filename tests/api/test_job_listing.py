"""Looking at jobs: pages, filters, the queue, and how long it takes with many."""

import time
from collections.abc import Callable
from functools import partial

import pytest
from service_jobs import WallClock, claim, fill, now, publish, running, submit

from worker import jobs
from worker.database.connections import Database
from worker.jobs import Filters
from worker.jobs.changes import MOST_CHANGES, changed_jobs, jobs_after, owner_versions


def test_pages_are_newest_first_complete_and_without_repeats_while_jobs_arrive(database: Database) -> None:
    submitted = [submit(database).id for _ in range(7)]
    seen, after = [], None
    while True:
        page = jobs.listing(database, "ann", limit=3, after=after)
        seen += [job.id for job in page.jobs]
        submit(database)
        if page.after is None:
            break
        after = page.after
    assert seen == submitted[::-1]


def test_an_owner_sees_only_own_jobs_and_the_operator_all(database: Database) -> None:
    mine, theirs = submit(database), submit(database, owner="bob")
    assert [job.id for job in jobs.listing(database, "ann").jobs] == [mine.id]
    assert [job.id for job in jobs.listing(database, None).jobs] == [theirs.id, mine.id]
    assert jobs.listing(database, "nobody").jobs == ()


def test_a_page_beyond_the_last_or_the_first_is_no_error(database: Database) -> None:
    job = submit(database)
    assert jobs.listing(database, "ann", after=0).jobs == ()
    assert [found.id for found in jobs.listing(database, "ann", after=2**80).jobs] == [job.id]


def test_filters_choose_by_status_time_and_duration(database: Database, wall_clock: WallClock) -> None:
    start = wall_clock.time
    quick = running(database)
    wall_clock.move(10)
    publish(database, quick)
    slow = running(database)
    wall_clock.move(100)
    jobs.fail(database, slow, {"code": "internal-error", "detail": "It crashed."})
    going = running(database)
    wall_clock.move(50)
    waiting = submit(database)

    def found(**filters: object) -> set[str]:
        return {job.id for job in jobs.listing(database, "ann", Filters(**filters)).jobs}  # type: ignore[arg-type]

    everything = {quick.id, slow.id, going.id, waiting.id}
    assert found() == everything
    assert found(statuses=("successful", "failed")) == {quick.id, slow.id}
    assert found(created_from=start + 10) == everything - {quick.id}
    assert found(created_to=start + 10) == {quick.id, slow.id}
    assert found(min_duration_s=50) == {slow.id, going.id}
    assert found(max_duration_s=50) == {quick.id, going.id}
    assert found(min_duration_s=20, max_duration_s=60, statuses=("running",)) == {going.id}


def test_the_queue_position_counts_those_who_come_first_in_the_same_class(database: Database) -> None:
    first, second, urgent = submit(database), submit(database), submit(database, priority=1)
    other = submit(database, resource_class="gpu16")
    positions = {job.id: jobs.queue_position(database, now(database, job)) for job in (first, second, urgent, other)}
    assert positions == {urgent.id: 1, first.id: 2, second.id: 3, other.id: 1}
    claimed = claim(database)
    assert claimed is not None
    assert jobs.queue_position(database, claimed) is None
    assert jobs.queue_position(database, second) == 2


def least_ms(call: Callable[[], object]) -> float:
    """What it takes where nobody else wants the processor: tests run side by side, and so does the database."""
    times = []
    for _ in range(15):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return 1000 * min(times)


@pytest.fixture
def many(database: Database) -> Database:
    fill(database, 10_000, owners=2)
    return database


def test_with_ten_thousand_jobs_pages_and_changes_take_less_than_20_ms_and_a_claim_less_than_50_ms(
    many: Database,
) -> None:
    """One test, for they are as long in the making."""
    middle = jobs.listing(many, "owner-1", limit=1).jobs[0].number - 5000
    assert len(jobs.listing(many, "owner-1", limit=100, after=middle).jobs) == 100
    rare = Filters(statuses=("failed",))
    for owner in ("owner-1", None):
        assert least_ms(partial(jobs.listing, many, owner, limit=100)) < 20
        assert least_ms(partial(jobs.listing, many, owner, limit=100, after=middle)) < 20
        assert least_ms(partial(jobs.listing, many, owner, rare)) < 20

    # What the look for a stream of all jobs takes, and what has been missed: bounded, however many there are.
    now = owner_versions(many, ["owner-1"])["owner-1"]
    assert len(now.active) == MOST_CHANGES
    assert changed_jobs(many, "owner-1", now, now) == ()
    assert least_ms(partial(owner_versions, many, ["owner-1"])) < 20
    assert least_ms(partial(jobs_after, many, "owner-1", 10**9)) < 20

    assert least_ms(lambda: claim(many)) < 50
