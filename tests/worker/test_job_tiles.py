"""Tiles of a job that workers share, on every database: each taken by one, done once, written by nobody else."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from service_jobs import LEASE_S, LIMITS, WallClock, claim, now, publish, running, submit
from sqlalchemy import select

from worker import jobs
from worker.database.connections import Database
from worker.database.tables import garbage, job_tiles
from worker.jobs import Job, events, tiles
from worker.jobs.tiles import TakenTile

KEY = "0123456789abcdef0123"


def shared(database: Database, count: int = 3, *, laid: bool = True, **asked: object) -> Job:
    """A running job whose tiles all lie ready."""
    job = running(database, worker="lead", **asked)
    assert tiles.plan(database, job, KEY, range(count))
    if laid:
        assert all(tiles.lay(database, job, tile) for tile in range(count))
    return job


def taken(database: Database, worker: str = "helper", classes: tuple[str, ...] = ("cpu",)) -> TakenTile | None:
    return tiles.take(database, worker_id=worker, classes=classes, lease_s=LEASE_S)


def done_by(database: Database, job: Job) -> dict[int, str | None]:
    return {state.tile: state.prefix for state in tiles.states(database, job) if state.state == "done"}


def test_helpers_take_what_lies_ready_and_the_lead_what_nobody_else_can(database: Database) -> None:
    job = shared(database, laid=False)
    assert taken(database) is None
    assert tiles.lay(database, job, 1)
    own = tiles.take_own(database, job, KEY, lease_s=LEASE_S)
    assert own is not None
    assert own.tile == 0
    help_ = taken(database)
    assert help_ is not None
    assert (help_.tile, help_.job_id, help_.attempt, help_.job_attempt) == (1, job.id, 1, 1)
    assert help_.input_prefix == f"tiles/{job.id}/0123456789abcdef/1/in"
    assert help_.result_prefix.startswith(f"tiles/{job.id}/0123456789abcdef/1/1-")
    assert replace(help_, owner="another").result_prefix != help_.result_prefix
    assert taken(database) is None
    assert tiles.done_own(database, job, own)
    assert tiles.done(database, help_, prefix=help_.result_prefix, message="Tile 2 is done.")
    assert done_by(database, job) == {0: None, 1: help_.result_prefix}
    assert "Tile 2 is done." in [event.data.get("message") for event in events.read(database, job.id)]


def test_nobody_helps_another_class_or_a_job_that_is_cancelled_or_does_not_run(database: Database) -> None:
    job = shared(database)
    assert taken(database, classes=("gpu16",)) is None
    jobs.dismiss(database, job.id, "ann")
    assert taken(database) is None
    waits = submit(database)
    assert waits.status == "accepted"
    assert taken(database) is None


def test_the_first_job_is_helped_first(database: Database) -> None:
    first, second = shared(database, 1), shared(database, 1)
    got = [taken(database, f"helper-{number}") for number in range(3)]
    assert [each and each.job_id for each in got] == [first.id, second.id, None]


def test_a_late_helper_writes_nothing(database: Database, wall_clock: WallClock) -> None:
    job = shared(database, 1)
    late = taken(database, "late")
    assert late is not None
    assert taken(database, "other") is None
    wall_clock.move(LEASE_S + 1)
    other = taken(database, "other")
    assert other is not None
    assert (other.tile, other.attempt) == (0, 2)
    assert not tiles.keep(database, late, lease_s=LEASE_S).kept
    assert not tiles.done(database, late, prefix="late", message="late")
    assert not tiles.give_back(database, late)
    assert not tiles.refuse(database, late, "late")
    assert tiles.done(database, other, prefix="other")
    assert not tiles.done(database, other, prefix="again")
    assert done_by(database, job) == {0: "other"}


def test_a_lease_that_ran_out_and_was_taken_by_nobody_is_kept(database: Database, wall_clock: WallClock) -> None:
    shared(database, 1)
    frozen = taken(database)
    assert frozen is not None
    wall_clock.move(LEASE_S + 1)
    assert tiles.keep(database, frozen, lease_s=LEASE_S).kept
    assert taken(database, "other") is None


def test_what_went_wrong_is_the_leads_alone_and_what_was_given_back_anybodys(database: Database) -> None:
    job = shared(database, 1)
    first = taken(database)
    assert first is not None
    assert tiles.give_back(database, first)
    second = taken(database)
    assert second is not None
    assert tiles.refuse(database, second, "It failed.")
    assert taken(database) is None
    own = tiles.take_own(database, job, KEY, lease_s=LEASE_S)
    assert own is not None
    assert own.attempt == 3


def test_a_cancelled_job_tells_its_helpers_and_takes_its_tiles_along(database: Database) -> None:
    job = shared(database, 1)
    helper = taken(database)
    assert helper is not None
    assert not tiles.keep(database, helper, lease_s=LEASE_S).cancelled
    jobs.dismiss(database, job.id, "ann")
    assert tiles.keep(database, helper, lease_s=LEASE_S).cancelled
    assert jobs.dismissed(database, job)
    assert not tiles.keep(database, helper, lease_s=LEASE_S).kept
    assert not tiles.done(database, helper, prefix="late")
    with database.read() as connection:
        assert connection.execute(select(job_tiles)).all() == []
        assert f"tiles/{job.id}" in set(connection.scalars(select(garbage.c.prefix)))


def test_a_published_job_leaves_no_tile_and_a_job_without_tiles_no_garbage(database: Database) -> None:
    plain, job = running(database), shared(database)
    for each in (plain, job):
        assert publish(database, now(database, each))
    with database.read() as connection:
        assert connection.execute(select(job_tiles)).all() == []
        prefixes = set(connection.scalars(select(garbage.c.prefix)))
    assert f"tiles/{job.id}" in prefixes
    assert f"tiles/{plain.id}" not in prefixes


def test_the_next_lead_finds_what_helpers_did_and_does_again_what_was_lost_with_the_last(database: Database) -> None:
    job = shared(database, 4)
    helper, still = taken(database), taken(database, "still")
    assert helper is not None
    assert still is not None
    own = tiles.take_own(database, job, KEY, lease_s=LEASE_S)
    assert own is not None
    assert tiles.done(database, helper, prefix="there")
    assert tiles.done_own(database, job, own)
    assert jobs.release(database, job)
    assert tiles.keep(database, still, lease_s=LEASE_S).kept, "helpers go on while the job waits for another lead"
    again = claim(database, worker="another")
    assert again is not None
    assert not tiles.plan(database, job, KEY, range(4)), "of the lead that was"
    assert tiles.plan(database, again, KEY, range(4))
    assert done_by(database, again) == {helper.tile: "there"}
    assert [state.tile for state in tiles.states(database, again) if state.is_open] == [own.tile, 3]
    assert tiles.plan(database, again, KEY, [own.tile]), "the others' marks lie in its workspace"
    assert set(done_by(database, again)) == {helper.tile, still.tile, 3}
    assert not tiles.done(database, still, prefix="superfluous")


def test_a_lead_that_lost_its_job_does_no_tile_for_the_next_one(database: Database) -> None:
    job = shared(database, 2, laid=False)
    own = tiles.take_own(database, job, KEY, lease_s=LEASE_S)
    assert own is not None
    assert jobs.release(database, job)
    again = claim(database, worker="another")
    assert again is not None
    assert tiles.plan(database, again, KEY, range(2))
    assert not tiles.done_own(database, job, own), "its arrays lie where the next one does not look"
    assert not tiles.lay(database, job, 1)
    assert not tiles.filled(database, job, 1)
    assert tiles.take_own(database, job, KEY, lease_s=LEASE_S) is None
    assert done_by(database, again) == {}


def test_tiles_of_another_run_are_others(database: Database) -> None:
    job = shared(database, 2)
    helper = taken(database)
    assert helper is not None
    assert tiles.plan(database, job, "smaller tiles", range(3))
    assert not tiles.keep(database, helper, lease_s=LEASE_S).kept
    assert [(state.tile, state.is_open, state.laid) for state in tiles.states(database, job)] == [
        (tile, True, False) for tile in range(3)
    ]


def test_where_nobody_is_alive_any_more_all_tiles_are_open_at_once(database: Database) -> None:
    shared(database, 2)
    dead = taken(database)
    assert dead is not None
    jobs.take_back_all(database, LIMITS)
    again = claim(database, worker="another")
    assert again is not None
    assert [state.is_open for state in tiles.states(database, again)] == [True, True]
    assert not tiles.done(database, dead, prefix="late")


def test_many_workers_at_once_get_each_tile_once(database: Database) -> None:
    job = shared(database, 24)

    def work(name: str) -> list[int]:
        done = []
        while (tile := taken(database, name)) is not None:
            assert tiles.done(database, tile, prefix=tile.result_prefix)
            done.append(tile.tile)
        return done

    with ThreadPoolExecutor(4) as pool:
        got = [tile for done in pool.map(work, [f"helper-{k}" for k in range(4)]) for tile in done]
    assert sorted(got) == list(range(24))
    assert len(done_by(database, job)) == 24
