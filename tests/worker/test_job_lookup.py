"""Short questions about jobs, on every database: one job with its place, whether it has changed, and all in figures."""

import sqlite3
import threading
from collections import Counter
from pathlib import Path

import pytest
from service_jobs import LIMITS, WallClock, claim, now, running, submit
from sqlalchemy import insert

from worker import jobs
from worker.database.connections import Database
from worker.database.tables import garbage
from worker.errors import DatabaseUnavailable, NotFound
from worker.jobs import Job, events
from worker.jobs.changes import JobVersion, versions
from worker.jobs.counts import count_jobs
from worker.jobs.health import check_readable, check_writable
from worker.jobs.lookup import JobLookup


def crowd(database: Database) -> list[Job]:
    """Jobs of every kind of place in the queue, and of every kind of column."""
    made = [
        submit(database, owner=owner, priority=priority, resource_class=resource_class, name=f"Fields of {owner}")
        for owner in ("ann", "bob")
        for priority in (0, 7)
        for resource_class in ("cpu", "gpu16")
    ]
    failed = claim(database)
    assert failed is not None
    assert jobs.fail(database, failed, {"code": "internal-error", "detail": "ÄÖ \u2028", "numbers": [1, 2.5, None]})
    beating = claim(database, classes=("gpu16",))
    assert beating is not None
    assert jobs.heartbeat(database, beating, lease_s=60, progress={"phase": "fitting", "step": 3, "of": 9}).kept
    jobs.dismiss(database, made[-1].id, made[-1].owner)
    return made


def test_a_lookup_finds_what_two_questions_find(database: Database) -> None:
    lookup = JobLookup(database)
    for job in crowd(database):
        current = now(database, job)
        assert lookup.find(job.id, job.owner) == (current, jobs.queue_position(database, current))
    lookup.close()


def test_a_lookup_sees_what_was_written_since_the_last(database: Database) -> None:
    lookup = JobLookup(database)
    job = submit(database)
    assert lookup.find(job.id, "ann")[1] == 1
    claimed = claim(database)
    assert claimed is not None
    assert lookup.find(job.id, "ann") == (claimed, None)
    lookup.close()


@pytest.mark.parametrize("job_id", ["no-such-id", "\x00", "", "x" * 65, "%"])
def test_a_lookup_of_what_is_no_job_finds_none(database: Database, job_id: str) -> None:
    lookup = JobLookup(database)
    with pytest.raises(NotFound):
        lookup.find(job_id, "ann")
    lookup.close()


def test_a_lookup_of_another_owners_job_finds_none(database: Database) -> None:
    lookup, job = JobLookup(database), submit(database, owner="bob")
    with pytest.raises(NotFound):
        lookup.find(job.id, "ann")
    lookup.close()


def test_a_lookup_in_a_database_that_does_not_answer_says_so(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'missing' / 'decloud.db'}")
    with pytest.raises(DatabaseUnavailable):
        JobLookup(database).find("any", "ann")


def test_a_closed_lookup_may_be_asked_by_another_thread(sqlite_database: Database) -> None:
    lookup, job = JobLookup(sqlite_database), submit(sqlite_database)
    found: list[Job] = []

    def ask() -> None:
        found.append(lookup.find(job.id, "ann")[0])
        lookup.close()

    lookup.find(job.id, "ann")
    lookup.close()
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert found == [job]


# -- changes


def test_a_version_changes_with_the_row_and_with_the_events_and_at_no_other_time(
    database: Database, wall_clock: WallClock
) -> None:
    job = running(database)
    other = submit(database)

    def version(of: Job) -> JobVersion:
        return versions(database, [of.id])[of.id]

    seen, others = [version(job)], version(other)
    assert version(job) == seen[0]
    wall_clock.move(1)
    assert jobs.heartbeat(database, job, lease_s=60).kept
    seen.append(version(job))
    assert jobs.record(database, job, "log", {"message": "at the same moment"})
    seen.append(version(job))
    assert len(set(seen)) == 3
    assert version(other) == others


def test_of_what_is_no_job_there_is_no_version(database: Database) -> None:
    job = submit(database)
    asked = ["\x00", "no-such-id", *(f"none-{number}" for number in range(2500)), job.id]
    assert list(versions(database, asked)) == [job.id], "also where one question is too short for all"
    assert jobs.dismiss(database, job.id, "ann").ended
    jobs.remove(database, job.id, "ann")
    assert versions(database, [job.id]) == {}
    assert versions(database, []) == {}


# -- figures


def test_counts_are_those_of_all_jobs(database: Database, wall_clock: WallClock) -> None:
    assert count_jobs(database).oldest_waiting_s == 0
    made = [now(database, job) for job in crowd(database)]
    with database.begin() as connection:
        connection.execute(insert(garbage).values(prefix="results/of-a-test", due=0.0))
    wall_clock.move(30)
    counts = count_jobs(database)
    waiting = [job for job in made if job.status == "accepted"]
    assert counts.statuses == Counter(job.status for job in made)
    assert counts.waiting == Counter(job.resource_class for job in waiting)
    assert counts.oldest_waiting_s == pytest.approx(30, abs=5)
    assert (counts.unheard, counts.notices) == (0, 0)
    assert counts.garbage >= 1
    wall_clock.move(600)
    assert count_jobs(database).unheard == 1


def test_taking_back_all_ends_every_lease_and_no_job(database: Database) -> None:
    first, second, waiting = running(database), running(database, owner="bob"), submit(database)
    taken = jobs.take_back_all(database, LIMITS)
    assert {job.id for job in taken.requeued} == {first.id, second.id}
    assert {now(database, job).status for job in (first, second, waiting)} == {"accepted"}


# -- health


def test_a_sound_database_takes_writes_and_is_left_as_it_was(database: Database) -> None:
    job = submit(database)
    check_readable(database)
    check_writable(database)
    assert now(database, job) == job
    assert len(events.read(database, job.id)) == 1


def test_a_database_that_somebody_else_keeps_locked_takes_no_writes(sqlite_database: Database) -> None:
    path = sqlite_database.engine.url.database
    impatient = Database(f"sqlite:///{path}", busy_s=0.1)
    with sqlite3.connect(str(path), isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        check_readable(impatient)
        with pytest.raises(DatabaseUnavailable):
            check_writable(impatient)
        other.execute("ROLLBACK")
    other.close()
    impatient.close()
